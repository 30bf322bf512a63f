# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Virtual functions. The host has none: it tells of one (nic.vf), and a veth with the adapter's
# address stands in for it. At the veth's other end, in a namespace of its own, is another
# "10.0.2.2" with the same address as the host's, so that traffic goes on whichever way it takes.
# The in-tree driver takes PCI functions alone.

vf_here() {
  ours hv_netvsc || skip "without a PCI function only our driver has a stand-in for one"
  mount_tools
  modprobe veth
  # What a test that failed has left.
  ask_host nic.vf name=nic0 present=false
  ip link del vf0 2>/dev/null || :
}
function_counter() {
  tool ethtool -S "$(nic $NIC0)" | awk -v name="vf_$1:" '$1 == name { print $2 }'
}
joined() { [ "$(basename "$(readlink "/sys/class/net/vf0/master")")" = "$(nic $NIC0)" ]; }
not_joined() { ! joined; }
# Which way a ping that is answered goes.
way() {
  local before
  before=$(function_counter tx_packets)
  ping -c 1 -W 5 -q 10.0.2.2 >/dev/null || { echo none; return; }
  if [ "$(function_counter tx_packets)" -gt "$before" ]; then echo function; else echo channels; fi
}
by_function() { [ "$(way)" = function ]; }
by_channels() { [ "$(way)" = channels ]; }

# A namespace that lives as long as the process SPACE.
new_space() {
  unshare -n sleep 100000 &
  SPACE=$!
  within 60 is_another_space || fail "no namespace"
}
is_another_space() {
  local its
  its=$(readlink "/proc/$SPACE/ns/net") && [ "$its" != "$(readlink /proc/self/ns/net)" ]
}
in_space() { nsenter -n -t "$SPACE" "$@"; }

# The function comes; who answers at its other end is in SPACE.
function_comes() {
  local gateway peer
  echo 1 >/sys/module/hv_netvsc/parameters/vf_stand_in
  gateway=$(awk '$1 == "10.0.2.2" { print $4 }' /proc/net/arp)
  [ -n "$gateway" ] || fail "the host's address is not known"
  ip link add vf0 address $NIC0 type veth
  within 60 joined || { ip link; fail "the function is not joined"; }
  peer=$(peer_of vf0)
  ip link set "$peer" address "$gateway"
  ip link set "$peer" netns "$SPACE"
  in_space ip addr add 10.0.2.2/24 dev "$peer"
  in_space ip link set "$peer" up
}
function_goes() {
  ask_host nic.vf name=nic0 present=false
  ip link del vf0 2>/dev/null || :
  kill "$SPACE" 2>/dev/null || :
}
slave_flag() { [ $(($(cat "/sys/class/net/$1/flags") & 0x800)) != 0 ]; }

test_virtual_function_takes_over_and_falls_back() {
  local device before sender round
  vf_here
  network_answers "at first"
  device=$(nic $NIC0)
  new_space
  function_comes
  slave_flag vf0 || fail "it is no slave"
  [ -e "/sys/class/net/$device/lower_vf0" ] || fail "it is not below the adapter"
  ! by_function || fail "frames go by a function that the host has not given"
  within 60 by_channels || fail "frames do not go by the channels any more"
  ask_host nic.vf name=nic0 present=true serial=5
  ! grep ' vf0$' /proc/net/if_inet6 || fail "it has an IPv6 address of its own"
  within 60 by_function || { dmesg | tail -n 20; fail "frames do not go by the function"; }
  before=$(counted "$device" packets)
  answers -c 100 -s 1400 10.0.2.2 || fail "nobody answers behind the function"
  [ "$(function_counter rx_packets)" -gt 0 ] || fail "what the function receives is not counted"
  # What the host sends to all comes by them now and then.
  [ "$(counted "$device" packets)" -lt $((before + 50)) ] || fail "frames go by the channels, too"

  # Nothing is lost when it goes down and comes up, is taken back and given.
  ping -A -c 2000 -W 10 -q 10.0.2.2 >/tmp/ping &
  sender=$!
  for round in 1 2 3; do
    ip link set vf0 down
    sleep 0.3
    ip link set vf0 up
    sleep 0.3
    ask_host nic.vf name=nic0 present=false
    sleep 0.3
    ask_host nic.vf name=nic0 present=true serial=5
    sleep 0.3
  done
  within 600 not_running $sender || fail "the sender does not end"
  cat /tmp/ping
  grep -q ' 0% packet loss' /tmp/ping || fail "frames are lost"
  ip link set vf0 down
  within 60 by_channels || fail "frames go by a function that is down"
  ip link set vf0 up
  within 60 by_function || fail "frames do not go by the function again"

  # It goes for good, while frames are sent.
  ping -A -c 500 -W 10 -q 10.0.2.2 >/tmp/ping &
  sender=$!
  sleep 0.2
  ip link del vf0
  within 600 not_running $sender || fail "the sender does not end"
  cat /tmp/ping
  grep -q ' 0% packet loss' /tmp/ping || fail "frames are lost"
  function_goes
  answers 10.0.2.2 || fail "the host does not answer any more"
  driver_is_calm
}
not_running() { ! kill -0 "$1" 2>/dev/null; }

flag_is() { [ $(($(cat "/sys/class/net/$1/flags") & $2)) = $(($3)) ]; }
address_is() { [ "$(cat "/sys/class/net/$1/address")" = "$2" ]; }

test_virtual_function_is_set_as_its_adapter() {
  local device before
  vf_here
  network_answers "at first"
  device=$(nic $NIC0)
  new_space
  function_comes
  ask_host nic.vf name=nic0 present=true serial=0
  within 60 by_function || fail "frames do not go by the function"
  ip link set "$device" mtu 1400
  mtu_is vf0 1400 || fail "its MTU is $(cat /sys/class/net/vf0/mtu)"
  within 60 by_function || fail "frames do not go by the function after a change of the MTU"
  ip link set "$device" mtu 1500
  within 60 by_function || fail "frames do not go by the function after another change of the MTU"
  ip link set "$device" promisc on
  flag_is vf0 0x100 0x100 || fail "it is not promiscuous"
  ip link set "$device" promisc off
  flag_is vf0 0x100 0 || fail "it is still promiscuous"
  ip link set "$device" down
  flag_is vf0 1 0 || fail "it is still up"
  ip link set "$device" address 00:15:5d:00:00:77
  address_is vf0 00:15:5d:00:00:77 || fail "its address is $(cat /sys/class/net/vf0/address)"
  ip link set "$device" address $NIC0
  address_is vf0 $NIC0 || fail "its address is $(cat /sys/class/net/vf0/address)"
  ip link set "$device" up
  flag_is vf0 1 1 || fail "it does not come up with the adapter"
  within 60 by_function || fail "frames do not go by the function after the adapter was down"
  xdp "$device" drop
  ! ping -c 2 -W 1 -q 10.0.2.2 || fail "the program does not see what the function receives"
  xdp "$device" off
  answers 10.0.2.2 || fail "nobody answers behind the function"
  function_goes
  within 60 by_channels
  driver_is_calm
}

test_virtual_function_is_found_after_a_reload() {
  vf_here
  network_answers "at first"
  new_space
  function_comes
  ask_host nic.vf name=nic0 present=true serial=5
  within 60 by_function || fail "frames do not go by the function"
  rmmod hv_netvsc || fail "hv_netvsc cannot be unloaded"
  [ ! -e /sys/class/net/vf0/master ] || fail "the function still has a master"
  ! slave_flag vf0 || fail "the function is still a slave"
  modprobe hv_netvsc vf_stand_in=1
  within 60 nic $NIC0 >/dev/null || fail "no network interface"
  within 60 joined || fail "the function was not found"
  ip link set "$(nic $NIC0)" up
  ip addr add 10.0.2.15/24 dev "$(nic $NIC0)"
  within 60 by_function || { dmesg | tail -n 20; fail "frames do not go by the function"; }
  function_goes
  network_answers "without a function"
  driver_is_calm
}

test_virtual_function_follows_into_a_namespace() {
  local device other peer
  vf_here
  network_answers "at first"
  device=$(nic $NIC0)
  new_space
  function_comes
  ask_host nic.vf name=nic0 present=true serial=5
  within 60 by_function || fail "frames do not go by the function"
  other=$SPACE
  new_space
  ip link set "$device" netns $SPACE
  followed() { [ ! -e /sys/class/net/vf0 ] && in_space ip link show dev vf0 >/dev/null 2>&1; }
  within 60 followed || fail "the function did not follow"
  in_space ip link show dev vf0
  in_space ip addr add 10.0.2.15/24 dev "$device"
  in_space ip link set "$device" up
  in_space ping -A -q -c 3 -W 10 10.0.2.2 || fail "nobody answers in the other namespace"
  # A veth goes with its namespace, a real function would come back with the adapter.
  kill $SPACE
  within 60 nic $NIC0 >/dev/null || fail "the adapter did not come back"
  SPACE=$other
  function_goes
  network_answers "back from a namespace that is gone"
  driver_is_calm
}

# sent_by QUEUE: frames that the function has sent by it.
sent_by() {
  tool /tools/bin/tc -s qdisc show dev vf0 | awk -v parent=":$(($1 + 1))$" '
    $1 == "qdisc" { here = $4 == "parent" && $5 ~ parent }
    here && $1 == "Sent" { print $4 + 0; exit }'
}
# by_queue QUEUE: all of a few frames go by the function and by that queue of it.
by_queue() {
  local before other
  before=$(sent_by "$1") other=$(sent_by $((1 - $1)))
  answers -c 5 10.0.2.2 || return 1
  [ "$(sent_by "$1")" -ge $((before + 5)) ] && [ "$(sent_by $((1 - $1)))" = "$other" ]
}
test_virtual_function_chooses_its_own_queues() {
  local queue
  vf_here
  [ "$CPUS" -ge 2 ] || skip "one CPU has one queue"
  network_answers "at first"
  new_space
  function_comes
  tool ethtool -L vf0 tx 2 || fail "it does not get two queues"
  tool /tools/bin/tc qdisc replace dev vf0 root mq || fail "no scheduler for two queues"
  ask_host nic.vf name=nic0 present=true serial=5
  within 60 by_function || fail "frames do not go by the function"
  for queue in 1 0; do
    echo 0 >/sys/class/net/vf0/queues/tx-$((1 - queue))/xps_cpus
    printf '%x\n' $(((1 << CPUS) - 1)) >/sys/class/net/vf0/queues/tx-$queue/xps_cpus
    within 30 by_queue $queue || {
      tool /tools/bin/tc -s qdisc show dev vf0
      fail "queue $queue is set for all CPUs, and others are used"
    }
  done
  function_goes
  within 60 by_channels
  driver_is_calm
}
