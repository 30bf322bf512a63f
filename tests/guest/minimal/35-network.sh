# SPDX-License-Identifier: GPL-2.0-only OR MIT
# The first adapter, nic0, is behind the host's address translation; on 10.0.2.2:8080 the node serves /network and /network.md5.
NET=f8615163-df3e-46c5-913f-f2d2f965ed0e

# interface N: the N-th network interface (from 1) of the VMBus; empty if there is none.
interface() { ls -d /sys/bus/vmbus/devices/*/net/* 2>/dev/null | sed 's,.*/,,' | sort | sed -n "$1p" | grep .; }
no_interface() { ! interface "$1" >/dev/null; }
carrier() { [ "$(cat "/sys/class/net/$1/carrier" 2>/dev/null)" = "$2" ]; }
driver_is_calm() { ! dmesg | grep -E 'hv_netvsc.*([Ee]rror|[Ii]nvalid|[Ff]ail|[Uu]nable|overflow|unknown|too (small|big))' || fail "the driver complained"; }

test_dhcp_gives_an_address() {
  local device
  within 30 interface 1 >/dev/null || fail "no network interface"
  device=$(interface 1)
  ip link set "$device" up
  udhcpc -i "$device" -n -q -t 10 -T 2
  ip addr show "$device" | grep -q 'inet 10\.0\.2\.15/24' || { ip addr; fail "no address"; }
  driver_is_calm
}

test_ping_of_all_sizes() {
  local size
  for size in 0 1 18 64 500 1000 1471 1472; do ping -q -c 2 -i 0.2 -W 5 -s "$size" 10.0.2.2 || fail "no answer to $size bytes"; done
  driver_is_calm
}

test_a_file_is_fetched_whole() {
  wget -q -O /tmp/network.md5 http://10.0.2.2:8080/network.md5 || fail "the node does not serve the sum"
  wget -q -O - http://10.0.2.2:8080/network | md5sum | cut -c 1-32 >/tmp/fetched
  cut -c 1-32 /tmp/network.md5 | cmp - /tmp/fetched || fail "its sum is wrong"
  driver_is_calm
}

test_ethtool_is_content() {
  local device option
  device=$(interface 1)
  tool ethtool -i "$device" | grep -qx 'driver: hv_netvsc' || fail "ethtool -i: $(tool ethtool -i "$device")"
  for option in -S -l -g -x -k; do tool ethtool $option "$device" >/tmp/ethtool || fail "ethtool $option"; done
  tool ethtool -k "$device" >/tmp/ethtool
  for option in tx-checksum-ipv4 tx-tcp-segmentation rx-checksumming; do
    grep -q "$option: on" /tmp/ethtool || fail "$option is not offered: $(cat /tmp/ethtool)"
  done
  for option in "tso off" "tx off" "rx off" "rx on" "tx on" "tso on"; do
    # shellcheck disable=SC2086
    tool ethtool -K "$device" $option || fail "ethtool -K $option"
    test_a_file_is_fetched_whole || fail "nothing comes with $option"
  done
  driver_is_calm
}

test_network_has_a_channel_per_cpu() {
  local vmbus count
  for vmbus in /sys/bus/vmbus/devices/*; do
    grep -q $NET "$vmbus/class_id" || continue
    count=$(ls "$vmbus/channels" | wc -l)
    [ "$count" = "$CPUS" ] || fail "$count channels with $CPUS CPUs"
  done
  driver_is_calm
}

test_the_link_goes_down_and_up() {
  local device
  device=$(interface 1)
  within 10 carrier "$device" 1 || fail "no carrier at first"
  ask_host nic.link name=nic0 up=false
  within 20 carrier "$device" 0 || fail "the link did not go down"
  ask_host nic.link name=nic0 up=true
  within 20 carrier "$device" 1 || fail "the link did not come up"
  ping -q -c 2 -W 10 10.0.2.2 || fail "nothing passes any more"
  driver_is_calm
}

test_adapters_come_and_go_under_traffic() {
  local device round
  device=$(interface 1)
  (while wget -q -O /dev/null http://10.0.2.2:8080/network; do :; done) &
  for round in 1 2 3; do
    ask_host nic.add net=echo name=hot
    within 30 interface 2 >/dev/null || fail "round $round: the adapter did not come"
    ip link set "$(interface 2 | grep -v "^$device\$" || interface 1)" up
    ask_host nic.remove name=hot
    within 30 no_interface 2 || fail "round $round: the adapter did not go"
  done
  kill -0 $! || fail "the traffic was disturbed"
  kill $!
  wait $! || :
  driver_is_calm
}
