# SPDX-License-Identifier: GPL-2.0-only OR MIT
gone() { ! device $SCSI "$1" >/dev/null; }
has_sectors() { holds "/sys/block/${1#/dev/}/size" "$2"; }

test_disks_come_and_go_under_io() {
  local disk writer round
  (
    while :; do
      dd if=/dev/zero of="$(scsi 0)" bs=256k count=64 seek=800 conv=fsync 2>/dev/null || exit 1
    done
  ) &
  writer=$!
  for round in $(seq "${HOTPLUGS:-4}"); do
    ask_host disk.add "path=/tmp/guest/hot.raw" name=hot lun=9
    within 60 device $SCSI 9 >/dev/null || fail "round $round: the disk did not come"
    disk=$(scsi 9)
    within 60 test -b "$disk" || fail "no $disk"
    has_sectors "$disk" $((32 << 11)) || fail "round $round: $disk has $(sectors "$disk") sectors"
    dd if=/dev/urandom of="$disk" bs=64k count=64 conv=fsync 2>/dev/null ||
      fail "round $round: cannot write $disk"
    (while dd if="$disk" of=/dev/null bs=64k count=512 2>/dev/null; do :; done) &
    ask_host disk.remove name=hot
    within 60 gone 9 || fail "round $round: the disk did not go"
    wait $! || :
  done
  kill -0 "$writer" || fail "the other disk was disturbed"
  kill "$writer"
  wait "$writer" || :
}

test_a_disk_grows() {
  local disk
  ask_host disk.add "path=/tmp/guest/grow.raw" name=grow lun=8
  within 60 device $SCSI 8 >/dev/null || fail "the disk did not come"
  disk=$(scsi 8)
  within 60 has_sectors "$disk" $((16 << 11)) || fail "$(sectors "$disk") sectors"
  ask_host disk.resize name=grow size=$((48 << 20))
  # In-tree drivers look at the size when a command meets the unit attention.
  grown() {
    dd if="$disk" of=/dev/null bs=4k count=1 iflag=direct 2>/dev/null
    has_sectors "$disk" $((48 << 11))
  }
  within 60 grown || fail "$(sectors "$disk") sectors after growing"
  dd if=/dev/urandom of="$disk" bs=1M seek=47 count=1 conv=fsync 2>/dev/null ||
    fail "the new end cannot be written"
  ask_host disk.remove name=grow
  within 60 gone 8 || fail "the disk did not go"
}
