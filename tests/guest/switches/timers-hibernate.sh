# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Sleep with timers that report by messages.
# host: --timers message

test_memory_goes_to_the_disk_and_comes_back_with_its_clocks() {
  local cpu
  test_memory_goes_to_the_disk_and_comes_back
  for cpu in $(seq 0 $((CPUS - 1))); do
    [ "$(cat "/sys/devices/system/clockevents/clockevent$cpu/current_device")" = \
      'Hyper-V clockevent' ] || fail "CPU $cpu does not tick by message any more"
    taskset "$(printf %x $((1 << cpu)))" sleep 0.1
  done
}
