# SPDX-License-Identifier: GPL-2.0-only OR MIT
# The minimal guest: one initramfs of busybox, the modules and the agent; and a disk of tools for
# its tests.

MINIMAL_MODULES="hv_vmbus hv_storvsc hv_netvsc hv_utils hv_balloon hyperv_keyboard hid_hyperv
  hv_sock pci_hyperv uio_hv_generic af_packet 8021q veth sch_ingress cls_matchall
  act_mirred sd_mod sr_mod sg isofs loop ext4 mq-deadline crc32c_generic"
MINIMAL_PROGRAMS="mke2fs e2fsck blkdiscard blockdev findmnt"
TOOLS_PROGRAMS="fio sg_unmap sg_inq sg_vpd sg_readcap sg_write_same sg_sync sg_raw sg_luns kexec
  vmcore-dmesg ethtool iperf3 tc"

# ensure_minimal KERNEL_DIR RELEASE AGENT [MODULE.ko...] -> sets MINIMAL_INITRD.
ensure_minimal() {
  local kernel_dir=$1 release=$2 words hash
  words="$(basename -a "${@:3}") $(type make_minimal) $MINIMAL_MODULES $MINIMAL_PROGRAMS"
  hash=$(hash_inputs "$LAB_DIR"/guest/minimal/* "$LAB_DIR/guest/table" \
    "$LAB_DIR/lib/initramfs.sh" "${@:3}" <<<"$kernel_dir $words")
  MINIMAL_INITRD=$CACHE_DIR/minimal-$release-$hash.cpio
  in_cache "$MINIMAL_INITRD" minimal "minimal-$release-*.cpio" \
    "making the minimal guest's initramfs ($(($# - 3)) modules of ours)" make_minimal "$@"
}

make_minimal() {
  local kernel_dir=$1 release=$2 agent=$3 tree=$MINIMAL_INITRD.tree program
  shift 3
  tree_base "$tree"
  # shellcheck disable=SC2086
  tree_modules "$tree" "$kernel_dir" "$release" $MINIMAL_MODULES
  mkdir -p "$tree/lib/modules/$release/updates"
  [ $# -eq 0 ] || cp "$@" "$tree/lib/modules/$release/updates/"
  depmod -b "$tree" "$release"
  for program in $MINIMAL_PROGRAMS; do
    tree_program "$tree" "$(command -v "$program")" "/usr/sbin/$program"
  done
  ln -s mke2fs "$tree/usr/sbin/mkfs.ext4"
  ln -s e2fsck "$tree/usr/sbin/fsck.ext4"
  install -m 755 "$agent" "$tree/usr/sbin/enlighten-agent"
  install -m 755 "$LAB_DIR/guest/table" "$tree/usr/sbin/table"
  install -D -m 755 "$LAB_DIR/guest/minimal/udhcpc" "$tree/etc/udhcpc/default.script"
  install -m 755 "$LAB_DIR/guest/minimal/init" "$tree/init"
  tree_pack "$tree" "$MINIMAL_INITRD.part"
}

# ensure_tools -> sets TOOLS_DISK: an ext4 image, label tools, with programs too big for an
# initramfs, and those of tests/guest/tools, which build_programs has built.
ensure_tools() {
  local hash
  hash=$(hash_inputs "$(command -v fio)" "$XDP_TOOL" "$TURNS_TOOL" \
    <<<"$TOOLS_PROGRAMS $(type make_tools)")
  TOOLS_DISK=$CACHE_DIR/tools-$hash.ext4
  in_cache "$TOOLS_DISK" tools 'tools-*.ext4' "making the disk of test tools" make_tools
}

make_tools() {
  local tree=$TOOLS_DISK.tree program
  for program in $TOOLS_PROGRAMS; do
    tree_program "$tree" "$(command -v "$program")" "/bin/$program"
  done
  install -D -m 755 "$XDP_TOOL" "$tree/bin/xdp"
  install -D -m 755 "$TURNS_TOOL" "$tree/bin/turns"
  mkdir -p "$tree/lib"
  find "$tree/usr" "$tree/lib" "$tree/lib64" -type f -name '*.so*' -exec mv -n -t "$tree/lib" {} +
  rm -rf "${tree:?}/usr" "${tree:?}/lib64" "${tree:?}/lib/x86_64-linux-gnu"
  truncate -s 160M "$TOOLS_DISK.part"
  mke2fs -q -t ext4 -O ^has_journal -L tools -m 0 -E root_owner=0:0 -d "$tree" "$TOOLS_DISK.part"
}
