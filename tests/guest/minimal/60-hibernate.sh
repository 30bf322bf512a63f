# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Hibernation as far as it goes without a new machine: the devices freeze, memory is written to the
# disk, read again and taken up, and the devices are restored: the bus is unloaded and connected
# anew three times.
test_memory_goes_to_the_disk_and_comes_back() {
  local disk before after error=''
  grep -qw test_resume /sys/power/disk ||
    skip "this kernel cannot try its own resume: $(cat /sys/power/disk)"
  ours hv_vmbus || [ "$CPUS" = 1 ] ||
    skip "the in-tree bus of these kernels lets no CPU go that a channel interrupts, here neither"
  umount -a -t ext4,iso9660 2>/dev/null || :
  modprobe hv_netvsc
  network_answers "before"
  disk=$(scsi 0)
  mkswap "$disk" >/dev/null
  swapon "$disk" || fail "no swap on $disk"
  echo 0 >/sys/power/image_size  # as little as goes
  echo test_resume >/sys/power/disk
  before=$(ls "$BUS"/*/channels | sort)
  echo disk >/sys/power/state 2>/tmp/error || error=$(cat /tmp/error)
  some_io || fail "the disk does not answer any more"
  # The interface is as it was, address and all.
  within 60 carrier "$(nic $NIC0)" 1 || fail "the adapter has no carrier any more"
  within 60 answers 10.0.2.2 >/dev/null || { ip addr; fail "nothing passes any more"; }
  fetch
  after=$(ls "$BUS"/*/channels | sort)
  [ "$(echo "$before" | wc -l)" = "$(echo "$after" | wc -l)" ] ||
    fail "channels before: $before; after: $after"
  case $(uname -r):$error in
    # 6.1 wants to read the disk as its only user, which the swap is already. All but reading has
    # been seen then. (The image keeps its place in the swap, and swapoff would look for its owner
    # for ever.)
    6.1.*busy*) dmesg | grep -q 'Wrote .*kbytes' || fail "no image was written" ;;
    *)
      [ -z "$error" ] || fail "the image was not taken up: $error"
      # The log is in the memory that came back: it knows nothing of what was done with the image.
      dmesg | grep -q 'Creating image' || fail "no image was made"
      ! dmesg | grep -q 'Wrote .*kbytes' || fail "this is not the memory of the image"
      swapoff "$disk" ;;
  esac
}
