# SPDX-License-Identifier: GPL-2.0-only OR MIT
# A host whose synthetic timers report by messages alone, as hosts before 2019: the bus's interrupt
# is each CPU's tick, and what the bus has to say comes into the same slot.
# host: --timers message
CLOCKS=/sys/devices/system/clockevents

# clock CPU: what ticks there.
clock() { cat "$CLOCKS/clockevent$1/current_device"; }
every_cpu_ticks() {
  local cpu
  for cpu in $(seq 0 $((CPUS - 1))); do
    taskset "$(printf %x $((1 << cpu)))" sleep 0.1 || fail "CPU $cpu does not tick"
  done
}
every_clock_is_the_bus_s() {
  local cpu
  for cpu in $(seq 0 $((CPUS - 1))); do
    [ "$(clock "$cpu")" = 'Hyper-V clockevent' ] || fail "CPU $cpu ticks by $(clock "$cpu")"
  done
}
no_clock_is_the_bus_s() {
  local cpu
  for cpu in $(seq 0 $((CPUS - 1))); do
    [ "$(clock "$cpu")" != 'Hyper-V clockevent' ] || fail "CPU $cpu ticks by a timer of no bus"
  done
}

test_the_clocks_tick_by_message() {
  every_clock_is_the_bus_s
  ! grep HVS /proc/interrupts || fail "a timer has an interrupt of its own"
  every_cpu_ticks
}

test_the_disk_keeps_what_is_written() { disk_keeps_what_is_written; }

test_the_network_answers() {
  network_comes_up
  answers -s 5000 10.0.2.2 || fail "no answer"
  fetch
}

# Each opening of an adapter is a dozen messages of the host. One that a tick has written over would
# be waited for in vain, as would be a tick that a message has written over.
open_and_close() {
  local round interface
  interface=$(nic $NIC0)
  for round in $(seq 10); do
    ip link set "$interface" mtu $((1400 + round)) || fail "round $round: it does not open again"
  done
}
test_ticks_and_messages_of_the_bus_share_a_slot() {
  local sleeper sleepers='' cpu
  for cpu in $(seq 0 $((CPUS - 1))); do
    (while :; do taskset "$(printf %x $((1 << cpu)))" sleep 0.001 || exit; done) &
    sleepers="$sleepers $!"
  done
  (open_and_close) || fail "the bus does not answer"
  for sleeper in $sleepers; do kill "$sleeper" || fail "a sleeper has ended"; done
  every_cpu_ticks
  within 20 answers 10.0.2.2 >/dev/null || fail "no answer"
}

test_cpus_go_and_come_under_io() {
  cpus_can_go
  under_io every_cpu_goes_and_comes
  under_io all_but_one_cpu_go_and_come
  every_clock_is_the_bus_s
  every_cpu_ticks
}

# The bus, and before it whatever stands on it.
unload_everything() {
  local holder module
  for holder in /sys/module/hv_vmbus/holders/* /sys/module/hv_vmbus; do
    module=${holder##*/}
    [ ! -e "$holder" ] || unload "$module" || fail "$module cannot be unloaded"
  done
}

# In tree the clocks go back once, and are never taken again.
test_the_clocks_are_handed_back_and_taken_again() {
  local round
  bus_can_go
  for round in $(seq "${RELOADS:-20}"); do
    unload_everything
    no_clock_is_the_bus_s
    every_cpu_ticks
    for module in hv_vmbus hv_storvsc; do modprobe $module || fail "round $round: $module"; done
    every_clock_is_the_bus_s
  done
  modprobe hv_netvsc
  every_cpu_ticks
  disk_still_has_it
}

test_a_start_that_fails_leaves_a_machine_that_ticks() {
  local round
  bus_can_go
  unload_everything
  for round in 1 2 3; do
    # Version 1.1, which this host does not speak.
    ! modprobe hv_vmbus max_version=65537 2>/dev/null || fail "the host speaks 1.1"
    [ ! -e /sys/module/hv_vmbus ] || fail "the bus is there"
    no_clock_is_the_bus_s
    every_cpu_ticks
  done
  for module in hv_vmbus hv_storvsc hv_netvsc; do modprobe $module || fail "no $module"; done
  every_clock_is_the_bus_s
  disk_still_has_it
  network_comes_up
  answers 10.0.2.2 || fail "no answer"
}
