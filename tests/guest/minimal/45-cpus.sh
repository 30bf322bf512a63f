# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Interrupts of channels on CPUs that change, come and go.
# Runs COMMAND... while the disk is read without a pause; it must not be disturbed.
under_io() {
  local io status=0
  (while :; do some_io || exit 1; done) &
  io=$!
  ("$@") || status=1
  kill -0 "$io" || fail "the disk was disturbed"
  kill "$io"
  wait "$io" || :
  [ "$status" = 0 ] || exit 1
  some_io || fail "the disk does not answer any more"
}

move_every_channel() {
  local channel cpu
  for channel in $(open_channels); do
    for cpu in $(seq 0 $((CPUS - 1))) 0 $((CPUS - 1)); do
      echo "$cpu" >"$channel/cpu" || fail "$channel does not go to CPU $cpu"
      [ "$(cat "$channel/cpu")" = "$cpu" ] ||
        fail "$channel is on CPU $(cat "$channel/cpu"), not $cpu"
    done
  done
  ! echo "$CPUS" >"$channel/cpu" 2>/dev/null || fail "a CPU that is not there was taken"
}

test_interrupts_move_to_other_cpus_under_io() {
  [ "$CPUS" -gt 1 ] || skip "there is one CPU"
  under_io move_every_channel
}

every_cpu_goes_and_comes() {
  local cpu
  for cpu in $(seq $((CPUS - 1)) -1 1) $(seq $((CPUS - 1))); do
    echo 0 >"/sys/devices/system/cpu/cpu$cpu/online" || fail "CPU $cpu does not go"
    ! grep -hq ":$cpu\$" "$BUS"/*/channel_vp_mapping || fail "a channel is left on CPU $cpu"
    echo 1 >"/sys/devices/system/cpu/cpu$cpu/online" || fail "CPU $cpu does not come"
  done
}

all_but_one_cpu_go_and_come() {
  local cpu
  for cpu in $(seq $((CPUS - 1))); do
    echo 0 >"/sys/devices/system/cpu/cpu$cpu/online" || fail "CPU $cpu does not go"
  done
  some_io || fail "the disk does not answer with one CPU"
  for cpu in $(seq $((CPUS - 1))); do
    echo 1 >"/sys/devices/system/cpu/cpu$cpu/online" || fail "CPU $cpu does not come"
  done
}

cpus_can_go() {
  [ "$CPUS" -gt 1 ] || skip "there is one CPU"
  ours hv_vmbus || skip "the in-tree bus of these kernels lets no CPU go that a channel interrupts"
}

test_cpus_go_and_come_under_io() {
  cpus_can_go
  under_io every_cpu_goes_and_comes
  under_io all_but_one_cpu_go_and_come
}

test_the_cpu_of_the_messages_stays() {
  [ -e /sys/devices/system/cpu/cpu0/online ] || skip "this kernel lets CPU 0 not go at all"
  ! echo 0 >/sys/devices/system/cpu/cpu0/online 2>/dev/null || fail "CPU 0 went"
}
