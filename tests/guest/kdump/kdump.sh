# SPDX-License-Identifier: GPL-2.0-only OR MIT
# kdump: a kernel that crashes, and one behind it that saves the first one's log. Our host is told
# to go on after a crash.
test_a_crash_starts_the_crash_kernel() {
  local disk
  [ "$(cat /sys/kernel/kexec_crash_size)" != 0 ] || fail "no memory is reserved for it"
  words="$(sed 's/crashkernel=[^ ]*//' /proc/cmdline) enlighten.kernel=crash"
  load_next a_crash_starts_the_crash_kernel -p \
    --command-line="$words nr_cpus=1 reset_devices"
  [ "$(cat /sys/kernel/kexec_crash_loaded)" = 1 ] || fail "no crash kernel is loaded"
  disk=$(scsi 0)
  (while :; do dd if="$disk" of=/dev/null bs=64k iflag=direct 2>/dev/null || exit; done) &
  sleep 1
  echo "a line that only this kernel wrote: $(cat /proc/sys/kernel/random/boot_id)" >/dev/kmsg
  echo c >/proc/sysrq-trigger
  fail "the kernel did not crash"
}

test_it_is_the_crash_kernel() {
  in_kernel crash
  [ -e /proc/vmcore ] || fail "no /proc/vmcore"
}

test_it_has_the_expected_drivers() {
  in_kernel crash
  expected_drivers
}

# The node looks at the disk afterwards.
test_it_saves_the_log_of_the_crash() {
  in_kernel crash
  mount_tools
  tool vmcore-dmesg /proc/vmcore >/tmp/dmesg ||
    fail "the log cannot be read: $(tail -n 3 /tmp/dmesg)"
  umount /tools
  dd if=/tmp/dmesg of="$(scsi 0)" bs=64k conv=sync,fsync 2>/dev/null
}
