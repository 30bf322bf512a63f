# SPDX-License-Identifier: GPL-2.0-only OR MIT
# LUN 1 is 64 MiB of holes; the node looks afterwards that the first half of them is holes again,
# and the second is not.
test_trim_punches_holes() {
  local disk name
  disk=$(scsi 1)
  name=${disk#/dev/}
  [ "$(cat "/sys/block/$name/queue/discard_max_bytes")" -gt 0 ] || fail "the disk offers no discard"
  dd if=/dev/urandom of=/tmp/random bs=1M count=4 2>/dev/null
  for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do cat /tmp/random; done >"$disk"
  rm /tmp/random
  sync
  blkdiscard -o 0 -l $((32 << 20)) "$disk"
  echo 3 >/proc/sys/vm/drop_caches
  [ "$(dd if="$disk" bs=1M count=32 2>/dev/null | md5sum)" = \
    "$(dd if=/dev/zero bs=1M count=32 2>/dev/null | md5sum)" ] ||
    fail "discarded blocks are not zero"
  [ "$(dd if="$disk" bs=1M skip=32 count=1 2>/dev/null | tr -d '\000' | wc -c)" != 0 ] ||
    fail "too much was discarded"
}

test_a_read_only_disk_refuses_writes() {
  local disk
  disk=$(scsi 2)
  [ "$(blockdev --getro "$disk")" = 1 ] || fail "not marked read-only"
  [ "$(head -c 9 "$disk")" = read-only ] || fail "its content cannot be read"
  ! dd if=/dev/zero of="$disk" bs=512 count=1 conv=fsync 2>/dev/null || fail "a write was taken"
}

test_a_dvd_is_read() {
  local drive
  modprobe -q sr_mod || :
  drive=$(scsi 4)
  mkdir -p /mnt/dvd
  mount -t iso9660 -o ro "$drive" /mnt/dvd
  (cd /mnt/dvd && md5sum -c sums)
  umount /mnt/dvd
}

# disc_has FILE: the disc that is in the drive now has it; SECTORS says how large the disc is.
disc_has() {
  local status=0
  mount -t iso9660 -o ro "$drive" /mnt/dvd || return 1
  [ -e "/mnt/dvd/$1" ] || status=1
  SECTORS=$(sectors "$drive")
  umount /mnt/dvd
  return $status
}
# disc_becomes IMAGE FILE: asks for the disc until it is there. The host changes none while the
# guest has it locked, which it has for as long as disc_has looks.
disc_becomes() {
  ask_host dvd.change name=dvd0 path="$1"
  sleep 1
  disc_has "$2"
}
test_a_dvd_drive_gets_another_disc() {
  local drive before SECTORS=0
  modprobe -q sr_mod || :
  drive=$(scsi 4)
  mkdir -p /mnt/dvd
  disc_has sums || fail "the first disc is not there"
  before=$SECTORS
  within 60 disc_becomes other-dvd.iso hello || fail "the other disc is not seen"
  [ "$SECTORS" -lt "$before" ] || fail "the other disc has $SECTORS sectors, the first $before"
  [ "$(scsi 4)" = "$drive" ] || fail "the drive is another one"
  within 60 disc_becomes dvd.iso sums || fail "the first disc is not seen again"
  [ "$SECTORS" = "$before" ] || fail "the first disc has $SECTORS sectors, and had $before"
  mount -t iso9660 -o ro "$drive" /mnt/dvd
  (cd /mnt/dvd && md5sum -c sums) || fail "the first disc is read wrongly"
  umount /mnt/dvd
}

# A request is one range of pages, however long a piece of memory is.
test_a_disk_takes_pieces_of_any_length() {
  local disk
  disk=$(scsi 0)
  wanted hv_storvsc || skip "the in-tree driver of 6.12 has them end at 64 KiB"
  holds "/sys/block/${disk#/dev/}/queue/max_segment_size" 4294967295 ||
    fail "$(cat "/sys/block/${disk#/dev/}/queue/max_segment_size") bytes"
}

test_an_ide_disk_is_mounted() {
  local disk
  within 60 device $IDE 0 >/dev/null || fail "no IDE disk"
  disk=/dev/$(device $IDE 0)
  mkdir -p /mnt/ide
  mount "$disk" /mnt/ide
  [ "$(cat /mnt/ide/hello)" = 'hello from IDE' ] || fail "wrong content"
  dd if=/dev/urandom of=/mnt/ide/new bs=64k count=16 2>/dev/null
  umount /mnt/ide
  e2fsck -f -n "$disk"
}
