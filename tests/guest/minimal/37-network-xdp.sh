# SPDX-License-Identifier: GPL-2.0-only OR MIT
# XDP programs on an adapter (tests/guest/tools/xdp.cc puts them there). The adapter "xdp" is the
# host's echo: what it is sent comes back.
XDP=00:15:5d:00:00:30

# The in-tree driver is here to judge the tests: one session is enough for that.
xdp_here() {
  ours hv_netvsc || [ "$CPUS" = 1 ] ||
    skip "the in-tree driver judges these tests with one CPU alone"
}
# counted DEVICE NAME: the sum of the counters of that name over all queues: xdp_drop, packets.
counted() {
  tool ethtool -S "$1" | awk -v name="$2" '
    { sub(":", "", $1) }
    $1 ~ "^(r|t)x_queue_[0-9]+_" name "$" { sum += $2 }
    END { print sum + 0 }'
}
more_than() { [ "$(counted "$1" "$2")" -gt "$3" ]; }
# Has the kernel of this guest a new echo adapter; says its interface.
echo_adapter() {
  no_nic $XDP || { ask_host nic.remove name=xdp; within 60 no_nic $XDP; }
  ask_host nic.add net=echo,mac=$XDP name=xdp
  within 60 nic $XDP >/dev/null || fail "the adapter did not come"
  ip link set "$(nic $XDP)" up
  ip addr add 10.77.0.1/24 dev "$(nic $XDP)"
  within 60 carrier "$(nic $XDP)" 1 || fail "no carrier"
  no_lro "$(nic $XDP)"
  nic $XDP
}
# Programs do not go together with joined frames.
no_lro() { tool ethtool -K "$1" lro off || fail "LRO cannot be turned off"; }
# A few frames to everybody: nobody answers.
shout() { ping -i 0.2 -c "${1:-2}" -W 1 -q 10.77.0.9 >/dev/null || :; }
# counts_more DEVICE NAME BEFORE ADDRESS: the counter grows by what is sent there, or comes of it.
counts_more() {
  local device=$1 name=$2 before=$3
  ! ping -i 0.2 -c 2 -W 1 -q "$4" >/dev/null || echo "$4 answers" >>/tmp/answered
  more_than "$device" "$name" "$before"
}
# counts_while_silent DEVICE NAME BEFORE ADDRESS: the counter grows, and nobody answers.
counts_while_silent() {
  : >/tmp/answered
  within 60 counts_more "$@" && [ ! -s /tmp/answered ]
}

test_xdp_programs_pass_and_drop() {
  xdp_here
  local device before
  mount_tools
  network_answers "at first"
  device=$(nic $NIC0)
  no_lro "$device"
  xdp "$device" pass || fail "no program is taken"
  answers -s 1472 10.0.2.2 || fail "nothing passes"
  fetch
  before=$(counted "$device" xdp_drop)
  xdp "$device" drop || fail "the program is not replaced"
  counts_while_silent "$device" xdp_drop "$before" 10.0.2.2 ||
    fail "frames pass that are to be dropped, or are not counted: $(cat /tmp/answered)"
  xdp "$device" aborted || fail "the program is not replaced"
  before=$(counted "$device" xdp_drop)
  if ours hv_netvsc; then
    counts_while_silent "$device" xdp_drop "$before" 10.0.2.2 ||
      fail "frames pass whose program gives up, or are not counted: $(cat /tmp/answered)"
  else
    ! ping -i 0.2 -c 2 -W 1 -q 10.0.2.2 || fail "frames pass whose program gives up"
  fi
  xdp "$device" off || fail "the program does not go"
  answers 10.0.2.2 || fail "nothing passes without a program"
  fetch
  driver_is_calm
}

test_xdp_program_sends_frames_back() {
  xdp_here
  local device before
  mount_tools
  device=$(echo_adapter)
  before=$(counted "$device" xdp_tx)
  xdp "$device" tx
  # The host's echo sends it back again, so that one frame goes on and on: each time it was sent,
  # and came.
  shout
  within 120 more_than "$device" xdp_tx $((before + 100)) ||
    fail "$(counted "$device" xdp_tx) frames were sent back"
  xdp "$device" off
  before=$(counted "$device" xdp_tx)
  shout 1
  ! more_than "$device" xdp_tx "$before" || fail "frames are still sent back"
  ask_host nic.remove name=xdp
  within 60 no_nic $XDP || fail "the adapter did not go"
  driver_is_calm
}

received() { cat "/sys/class/net/$1/statistics/rx_packets"; }
received_more() { [ "$(received "$1")" -gt "$2" ]; }

# peer_of VETH: its other end, if it is in this namespace.
peer_of() {
  local device index
  index=$(cat "/sys/class/net/$1/ifindex")
  for device in /sys/class/net/*; do
    [ "$(cat "$device/iflink")" != "$index" ] || [ "$(basename "$device")" = "$1" ] ||
      basename "$device"
  done
}

test_xdp_program_redirects_frames() {
  xdp_here
  local device peer before
  mount_tools
  modprobe veth
  device=$(echo_adapter)
  ip link add xdp0 type veth
  peer=$(peer_of xdp0)
  ip link set xdp0 up
  ip link set "$peer" up
  # A veth takes redirected frames when its peer runs a program.
  xdp "$peer" pass
  before=$(received "$peer")
  xdp "$device" redirect=xdp0
  shout 3
  within 60 received_more "$peer" "$before" || fail "nothing arrived at the other interface"
  within 60 more_than "$device" xdp_redirect 0 || fail "what was redirected is not counted"
  xdp "$device" off

  # The other way: what the veth receives goes out by the adapter, and comes back from the host.
  xdp "$peer" redirect="$device"
  ip addr add 10.78.0.1/24 dev xdp0
  before=$(received "$device")
  ping -i 0.2 -c 3 -W 1 -q 10.78.0.9 || :
  within 60 more_than "$device" xdp_xmit 0 || fail "nothing was sent for another interface"
  within 60 received_more "$device" "$before" || fail "nothing came back"
  ip link del xdp0
  ask_host nic.remove name=xdp
  within 60 no_nic $XDP || fail "the adapter did not go"
  driver_is_calm
}

test_xdp_knows_its_limits() {
  xdp_here
  local device before
  mount_tools
  device=$(echo_adapter)
  ip link set "$device" mtu 9000
  ! xdp "$device" pass 2>/tmp/refused ||
    fail "a program is taken with an MTU that does not fit into a page"
  cat /tmp/refused
  grep -qi mtu /tmp/refused || fail "it is not said why: $(cat /tmp/refused)"
  ip link set "$device" mtu 1500
  xdp "$device" drop || fail "no program is taken"
  ! ip link set "$device" mtu 9000 || fail "an MTU is taken that does not fit into a page"
  mtu_is "$device" 1500 || fail "the MTU is $(cat "/sys/class/net/$device/mtu")"
  ip link set "$device" mtu 1400 || fail "no MTU of 1400"
  within 60 carrier "$device" 1 || fail "no carrier"
  before=$(counted "$device" xdp_drop)
  within 60 counts_more "$device" xdp_drop "$before" 10.77.0.9 ||
    fail "the program is lost with the change of the MTU"
  xdp "$device" off
  ask_host nic.remove name=xdp
  within 60 no_nic $XDP || fail "the adapter did not go"
}

test_xdp_programs_come_and_go_under_traffic() {
  xdp_here
  local device traffic round
  mount_tools
  network_answers "at first"
  device=$(nic $NIC0)
  no_lro "$device"
  (while :; do wget -q -O /dev/null http://10.0.2.2:8080/network || sleep 1; done) &
  traffic=$!
  for round in $(seq 10); do
    xdp "$device" pass || fail "round $round: no program is taken"
    sleep 0.3
    xdp "$device" drop || fail "round $round: the program is not replaced"
    xdp "$device" off || fail "round $round: the program does not go"
    sleep 0.3
  done
  kill $traffic
  wait $traffic || :
  xdp "$device" pass
  ip link set "$device" down
  ip link set "$device" up
  network_answers "down and up with a program"
  fetch
  xdp "$device" off
  driver_is_calm
}
