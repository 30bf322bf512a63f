# SPDX-License-Identifier: GPL-2.0-only OR MIT
# The network driver goes and comes, and what it is set to changes while frames are on their way.

# network_answers WHAT: the adapter nic0 gets an address and reaches the host.
network_answers() {
  local device
  within 60 nic $NIC0 >/dev/null || fail "$1: no network interface"
  device=$(nic $NIC0)
  ip link set "$device" up
  within 60 carrier "$device" 1 || fail "$1: no carrier"
  udhcpc -i "$device" -n -q -t 30 -T 3 || fail "$1: no address"
  answers 10.0.2.2 || fail "$1: no answer"
}

test_network_driver_reloads() {
  local round
  for round in $(seq "${RELOADS:-5}"); do
    rmmod hv_netvsc || fail "round $round: hv_netvsc cannot be unloaded"
    no_nic $NIC0 || fail "round $round: the interface is still there"
    modprobe hv_netvsc || fail "round $round: hv_netvsc cannot be loaded"
    network_answers "round $round"
  done
  driver_is_calm
}

test_network_changes_under_traffic() {
  local device traffic command
  mount_tools
  device=$(nic $NIC0)
  (while :; do wget -q -O /dev/null http://10.0.2.2:8080/network || sleep 1; done) &
  traffic=$!
  for command in "ip link set $device mtu 1400" "ip link set $device mtu 1500" \
    "tool ethtool -G $device rx 1000 tx 20" "tool ethtool -G $device rx 8000 tx 150" \
    "tool ethtool -L $device combined 1" "tool ethtool -L $device combined $CPUS"; do
    sleep 1
    $command || [ "$CPUS" = 1 ] || fail "$command: refused"
    network_answers "$command"
  done
  kill $traffic
  wait $traffic || :
  fetch
  driver_is_calm
}

# frames_by DEVICE QUEUE: that it has sent.
frames_by() {
  tool ethtool -S "$1" | awk -v name="tx_queue_$2_packets:" '$1 == name { print $2 }'
}
# goes_by DEVICE QUEUE: of the first two queues a few frames take this one alone.
goes_by() {
  local before other
  before=$(frames_by "$1" "$2") other=$(frames_by "$1" $((1 - $2)))
  answers -c 5 10.0.2.2 || return 1
  [ "$(frames_by "$1" "$2")" -ge $((before + 5)) ] &&
    [ "$(frames_by "$1" $((1 - $2)))" = "$other" ]
}
test_network_sends_by_the_queues_that_are_set_for_cpus() {
  local device queue
  ours hv_netvsc || skip "the in-tree driver does not look at xps_cpus"
  [ "$CPUS" -ge 2 ] || skip "one CPU has one queue"
  mount_tools
  network_answers "at first"
  device=$(nic $NIC0)
  tool ethtool -L "$device" combined 2 || fail "it does not get two queues"
  within 60 network_answers "with two queues"
  for queue in 1 0; do
    echo 0 >"/sys/class/net/$device/queues/tx-$((1 - queue))/xps_cpus"
    printf '%x\n' $(((1 << CPUS) - 1)) >"/sys/class/net/$device/queues/tx-$queue/xps_cpus"
    within 30 goes_by "$device" $queue || {
      tool ethtool -S "$device" | grep tx_queue
      fail "queue $queue is set for all CPUs, and others are used"
    }
  done
  for queue in 0 1; do echo 0 >"/sys/class/net/$device/queues/tx-$queue/xps_cpus"; done
  tool ethtool -L "$device" combined "$CPUS" || fail "it does not get its queues back"
  network_answers "at last"
  driver_is_calm
}

# The host knows an adapter by its own address until it is told of another, and forgets that when
# the adapter is opened anew: it has to be told again.
test_network_keeps_an_address_set_by_hand() {
  local device own command
  wanted hv_netvsc || skip "the in-tree driver does not tell the host again"
  mount_tools
  network_answers "at first"
  device=$(nic $NIC0)
  own=$(cat /sys/class/net/"$device"/address)
  ip link set "$device" down
  ip link set "$device" address 00:15:5d:aa:bb:cc
  ip link set "$device" up
  ip addr replace 10.0.2.15/24 dev "$device"
  within 30 answers 10.0.2.2 || fail "no answer to the new address"
  for command in "ip link set $device mtu 1400" "ip link set $device mtu 1500" \
    "tool ethtool -G $device rx 1000" "tool ethtool -L $device combined 1" \
    "tool ethtool -L $device combined $CPUS"; do
    $command || [ "$CPUS" = 1 ] || fail "$command: refused"
    within 30 answers 10.0.2.2 || fail "no answer behind $command"
    holds /sys/class/net/"$device"/address 00:15:5d:aa:bb:cc ||
      fail "the address is $(cat /sys/class/net/"$device"/address) behind $command"
  done
  ip link set "$device" down
  ip link set "$device" address "$own"
  network_answers "with its own address again"
  driver_is_calm
}

# sum_of_channels DEVICE NAME: of an interface's channels, what sysfs counts by that name.
sum_of_channels() {
  cat /sys/class/net/"$1"/device/channels/*/"$2" | awk '{ sum += $1 } END { print sum }'
}
# What the bus shows of each channel is counted for adapters, too.
test_network_signals_are_counted() {
  local device before
  network_answers "at first"
  device=$(nic $NIC0)
  before=$(sum_of_channels "$device" intr_out_empty)
  fetch
  [ "$(sum_of_channels "$device" intr_out_empty)" -gt "$before" ] ||
    fail "no signal of a ring that was empty is counted: $before"
}

# Two adapters behind address translation are in subnets of their own: each has its gateway, and a
# port that leads to the first is answered by it.
test_network_has_a_subnet_for_each_adapter_behind_translation() {
  local device first=10.0.2.15 server
  network_answers "at first"
  ask_host nic.add net=user,mac=$HOT name=second
  within 60 nic $HOT >/dev/null || fail "the second adapter did not come"
  device=$(nic $HOT)
  ip link set "$device" up
  within 20 carrier "$device" 1 || fail "no carrier"
  udhcpc -i "$device" -n -q -t 10 -T 2 || fail "no lease for $device"
  ip -4 -o addr show dev "$device" | grep -q 'inet 10\.0\.4\.15/24' ||
    fail "it has $(ip -4 -o addr show dev "$device")"
  answers 10.0.4.2 || fail "its gateway does not answer"
  answers 10.0.2.2 || fail "the first adapter's gateway does not answer"
  # The node's port 2299 leads to our port 99.
  echo "answered by $first" >/tmp/said-by-server
  (while nc -l -p 99 </tmp/said-by-server >/dev/null; do :; done) &
  server=$!
  server_answers() { nc -w 5 10.0.2.2 2299 </dev/null | cmp -s - /tmp/said-by-server; }
  within 30 server_answers || fail "the forwarded port does not answer"
  # Between two calls nobody listens for a moment.
  within 30 server_answers || fail "the forwarded port does not answer again"
  kill "$server"
  ask_host nic.remove name=second
  within 60 no_nic $HOT || fail "the adapter did not go"
  answers 10.0.2.2 || fail "the first adapter's gateway does not answer any more"
  driver_is_calm
}

# The node asks a router for it, which says that there is no way: that is no answer.
test_network_gets_no_answer_from_where_nobody_is() {
  [ -n "$ROUTER" ] || skip "the node has no router"
  network_answers "at first"
  answers "$ROUTER" || fail "the router does not answer"
  answers -s 1000 "$ROUTER" || fail "the router does not answer to 1000 bytes"
  ! ping -c 5 -i 0.2 -W 5 10.8.1.1 >/tmp/ping || { cat /tmp/ping; fail "nobody has answered"; }
  answers "$ROUTER" || fail "the router does not answer any more"
  driver_is_calm
}
