# SPDX-License-Identifier: GPL-2.0-only OR MIT
# The adapter nic0 is behind the host's address translation; on 10.0.2.2:8080 the node serves
# /network and /large, with /network.md5 and /large.md5.
HOT=00:15:5d:00:00:20

no_nic() { ! nic "$1" >/dev/null; }
carrier() { holds "/sys/class/net/$1/carrier" "$2"; }
mtu_is() { holds "/sys/class/net/$1/mtu" "$2"; }
# That the kernel cannot verify a module that it did not come with is no complaint of the driver.
# Of this test and of the one before, as something may have been said behind its end.
driver_is_calm() {
  local not='[Ee]rror|[Ii]nvalid|[Ff]ail|[Uu]nable|overflow|unknown|too (small|big)'
  ! { cat /tmp/said; dmesg; } | grep -v 'module verification failed' |
    grep -E "hv_netvsc.*($not)" || fail "the driver complained"
}
fetch() { # fetch [NAME]
  local name=${1:-network}
  wget -q -O /tmp/fetched.md5 "http://10.0.2.2:8080/$name.md5" ||
    fail "the node does not serve the sum"
  wget -q -O - "http://10.0.2.2:8080/$name" | md5sum | cut -c 1-32 >/tmp/fetched
  cut -c 1-32 /tmp/fetched.md5 | cmp - /tmp/fetched || fail "its sum is wrong"
}
# network_comes_up: nic0 has an address, as it would get by DHCP.
network_comes_up() {
  local device
  within 30 nic $NIC0 >/dev/null || fail "no network interface"
  device=$(nic $NIC0)
  ip addr add 10.0.2.15/24 dev "$device"
  ip link set "$device" up
  within 20 carrier "$device" 1 || fail "no carrier"
}

test_network_gets_an_address_by_dhcp() {
  local device
  if wanted hv_netvsc; then
    ours hv_netvsc || fail "hv_netvsc is not ours"
  else
    ! ours hv_netvsc || fail "hv_netvsc is ours"
  fi
  within 60 nic $NIC0 >/dev/null || fail "no network interface"
  device=$(nic $NIC0)
  ip link set "$device" up
  udhcpc -i "$device" -n -q -t 30 -T 3
  ip addr show "$device" | grep -q 'inet 10\.0\.2\.15/24' || { ip addr; fail "no address"; }
  driver_is_calm
}

test_network_takes_packets_of_all_sizes() {
  local size
  for size in 0 1 17 18 64 500 1000 1471 1472 1473 5000; do
    answers -s "$size" 10.0.2.2 || fail "no answer to $size bytes"
  done
  driver_is_calm
}

test_network_fetches_a_file_whole() {
  fetch large
  driver_is_calm
}

test_network_speaks_ipv6() {
  local device
  device=$(nic $NIC0)
  configured() { ip -6 addr show dev "$device" scope site | grep inet6 | grep -qv tentative; }
  within 60 configured || { ip -6 addr; fail "no address by router advertisement"; }
  answers fec0::2 || fail "the router does not answer"
  answers -s 1452 fec0::2 || fail "the router does not answer to full packets"
}

test_network_has_a_channel_per_cpu() {
  local device count vmbus
  mount_tools
  device=$(nic $NIC0)
  vmbus=$(readlink -f "/sys/class/net/$device/device")
  channels_are() { [ "$(ls "$vmbus/channels" | wc -l)" = "$1" ]; }
  grep -q $NET "$vmbus/class_id" || fail "its class is $(cat "$vmbus/class_id")"
  within 60 channels_are "$CPUS" || fail "$(ls "$vmbus/channels" | wc -l) channels with $CPUS CPUs"
  for count in 1 "$CPUS"; do
    tool ethtool -L "$device" combined "$count" ||
      [ "$(ls -d "/sys/class/net/$device/queues/rx-"* | wc -l)" = "$count" ] ||
      fail "ethtool -L combined $count"
    within 60 channels_are "$count" ||
      fail "$(ls "$vmbus/channels" | wc -l) channels, $count asked for"
    answers 10.0.2.2 || fail "nothing passes with $count channels"
  done
  driver_is_calm
}

test_network_settings_can_be_read_and_changed() {
  local device option
  mount_tools
  device=$(nic $NIC0)
  tool ethtool -i "$device" | grep -qx 'driver: hv_netvsc' ||
    fail "ethtool -i: $(tool ethtool -i "$device")"
  for option in -S -l -g -x -k -d; do
    tool ethtool $option "$device" >/tmp/ethtool || fail "ethtool $option"
  done
  tool ethtool -n "$device" rx-flow-hash tcp4 | grep -q 'L4 bytes' || fail "ethtool -n"
  tool ethtool -k "$device" >/tmp/ethtool
  for option in tx-checksum-ipv4 tx-tcp-segmentation rx-checksumming; do
    grep -q "$option: on" /tmp/ethtool || fail "$option is not offered: $(cat /tmp/ethtool)"
  done
  for option in "tso off" "tx off" "rx off" "rx on" "tx on" "tso on"; do
    # shellcheck disable=SC2086
    tool ethtool -K "$device" $option || fail "ethtool -K $option"
    fetch || fail "nothing comes with $option"
  done
  [ "$CPUS" = 1 ] || tool ethtool -X "$device" equal 1 || fail "ethtool -X"
  tool ethtool -G "$device" rx 5000 tx 100 || fail "ethtool -G"
  tool ethtool -g "$device" | grep -q 'TX:[[:space:]]*100$' ||
    fail "the rings are $(tool ethtool -g "$device")"
  fetch
  driver_is_calm
}

test_network_changes_its_mtu() {
  local device mtu
  device=$(nic $NIC0)
  # The router's own is 1500.
  for mtu in 9000 576 1500; do
    ip link set "$device" mtu "$mtu" || fail "no MTU of $mtu"
    answers -s 1472 10.0.2.2 || fail "no answer with an MTU of $mtu"
  done
  fetch
  driver_is_calm
}

sent_more() { [ "$(cat "/sys/class/net/$1/statistics/tx_packets")" -gt "$2" ]; }
test_network_link_goes_down_and_up() {
  local device sent
  device=$(nic $NIC0)
  within 60 carrier "$device" 1 || fail "no carrier at first"
  ask_host nic.link name=nic0 up=false
  within 60 carrier "$device" 0 || fail "the link did not go down"
  ask_host nic.link name=nic0 up=true
  within 60 carrier "$device" 1 || fail "the link did not come up"
  answers 10.0.2.2 || fail "nothing passes any more"
  # As after a migration: it is up, and its network is told where it is now.
  sent=$(cat "/sys/class/net/$device/statistics/tx_packets")
  ask_host nic.link name=nic0 up=true
  within 60 sent_more "$device" "$sent" || fail "nobody is told"
  ip link set "$device" mtu 1499 && ip link set "$device" mtu 1500 ||
    fail "it cannot be set any more"
  within 60 carrier "$device" 1 || fail "no carrier at the end"
  driver_is_calm
}

test_network_adapters_come_and_go_under_traffic() {
  local round traffic
  (while wget -q -O /dev/null http://10.0.2.2:8080/network; do :; done) &
  traffic=$!
  for round in $(seq "${HOTPLUGS:-3}"); do
    ask_host nic.add net=echo,mac=$HOT name=hot
    within 60 nic $HOT >/dev/null || fail "round $round: the adapter did not come"
    ip link set "$(nic $HOT)" up
    ask_host nic.remove name=hot
    within 60 no_nic $HOT || fail "round $round: the adapter did not go"
  done
  kill -0 $traffic || fail "the traffic was disturbed"
  kill $traffic
  wait $traffic || :
  driver_is_calm
}

# Each is its own: what the host sends back on one is counted on no other.
test_network_has_several_adapters() {
  local many=${ADAPTERS:-3} i device
  for i in $(seq "$many"); do
    ask_host nic.add "net=echo,mac=00:15:5d:00:01:$(printf %02x "$i")" name="many$i"
  done
  for i in $(seq "$many"); do
    within 60 nic "00:15:5d:00:01:$(printf %02x "$i")" >/dev/null ||
      fail "of $many adapters number $i did not come"
    device=$(nic "00:15:5d:00:01:$(printf %02x "$i")")
    ip addr add "10.78.$i.1/24" dev "$device"
    ip link set "$device" up
    within 60 carrier "$device" 1 || fail "number $i has no carrier"
  done
  for i in $(seq "$many"); do
    device=$(nic "00:15:5d:00:01:$(printf %02x "$i")")
    # Nobody answers: the question itself comes back.
    ping -c 2 -i 0.2 -W 1 -q "10.78.$i.9" >/dev/null || :
    echoed() { ! holds "/sys/class/net/$device/statistics/rx_packets" 0; }
    within 60 echoed || fail "nothing comes back on number $i"
  done
  for i in $(seq "$many"); do ask_host nic.remove name="many$i"; done
  for i in $(seq "$many"); do
    within 60 no_nic "00:15:5d:00:01:$(printf %02x "$i")" || fail "number $i did not go"
  done
  driver_is_calm
}
