# SPDX-License-Identifier: GPL-2.0-only OR MIT
# A host that is slow, refuses, or breaks a ring: the faults modify-delay, refuse-open and
# break-ring (host/faults).

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

# A host that breaks a ring: the device is closed and opened again.
# opened_again WHAT TIMES: so often in this test.
opened_again() { [ "$(dmesg | grep -c "$1 is open again")" -ge "$2" ]; }
break_often() { # break_often DEVICE WHAT
  local round
  for round in 1 2 3; do
    ask_host fault.set name=break-ring value=1 device="$1"
    within 60 opened_again "$2" "$round" || fail "round $round: the $2 is not open again"
  done
}

# writes_and_reads DISK: until /tmp/enough is there. What it reads must be what it wrote.
writes_and_reads() {
  local round=0
  until [ -e /tmp/enough ]; do
    round=$((round + 1))
    yes "round $round" | head -c 1048576 >/tmp/written
    dd if=/tmp/written of="$1" bs=64k seek=512 oflag=direct conv=notrunc 2>/tmp/dd-beside || exit 1
    dd if="$1" of=/tmp/read bs=64k skip=512 count=16 iflag=direct 2>/tmp/dd-beside || exit 1
    cmp /tmp/written /tmp/read >/tmp/dd-beside 2>&1 || exit 1
  done
}

# Who reads and writes meanwhile waits, and loses nothing.
test_a_disk_controller_that_breaks_is_opened_again() {
  local io
  wanted hv_storvsc || skip "in tree a ring is believed"
  rm -f /tmp/enough
  writes_and_reads "$(scsi 0)" &
  io=$!
  break_often scsi controller
  : >/tmp/enough
  wait $io || fail "the disk was disturbed: $(cat /tmp/dd-beside)"
  ! dmesg | grep -E 'I/O error|rejecting I/O' || fail "the block layer has seen it"
}

# Behind a controller that was given up: who waits for it is told, and a new one works.
controller_is_given_up() {
  within 60 eval '! some_io' || fail "the disk goes on"
  dmesg | grep -q 'the controller is given up' || fail "nothing was said of it"
  ask_host fault.set name=break-ring value=0
  sleep 1
  reload 1 hv_storvsc
  within 60 device $SCSI 0 >/dev/null || fail "no disk came back"
  some_io || fail "the disk does not answer any more"
}

# The eighth time within minutes is one too many; it has broken in the tests before.
opened_again_or_given_up() {
  opened_again controller "$1" || dmesg | grep -q 'the controller is given up'
}
test_a_disk_controller_that_breaks_again_and_again_is_given_up() {
  local round
  wanted hv_storvsc || skip "in tree a ring is believed"
  umount -a -t ext4,iso9660 2>/dev/null || :
  for round in $(seq 8); do
    ask_host fault.set name=break-ring value=1 device=scsi
    some_io &
    within 60 opened_again_or_given_up "$round" || fail "round $round: neither open nor given up"
    wait $! || break
  done
  opened_again controller 2 || fail "it was given up at once"
  controller_is_given_up
}

# Commands wait for 180 s.
test_a_disk_controller_that_does_not_open_again_is_given_up() {
  [ "${RELOADS:-0}" -ge 100 ] || skip "it takes three minutes: soak has it"
  wanted hv_storvsc || skip "in tree a ring is believed"
  umount -a -t ext4,iso9660 2>/dev/null || :
  ask_host fault.set name=break-ring value=1000000 device=scsi
  within 60 eval "dmesg | grep -q 'the controller is closed'" || fail "it does not break"
  within 200 eval "dmesg | grep -q 'the controller is given up'" || fail "it is not given up"
  controller_is_given_up
}

# Who writes to a disk while its controller is broken waits. When it is open again, another disk is
# there: nothing of what was written may reach it. The host refuses to open it three times, so it is
# broken for some four seconds. (Behind the test before, it is a new one: each try comes later than
# the one before, for as long as it has not worked for two minutes.)
test_a_disk_that_is_exchanged_while_its_controller_is_broken_is_another() {
  local DISK serial writer
  wanted hv_storvsc || skip "in tree a ring is believed"
  mount_tools
  faulty_disk
  serial=$(serial)
  (while dd if=/tmp/faulty of="$DISK" bs=64k oflag=direct 2>/dev/null; do :; done) &
  writer=$!
  ask_host fault.set name=refuse-open value=3 device=scsi
  ask_host fault.set name=break-ring value=1 device=scsi
  within 60 eval "dmesg | grep -q 'the controller is closed'" || fail "it does not break"
  ask_host disk.replace name=hot path=/tmp/guest/grow.raw as=other
  within 60 opened_again controller 1 || fail "the controller is not open again"
  within 60 is_another_disk $((16 << 11)) "$serial" ||
    fail "$DISK: $(sectors "$DISK") sectors, $(serial)"
  dmesg | grep -q 'another disk has taken its place' || fail "nothing was said of it"
  wait $writer || :
  [ "$(dd if="$DISK" bs=64k count=32 iflag=direct 2>/dev/null | tr -d '\000' | wc -c)" = 0 ] ||
    fail "what was written to the old disk is on the new one"
  umount /tools
  ask_host disk.remove name=other
  within 60 gone 9 || fail "the disk did not go"
}

test_an_adapter_that_breaks_is_opened_again() {
  wanted hv_netvsc || skip "in tree a ring is believed"
  answers 10.0.2.2 >/dev/null || network_comes_up
  (while :; do answers 10.0.2.2 || :; done) >/dev/null 2>&1 &
  break_often nic0 adapter
  kill $!
  within 60 answers 10.0.2.2 >/dev/null || fail "nothing passes any more"
}
