# SPDX-License-Identifier: GPL-2.0-only OR MIT
# A host that offers monitored channels: the guest signals by a bit in a page.
# host: --monitor

# signals: how many the guest has sent by hypercall.
signals() {
  local file sum=0
  for file in "$BUS"/*/channels/*/events; do sum=$((sum + $(cat "$file"))); done
  echo $sum
}

test_the_channels_are_monitored() {
  local vmbus ids='' VALUE
  for vmbus in "$BUS"/*; do
    value_of "$vmbus/monitor_id" || fail "${vmbus##*/} has no monitor"
    case " $ids " in *" $VALUE "*) fail "two have monitor $VALUE" ;; esac
    ids="$ids $VALUE"
    holds "$vmbus/client_monitor_latency" 10000 ||
      fail "the latency is $(cat "$vmbus/client_monitor_latency") in units of 100 ns"
    holds "$vmbus/client_monitor_conn_id" $((0x2000 | $(cat "$vmbus/id"))) ||
      fail "the connection is $(cat "$vmbus/client_monitor_conn_id")"
  done
}

test_the_disk_keeps_what_is_written() {
  local before
  before=$(signals)
  disk_keeps_what_is_written
  [ "$(signals)" = "$before" ] || fail "$(($(signals) - before)) signals by hypercall"
}

test_the_network_answers() {
  network_comes_up
  answers -s 5000 10.0.2.2 || fail "no answer"
  fetch
  [ "$(signals)" = 0 ] || fail "$(signals) signals by hypercall"
}

# An adapter is handed to user space and taken back. uio_hv_generic wants a monitor.
hand_over() { # hand_over DEVICE FROM TO
  local drivers=/sys/bus/vmbus/drivers
  [ "$2" = '' ] || echo "$1" >"$drivers/$2/unbind" || fail "$2 does not let go"
  [ "$3" = '' ] || echo "$1" >"$drivers/$3/bind" || fail "$3 does not take it"
}
test_an_adapter_goes_to_user_space_and_comes_back() {
  local round vmbus uio=/sys/class/uio/uio0
  modprobe uio_hv_generic
  vmbus=$(readlink -f "/sys/class/net/$(nic $NIC0)/device")
  vmbus=${vmbus##*/}
  echo $NET >/sys/bus/vmbus/drivers/uio_hv_generic/new_id
  for round in $(seq 20); do
    hand_over "$vmbus" hv_netvsc uio_hv_generic
    [ -c /dev/uio0 ] || fail "round $round: no /dev/uio0"
    holds $uio/maps/map0/name txrx_rings || fail "round $round: no rings"
    holds $uio/maps/map2/name monitor_page || fail "round $round: no monitor page"
    hand_over "$vmbus" uio_hv_generic hv_netvsc
  done
  network_comes_up
  answers -s 5000 10.0.2.2 || fail "no answer"
  fetch
}

test_an_adapter_in_user_space_can_be_taken_away() {
  local vmbus
  modprobe uio_hv_generic
  # It may know the class already.
  echo $NET 2>/dev/null >/sys/bus/vmbus/drivers/uio_hv_generic/new_id || :
  ask_host nic.add net=null,mac=$NIC2 name=user
  within 30 nic $NIC2 >/dev/null || fail "no adapter"
  vmbus=$(readlink -f "/sys/class/net/$(nic $NIC2)/device")
  vmbus=${vmbus##*/}
  hand_over "$vmbus" hv_netvsc uio_hv_generic
  ask_host nic.remove name=user
  within 60 test ! -e "$BUS/$vmbus" || fail "it is still there"
  # The kernel takes a device out of its bus's folder before it calls the driver's remove.
  within 60 test ! -e /dev/uio0 || fail "/dev/uio0 is still there"
  rmmod uio_hv_generic
  answers 10.0.2.2 || fail "no answer of the other"
}
