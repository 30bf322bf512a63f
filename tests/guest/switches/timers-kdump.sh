# SPDX-License-Identifier: GPL-2.0-only OR MIT
# A kernel that crashes where timers report by messages (VALUE: message, or message,arat), and one
# behind it that saves the first one's log.
# host: --timers VALUE
# guest: kdump

test_a_crash_starts_the_crash_kernel_without_a_tick_left() {
  local disk
  [ "$(cat /sys/kernel/kexec_crash_size)" != 0 ] || fail "no memory is reserved for it"
  [ "$(cat /sys/devices/system/clockevents/clockevent0/current_device)" = 'Hyper-V clockevent' ] ||
    fail "CPU 0 does not tick by message"
  load_next a_crash_starts_the_crash_kernel_without_a_tick_left -p --command-line="$(sed \
    's/crashkernel=[^ ]*//' /proc/cmdline) enlighten.kernel=crash nr_cpus=1 reset_devices"
  disk=$(scsi 0)
  (while :; do dd if="$disk" of=/dev/null bs=64k iflag=direct 2>/dev/null || exit; done) &
  sleep 1
  echo "a line that only this kernel wrote: $(cat /proc/sys/kernel/random/boot_id)" >/dev/kmsg
  echo c >/proc/sysrq-trigger
  fail "the kernel did not crash"
}

test_the_crash_kernel_saves_the_log() {
  in_kernel crash
  [ -e /proc/vmcore ] || fail "no /proc/vmcore"
  expected_drivers
  test_it_saves_the_log_of_the_crash
}
