# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Hibernation as far as it goes without a new machine: the devices freeze, memory is written to the disk, read again and taken up, and
# the devices are restored: the bus is unloaded and connected anew three times.
test_memory_goes_to_the_disk_and_comes_back() {
  local disk before after
  [ -n "$HIBERNATE" ] || skip "not seen to come back yet: asked for by guest_hibernate=1 (docs/STATUS.md)"
  grep -qw test_resume /sys/power/disk || skip "this kernel cannot try its own resume: $(cat /sys/power/disk)"
  umount -a -t ext4,iso9660 2>/dev/null || :
  disk=$(scsi 0)
  mkswap "$disk" >/dev/null
  swapon "$disk" || fail "no swap on $disk"
  echo 0 >/sys/power/image_size  # as little as goes
  echo test_resume >/sys/power/disk
  before=$(ls "$BUS"/*/channels | sort)
  echo disk >/sys/power/state || { swapoff "$disk"; fail "the machine does not hibernate"; }
  swapoff "$disk"
  dmesg | grep -q 'Read .*kbytes' || fail "no image was read"
  some_io || fail "the disk does not answer any more"
  after=$(ls "$BUS"/*/channels | sort)
  [ "$(echo "$before" | wc -l)" = "$(echo "$after" | wc -l)" ] || fail "channels before: $before; after: $after"
}
