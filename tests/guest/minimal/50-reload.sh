# SPDX-License-Identifier: GPL-2.0-only OR MIT
test_the_module_reloads_20_times() {
  local disk round
  umount -a -t ext4,iso9660 2>/dev/null || :
  disk=$(scsi 0)
  mkfs.ext4 -q -F "$disk" 65536
  mkdir -p /mnt/fs
  for round in $(seq 20); do
    mount "$disk" /mnt/fs
    echo "round $round" >>/mnt/fs/rounds
    umount /mnt/fs
    rmmod hv_storvsc || fail "round $round: the module cannot be unloaded"
    [ ! -e "$disk" ] || fail "round $round: $disk is still there"
    modprobe hv_storvsc || fail "round $round: the module cannot be loaded"
    within 60 device $SCSI 0 >/dev/null || fail "round $round: no disk came back"
    disk=$(scsi 0)
    within 20 test -b "$disk"
    e2fsck -f -n "$disk" >/tmp/fsck 2>&1 || { cat /tmp/fsck; fail "round $round: the file system is damaged"; }
  done
  mount "$disk" /mnt/fs
  [ "$(wc -l </mnt/fs/rounds)" = 20 ] || fail "rounds are lost: $(cat /mnt/fs/rounds)"
  umount /mnt/fs
}
