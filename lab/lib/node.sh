# SPDX-License-Identifier: GPL-2.0-only OR MIT
# The nested machine: QEMU's software emulation of AMD SVM, in it Debian's kernel with kvm-amd.

NODE_MODULES="virtio_pci virtio_console virtio_blk virtio_net kvm-amd tun bridge veth 8021q
  vhost_net loop"

# ensure_node_image -> sets NODE_INITRD and NODE_KERNEL.
ensure_node_image() {
  ensure_kernel 6.1
  NODE_KERNEL=$KERNEL_IMAGE
  local hash
  hash=$(hash_inputs "$LAB_DIR/l1/init" "$LAB_DIR/lib/initramfs.sh" "$(command -v busybox)" \
    <<<"$KERNEL_DIR $NODE_MODULES $(type make_node_image)")
  NODE_INITRD=$CACHE_DIR/node-$hash.cpio
  in_cache "$NODE_INITRD" node 'node-*.cpio' "making the nested machine's initramfs" \
    make_node_image
}

make_node_image() {
  local tree=$NODE_INITRD.tree
  tree_base "$tree"
  # shellcheck disable=SC2086
  tree_modules "$tree" "$KERNEL_DIR" "$KERNEL_RELEASE" $NODE_MODULES
  depmod -b "$tree" "$KERNEL_RELEASE"
  install -m 755 "$LAB_DIR/l1/init" "$tree/init"
  tree_pack "$tree" "$NODE_INITRD.part"
}

# How often the same work is begun when the emulation ends under it.
NODE_TRIES=8

# node_talk LIMIT HANDLER ARG...: lab/node with these arguments; runs HANDLER with each line that it
# says in `line`, but for its `@alive`. A machine that does not even say that it is alive has hung,
# and so has one that says nothing else for LIMIT seconds: it is ended. Its status.
node_talk() {
  local limit=$1 handler=$2 line status=0 heard=$SECONDS
  shift 2
  [ -p "$SCRATCH/stream" ] || mkfifo "$SCRATCH/stream"
  "$LAB_DIR/node" "$@" >"$SCRATCH/stream" 2>&1 </dev/null &
  NODE_PID=$!
  on_exit "ask_child $NODE_PID"
  while IFS= read -t 300 -r line || { status=$?; false; }; do
    line=${line%$'\r'}
    if [ "$line" = @alive ]; then
      [ $((SECONDS - heard)) -le "$limit" ] || { status=129; break; }
      continue
    fi
    heard=$SECONDS
    "$handler"
  done <"$SCRATCH/stream"
  if [ "$status" -gt 128 ]; then
    say "the machine has said nothing more for $((SECONDS - heard)) s: it is ended"
    kill -TERM "$NODE_PID"
  fi
  wait "$NODE_PID"
}

# The frequency of this machine's TSC, which the nested machine sees as it is; nothing when it is
# not known.
node_tsc_khz() {
  local mhz said='Detected|Refined TSC clocksource calibration:'
  mhz=$(dmesg 2>/dev/null |
    sed -nE "s/.*tsc: ($said) ([0-9]+)\.([0-9]{3}) MHz.*/\2\3/p" | tail -n 1) || :
  if [ -z "$mhz" ] && [ ! -e /sys/devices/system/cpu/cpu0/cpufreq ]; then
    mhz=$(sed -nE 's/^cpu MHz.*: ([0-9]+)\.([0-9]{3})$/\1\2/p' /proc/cpuinfo | head -n 1)
  fi
  echo "$mhz"
}
