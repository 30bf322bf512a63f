# SPDX-License-Identifier: GPL-2.0-only OR MIT
# As timers-message, on a machine that says that its APIC timers never stop, and so needs no PIT.
# When CPU 0 gets the bus's timer, Linux makes its APIC timer the broadcast device for good: there
# is nothing left to go back to. (In tree to unload the bus, or kexec, is a panic there.)
# host: --timers message,arat

test_a_bus_whose_clock_cannot_be_handed_back_stays_and_says_why() {
  ours hv_vmbus || skip "the in-tree bus lets itself be unloaded, and its clock dies"
  grep 'CPU 0 has no other clock .* the bus cannot be unloaded' /tmp/boot-log ||
    fail "$(grep hv_vmbus /tmp/boot-log)"
  for module in hv_netvsc hv_storvsc; do [ ! -e /sys/module/$module ] || unload $module; done
  ! rmmod hv_vmbus 2>/dev/null || fail "the bus could be unloaded"
  [ -e /sys/bus/vmbus ] || fail "the bus is gone"
  sleep 0.5
  for module in hv_storvsc hv_netvsc; do modprobe $module; done
  sleep 0.5
}

test_the_disk_keeps_what_is_written() { disk_keeps_what_is_written; }

test_cpus_go_and_come_under_io() {
  cpus_can_go
  under_io every_cpu_goes_and_comes
}
