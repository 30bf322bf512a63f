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

# all_other_cpus 0|1: all but CPU 0 go offline, or come online.
all_other_cpus() {
  local cpu
  for cpu in $(seq $((CPUS - 1))); do
    echo "$1" >"/sys/devices/system/cpu/cpu$cpu/online" || fail "CPU $cpu stays as it was"
  done
}

# What was opened while CPUs were away has channels for them when they are back.
test_network_channels_come_with_cpus_that_come_back() {
  local device vmbus
  cpus_can_go
  ours hv_netvsc || skip "the in-tree driver counts the CPUs that are online when it opens"
  mount_tools
  device=$(nic $NIC0)
  vmbus=$(readlink -f "/sys/class/net/$device/device")
  channels_are() { [ "$(ls "$vmbus/channels" | wc -l)" = "$1" ]; }
  all_other_cpus 0
  tool ethtool -L "$device" combined 1 || fail "one channel is refused while CPUs are away"
  within 60 channels_are 1 || fail "$(ls "$vmbus/channels" | wc -l) channels, 1 asked for"
  all_other_cpus 1
  tool ethtool -L "$device" combined "$CPUS" || fail "$CPUS channels are refused with all CPUs back"
  within 60 channels_are "$CPUS" || fail "$(ls "$vmbus/channels" | wc -l) channels, $CPUS asked for"
  network_answers "with all channels"
  driver_is_calm
}

test_disk_channels_come_for_cpus_that_are_away() {
  local before
  cpus_can_go
  ours hv_storvsc || skip "the in-tree driver counts the CPUs that are online when it loads"
  before=$(open_channels | wc -l)
  as_before() { [ "$(open_channels | wc -l)" = "$before" ]; }
  all_other_cpus 0
  umount -a -t ext4,iso9660 2>/dev/null || :
  unload hv_storvsc || fail "hv_storvsc cannot be unloaded"
  modprobe hv_storvsc
  all_other_cpus 1
  within 60 as_before || fail "$(open_channels | wc -l) channels, $before before"
  some_io || fail "the disk does not answer"
}

test_the_cpu_of_the_messages_stays() {
  [ -e /sys/devices/system/cpu/cpu0/online ] || skip "this kernel lets CPU 0 not go at all"
  ! echo 0 >/sys/devices/system/cpu/cpu0/online 2>/dev/null || fail "CPU 0 went"
}
