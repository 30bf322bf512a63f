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
