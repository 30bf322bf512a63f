# SPDX-License-Identifier: GPL-2.0-only OR MIT
test_fio_verifies_what_it_writes() {
  mount_tools
  tool fio --name=verify --filename="$(scsi 0)" --size="${VERIFY:-256}M" --rw=randwrite \
    --bssplit=4k/10:64k/40:256k/50 --ioengine=libaio --direct=1 --iodepth=32 \
    --verify=crc32c --verify_fatal=1 --do_verify=1 --randrepeat=0 --output-format=terse \
    >/tmp/fio.out || { cat /tmp/fio.out; fail "fio found an error"; }
  umount /tools
}

test_ext4_is_clean_after_use() {
  local disk i
  disk=$(scsi 0)
  mkfs.ext4 -q -F "$disk"
  mkdir -p /mnt/fs
  mount "$disk" /mnt/fs
  for i in 1 2 3 4; do
    cp -a /bin /usr/sbin "/mnt/fs/" && mv /mnt/fs/sbin "/mnt/fs/sbin$i" &&
      mv /mnt/fs/bin "/mnt/fs/bin$i"
  done
  dd if=/dev/urandom of=/mnt/fs/random bs=1M count=8 2>/dev/null
  md5sum /mnt/fs/random >/tmp/random.md5
  rm -rf /mnt/fs/sbin2
  umount /mnt/fs
  e2fsck -f -n "$disk"
  mount "$disk" /mnt/fs
  md5sum -c /tmp/random.md5
  cmp /bin/busybox /mnt/fs/bin3/busybox
  umount /mnt/fs
}

# disk_keeps_what_is_written: 8 MiB, written past all caches, are read back whole.
disk_keeps_what_is_written() {
  dd if=/dev/urandom of=/tmp/random bs=1M count=8 2>/dev/null
  dd if=/tmp/random of="$(scsi 0)" bs=256k oflag=direct 2>/dev/null || fail "it cannot be written"
  disk_still_has_it
}
disk_still_has_it() {
  [ -e /tmp/random ] || { disk_keeps_what_is_written; return; }
  dd if="$(scsi 0)" bs=256k count=32 iflag=direct 2>/dev/null | cmp - /tmp/random ||
    fail "what is read is not what was written"
}
