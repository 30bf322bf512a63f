# SPDX-License-Identifier: GPL-2.0-only OR MIT
# The nested machine: QEMU's software emulation of AMD SVM, in it Debian's kernel with kvm-amd.

NODE_MODULES="virtio_pci virtio_console virtio_blk virtio_net kvm-amd tun bridge veth 8021q vhost_net loop"

# ensure_node_image -> sets NODE_INITRD and NODE_KERNEL.
ensure_node_image() {
  ensure_kernel 6.1
  NODE_KERNEL=$KERNEL_IMAGE
  local hash
  hash=$(hash_inputs "$LAB_DIR/l1/init" "$LAB_DIR/lib/initramfs.sh" "$(command -v busybox)" <<<"$KERNEL_DIR $NODE_MODULES $(type make_node_image)")
  NODE_INITRD=$CACHE_DIR/node-$hash.cpio
  [ -e "$NODE_INITRD" ] || with_lock node make_node_image_once
}

make_node_image_once() {
  [ ! -e "$NODE_INITRD" ] || return 0
  making "$NODE_INITRD"
  step "making the nested machine's initramfs" make_node_image
}

make_node_image() {
  local tree=$NODE_INITRD.tree
  rm -rf "$tree"
  tree_base "$tree"
  # shellcheck disable=SC2086
  tree_modules "$tree" "$KERNEL_DIR" "$KERNEL_RELEASE" $NODE_MODULES
  depmod -b "$tree" "$KERNEL_RELEASE"
  install -m 755 "$LAB_DIR/l1/init" "$tree/init"
  tree_pack "$tree" "$NODE_INITRD.part"
  rm -rf "$tree"
  find "$CACHE_DIR" -maxdepth 1 -name 'node-*.cpio' -mmin +60 -delete
  mv "$NODE_INITRD.part" "$NODE_INITRD"
}

# node_cpus GUEST_CPUS: what this machine has, and not fewer than the guest: vCPUs that share an emulated CPU make the emulation
# fail more often (lab/README.md). More than 8 only cost memory.
node_cpus() {
  local n
  n=$(nproc)
  [ "$n" -ge "$1" ] || n=$1
  [ "$n" -le 8 ] || n=8
  echo "$n"
}

# The frequency of this machine's TSC, which the nested machine sees as it is; nothing when it is not known.
node_tsc_khz() {
  local mhz
  mhz=$(dmesg 2>/dev/null | sed -nE 's/.*tsc: (Detected|Refined TSC clocksource calibration:) ([0-9]+)\.([0-9]{3}) MHz.*/\2\3/p' | tail -n 1) || :
  if [ -z "$mhz" ] && [ ! -e /sys/devices/system/cpu/cpu0/cpufreq ]; then
    mhz=$(sed -nE 's/^cpu MHz.*: ([0-9]+)\.([0-9]{3})$/\1\2/p' /proc/cpuinfo | head -n 1)
  fi
  echo "$mhz"
}
