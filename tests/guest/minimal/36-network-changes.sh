# SPDX-License-Identifier: GPL-2.0-only OR MIT
# The network driver goes and comes, and what it is set to changes while frames are on their way.

# network_answers WHAT: the first interface has an address and reaches the host.
network_answers() {
  local device
  within 30 interface 1 >/dev/null || fail "$1: no network interface"
  device=$(interface 1)
  ip link set "$device" up
  within 20 carrier "$device" 1 || fail "$1: no carrier"
  udhcpc -i "$device" -n -q -t 10 -T 2 || fail "$1: no address"
  ping -q -c 2 -W 5 10.0.2.2 || fail "$1: no answer"
}

test_the_network_driver_reloads() {
  local round
  for round in $(seq "${RELOADS:-5}"); do
    rmmod hv_netvsc || fail "round $round: hv_netvsc cannot be unloaded"
    no_interface 1 || fail "round $round: the interface is still there"
    modprobe hv_netvsc || fail "round $round: hv_netvsc cannot be loaded"
    network_answers "round $round"
  done
  driver_is_calm
}

# settings_change COMMAND...: each is carried out under traffic, and traffic goes on behind it.
settings_change() {
  local device command
  device=$(interface 1)
  (while :; do wget -q -O /dev/null http://10.0.2.2:8080/network || sleep 1; done) &
  for command in "$@"; do
    sleep 1
    eval "$command" || fail "$command: refused"
    network_answers "$command"
  done
  kill $!
  wait $! || :
  test_a_file_is_fetched_whole
  driver_is_calm
}

# shellcheck disable=SC2016
test_the_mtu_changes_under_traffic() {
  settings_change 'ip link set "$device" mtu 1400' 'ip link set "$device" mtu 1500' 'ip link set "$device" mtu 9000' 'ip link set "$device" mtu 1500'
}

# shellcheck disable=SC2016
test_channels_and_buffers_change_under_traffic() {
  settings_change 'tool ethtool -G "$device" rx 1000 tx 20' 'tool ethtool -G "$device" rx 8000 tx 150' \
    '[ $CPUS = 1 ] || tool ethtool -L "$device" combined 1' '[ $CPUS = 1 ] || tool ethtool -L "$device" combined $CPUS'
}
