# SPDX-License-Identifier: GPL-2.0-only OR MIT
# A host without synthetic timers.
# host: --timers none

test_no_clock_is_hyper_v_s() {
  ! cat /sys/devices/system/clockevents/*/current_device | grep Hyper-V || fail "one is"
}

test_the_disk_keeps_what_is_written() { disk_keeps_what_is_written; }

test_the_network_answers() {
  network_comes_up
  answers -s 5000 10.0.2.2 || fail "no answer"
  fetch
}

test_the_bus_reloads() {
  bus_can_go
  reload 1 hv_storvsc hv_netvsc hv_vmbus
  disk_still_has_it
}
