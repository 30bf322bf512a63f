# SPDX-License-Identifier: GPL-2.0-only OR MIT
# A new kernel on a running host whose timers report by messages (VALUE: message, or message,arat).
# host: --timers VALUE
# guest: kexec

# In tree this is a panic where the clock cannot be handed back: an interrupt calls its handler when
# it is gone.
test_a_kernel_is_started_whose_clock_ticks_by_message() {
  local disk
  disk=$(scsi 0)
  [ "$(cat /sys/devices/system/clockevents/clockevent0/current_device)" = 'Hyper-V clockevent' ] ||
    fail "CPU 0 does not tick by message"
  load_next a_kernel_is_started_whose_clock_ticks_by_message -l \
    --command-line="$(cat /proc/cmdline) enlighten.kernel=second"
  dd if="$disk" of=/dev/null bs=64k iflag=direct 2>/dev/null &
  tool kexec -e
  sleep 60
  fail "the old kernel is still there"
}

test_the_second_kernel_has_drivers_and_clock() {
  local cpu
  in_kernel second
  expected_drivers
  for cpu in $(seq 0 $((CPUS - 1))); do
    [ "$(cat "/sys/devices/system/clockevents/clockevent$cpu/current_device")" = \
      'Hyper-V clockevent' ] || fail "CPU $cpu does not tick by message"
  done
}

test_the_second_kernel_reads_and_writes() {
  local disk
  in_kernel second
  disk=$(scsi 0)
  dd if=/dev/urandom of=/tmp/written bs=1M count=8 2>/dev/null
  dd if=/tmp/written of="$disk" bs=1M conv=fsync 2>/dev/null
  [ "$(dd if="$disk" bs=1M count=8 iflag=direct 2>/dev/null | md5sum)" = \
    "$(md5sum </tmp/written)" ] || fail "the data differ"
}
