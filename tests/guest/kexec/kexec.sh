# SPDX-License-Identifier: GPL-2.0-only OR MIT
# kexec: a new kernel on a running host, that must have let go of the old one's memory.
test_a_kernel_is_started_from_a_kernel_in_use() {
  local disk
  disk=$(scsi 0)
  dd if=/dev/urandom of=/tmp/written bs=1M count=16 2>/dev/null
  dd if=/tmp/written of="$disk" bs=1M conv=fsync 2>/dev/null
  md5sum </tmp/written | dd of="$disk" bs=1M seek=64 conv=fsync 2>/dev/null
  rm /tmp/written
  load_next a_kernel_is_started_from_a_kernel_in_use -l \
    --command-line="$(cat /proc/cmdline) enlighten.kernel=second"
  # Channels are open and requests in flight when the old kernel goes.
  dd if="$disk" of=/dev/null bs=64k iflag=direct 2>/dev/null &
  tool kexec -e
  sleep 600
  fail "the old kernel is still there"
}

test_it_is_another_kernel() { in_kernel second; }

test_it_has_the_expected_drivers() {
  in_kernel second
  expected_drivers
}

test_it_finds_what_the_first_wrote() {
  local disk
  in_kernel second
  disk=$(scsi 0)
  [ "$(dd if="$disk" bs=1M count=16 iflag=direct 2>/dev/null | md5sum)" = \
    "$(dd if="$disk" bs=1M skip=64 count=1 2>/dev/null | head -n 1)" ] || fail "the data differ"
}

test_its_disks_work() {
  in_kernel second
  mount_tools
  tool fio --name=verify --filename="$(scsi 0)" --size=64M --rw=randwrite \
    --bssplit=4k/10:64k/40:256k/50 --ioengine=libaio --direct=1 --iodepth=32 \
    --verify=crc32c --verify_fatal=1 --do_verify=1 --output-format=terse >/tmp/fio.out ||
    { cat /tmp/fio.out; fail "fio found an error"; }
  umount /tools
  within 30 device $IDE 0 >/dev/null || fail "no IDE disk"
  dd if="/dev/$(device $IDE 0)" of=/dev/null bs=64k iflag=direct 2>/dev/null ||
    fail "the IDE disk cannot be read"
}
