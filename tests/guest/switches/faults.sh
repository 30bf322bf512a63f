# SPDX-License-Identifier: GPL-2.0-only OR MIT
# A host that is slow, or refuses: the faults modify-delay and refuse-open (host/faults).

# What the host was asked for takes effect a moment later. In hundredths of a second.
hundredths() { local time; time=$(now); echo "${time%.*}${time#*.}"; }

# move_late CHANNEL CPU: moves it there; succeeds if the host has taken its time.
move_late() {
  local start
  start=$(hundredths)
  echo "$2" >"$1/cpu" || fail "$1 does not go to CPU $2"
  [ "$(cat "$1/cpu")" = "$2" ] || fail "$1 is on CPU $(cat "$1/cpu"), not $2"
  some_io 16 || fail "no I/O behind the move"
  [ $(($(hundredths) - start)) -ge 300 ]
}
# other_cpu CHANNEL: one that it is not on: else the host is asked nothing.
other_cpu() { [ "$(cat "$1/cpu")" = 0 ] && echo $((CPUS - 1)) || echo 0; }
move_there_and_back() {
  local here
  here=$(cat "$1/cpu")
  move_late "$1" "$(other_cpu "$1")" && move_late "$1" "$here"
}
# late_more_often_than TIMES: the host was. Only TAP tells.
late_more_often_than() { [ "$(strikes_of modify-delay)" -gt "$1" ]; }
late_so_far() {
  ! nic $NIC1 >/dev/null || tap_up "$(nic $NIC1)"
  umount /tools 2>/dev/null || :  # a driver in use would not go
  strikes_of modify-delay >/dev/null
  sleep 1
  strikes_of modify-delay
}

late_moves() {
  local channel
  ask_host fault.set name=modify-delay value=4
  for channel in $(open_channels); do
    within 60 move_there_and_back "$channel" || fail "the answer of the host was not late"
  done
  ask_host fault.set name=modify-delay value=0
}

test_a_move_that_is_answered_late_disturbs_no_io() {
  local before
  [ "$CPUS" -gt 1 ] || skip "there is one CPU"
  before=$(late_so_far)
  under_io late_moves
  ! nic $NIC1 >/dev/null || within 60 late_more_often_than "$before" || fail "the host was not late"
}

# The host has not moved the channel when its driver closes it.
test_a_driver_unloads_while_its_channel_moves() {
  local channel before
  [ "$CPUS" -gt 1 ] || skip "there is one CPU"
  ask_host fault.set name=modify-delay value=4
  channel=$(open_channels | head -n 1)
  within 60 move_there_and_back "$channel" || fail "the answer of the host was not late"
  before=$(late_so_far)
  # It may be gone before it is asked to move.
  (other_cpu "$channel" >"$channel/cpu" || :) &
  reload 1 hv_storvsc
  wait $! || :
  ! nic $NIC1 >/dev/null || within 60 late_more_often_than "$before" ||
    fail "the channel was not asked to move"
  ask_host fault.set name=modify-delay value=0
  within 60 device $SCSI 0 >/dev/null || fail "no disk came back"
  some_io || fail "the disk does not answer any more"
}

# bind DRIVER DEVICE, unbind DRIVER DEVICE
bind() { echo "$2" >"/sys/bus/vmbus/drivers/$1/bind" 2>/dev/null; }
unbind() { echo "$2" >"/sys/bus/vmbus/drivers/$1/unbind"; }
# refuse_next_open DEVICE. It may come late, or meet a sub-channel: whoever wants to see it asks
# until it was so, and for no more then.
refuse_next_open() {
  ask_host fault.set name=refuse-open value=1 device="$1"
  sleep 1
}
refuse_no_more() {
  ask_host fault.set name=refuse-open value=0 device="$1"
  sleep 1
}
refused() { # refused DRIVER VMBUS-DEVICE DEVICE
  [ ! -e "/sys/bus/vmbus/drivers/$1/$2" ] || unbind "$1" "$2"
  refuse_next_open "$3"
  ! bind "$1" "$2" || return 1
  [ ! -e "/sys/bus/vmbus/drivers/$1/$2" ]
}
vmbus_device() { # vmbus_device CLASS: the first of that class
  local vmbus
  for vmbus in /sys/bus/vmbus/devices/*; do
    holds "$vmbus/class_id" "{$1}" || continue
    echo "${vmbus##*/}"
    return 0
  done
  return 1
}

test_a_disk_controller_whose_open_is_refused_can_be_opened_later() {
  local controller
  controller=$(vmbus_device $SCSI)
  umount -a -t ext4,iso9660 2>/dev/null || :
  within 60 refused hv_storvsc "$controller" scsi || fail "the host has not refused"
  refuse_no_more scsi
  bind hv_storvsc "$controller" || fail "the controller cannot be opened any more"
  within 60 device $SCSI 0 >/dev/null || fail "no disk came back"
  some_io || fail "the disk does not answer any more"
}

test_an_adapter_whose_open_is_refused_can_be_opened_later() {
  local adapter
  network_comes_up
  adapter=$(basename "$(readlink -f "/sys/class/net/$(nic $NIC0)/device")")
  within 60 refused hv_netvsc "$adapter" nic0 || fail "the host has not refused"
  refuse_no_more nic0
  bind hv_netvsc "$adapter" || fail "the adapter cannot be opened any more"
  network_comes_up
  answers 10.0.2.2 || fail "nothing passes any more"
}

# An adapter is opened anew to change its MTU: as it was, when that is refused.
mtu_is_refused() {
  ip link set "$1" mtu 1500 || return 1
  refuse_next_open nic0
  ! ip link set "$1" mtu 1400
}
test_an_adapter_that_cannot_be_changed_works_as_before() {
  local device
  wanted hv_netvsc || skip "in tree a worker was seen to wait for ever behind it (6.1)"
  device=$(nic $NIC0)
  within 60 mtu_is_refused "$device" || fail "the host has not refused"
  refuse_no_more nic0
  [ "$(cat "/sys/class/net/$device/mtu")" = 1500 ] ||
    fail "its MTU is $(cat "/sys/class/net/$device/mtu")"
  answers 10.0.2.2 || fail "nothing passes any more"
  ip link set "$device" mtu 1400 || fail "it cannot be changed any more"
  answers 10.0.2.2 || fail "nothing passes any more"
}
