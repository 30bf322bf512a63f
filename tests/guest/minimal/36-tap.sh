# SPDX-License-Identifier: GPL-2.0-only OR MIT
# The adapter nic1 is a TAP interface of the node (10.9.0.1 and, with VLAN tag 5, 10.9.5.1), which
# has an iperf3 server and takes frames of 9000 bytes. nic2, of the soak suite, is one that is
# bridged with a wire to 10.9.2.1, on which nothing is left to be cut or summed: what comes there is
# kept, and looked at with tshark after the session.

tap_nic() { nic $NIC1 || skip "the node has no TAP interface"; }
tap_up() {
  mount_tools
  ip link set "$1" up
  ip addr replace 10.9.0.2/24 dev "$1"
  within 60 answers 10.9.0.1 >/dev/null || fail "the node does not answer"
}
# tcp_counter FIELD: a counter of TCP's, as /proc/net/snmp has it.
tcp_counter() {
  awk -v name="$1" '
    $1 == "Tcp:" && !seen { for (i = 2; i <= NF; i++) if ($i == name) at = i; seen = 1; next }
    $1 == "Tcp:" { print $at }' /proc/net/snmp
}
# kilobits ARGS...: what an iperf3 client with them saw arrive, a second.
kilobits() {
  tool iperf3 -c 10.9.0.1 -f k "$@" >/tmp/iperf 2>&1 || { cat /tmp/iperf >&2; return 1; }
  awk '/receiver/ { for (i = 1; i <= NF; i++) if ($i == "Kbits/sec") print int($(i - 1)) }' \
    /tmp/iperf
}

# both_ways ARGS: something arrived each way in one second, which is long or short.
both_ways() {
  local figure
  # shellcheck disable=SC2086
  figure=$(kilobits -t 1 --bidir $1) && [ "$(echo "$figure" | grep -vcx 0)" = 2 ]
}

test_tap_network_carries_tcp_and_udp_both_ways() {
  local device way
  device=$(tap_nic)
  tap_up "$device"
  # Datagrams faster than a slow kernel takes them leave it no time for anything else.
  for way in "" "-u -b $((20000 / ${SLOW:-1}))K"; do
    within 120 both_ways "$way" || {
      cat /tmp/iperf
      fail "nothing arrived one way: iperf3 --bidir $way"
    }
  done
  [ "$(tcp_counter InCsumErrors)" = 0 ] || fail "wrong checksums: $(tcp_counter InCsumErrors)"
  driver_is_calm
}

test_tap_network_takes_jumbo_frames() {
  local device size
  device=$(tap_nic)
  tap_up "$device"
  ip link set "$device" mtu 9000
  within 60 answers 10.9.0.1 >/dev/null || fail "the node does not answer"
  for size in 1473 8000 8972; do answers -s $size 10.9.0.1 || fail "no answer to $size bytes"; done
  kilobits -n 2M -R || fail "no stream passes"
  ip link set "$device" mtu 1500
  within 60 answers 10.9.0.1 >/dev/null || fail "the node does not answer any more"
  driver_is_calm
}

# sum_of COUNTER DEVICE: of all queues, as ethtool says it: sum_of tx, sum_of rx.
sum_of() {
  tool ethtool -S "$2" | awk -v name="$1_queue_[0-9]+_packets:" '$1 ~ name { sum += $2 }
    END { print sum + 0 }'
}
# queues_agree DEVICE tx|rx: frames may come meanwhile.
queues_agree() {
  local VALUE before sum
  value_of "/sys/class/net/$1/statistics/$2_packets"
  before=$VALUE
  sum=$(sum_of "$2" "$1")
  value_of "/sys/class/net/$1/statistics/$2_packets"
  [ "$before" -le "$sum" ] && [ "$sum" -le "$VALUE" ]
}
# Counters belong to the CPUs that count, and are read by any.
test_tap_network_counters_are_read_under_traffic() {
  local device way
  device=$(tap_nic)
  tap_up "$device"
  for way in '' -R; do
    # shellcheck disable=SC2086
    tool iperf3 -c 10.9.0.1 -n 4M $way >/tmp/flood 2>&1 &
    while kill -0 $! 2>/dev/null; do
      tool ethtool -S "$device" >/dev/null
      cat /proc/net/dev >/dev/null
    done
    wait $! || { cat /tmp/flood; fail "no traffic"; }
  done
  within 60 queues_agree "$device" tx || fail "the interface sent what no queue did, or the reverse"
  within 60 queues_agree "$device" rx || fail "the interface got what no queue did, or the reverse"
}

test_tap_network_has_vlans() {
  local device
  device=$(tap_nic)
  tap_up "$device"
  modprobe 8021q
  vconfig add "$device" 5
  ip link set "$device.5" up
  ip addr add 10.9.5.2/24 dev "$device.5"
  within 60 answers 10.9.5.1 >/dev/null || { ip addr; fail "the node does not answer on the VLAN"; }
  answers -s 1472 10.9.5.1 || fail "no full frame passes on the VLAN"
  tool iperf3 -c 10.9.5.1 -n 2M >/tmp/iperf || {
    cat /tmp/iperf
    fail "no stream passes on the VLAN"
  }
  vconfig rem "$device.5"
  driver_is_calm
}

# The node sends to a group, and to an address that is not the guest's, one frame each by turns.
# frames_came DEVICE: sets TO_GROUPS to the frames for groups since `groups`, TO_OTHERS to the
# others since `all`.
frames_came() {
  local VALUE
  value_of "/sys/class/net/$1/statistics/multicast"; TO_GROUPS=$((VALUE - groups))
  value_of "/sys/class/net/$1/statistics/rx_packets"; TO_OTHERS=$((VALUE - all - TO_GROUPS))
}
# Ten of one kind came, whenever that is.
ten_to_groups() { frames_came "$1"; [ "$TO_GROUPS" -ge 10 ]; }
ten_to_others() { frames_came "$1"; [ "$TO_OTHERS" -ge 10 ]; }
count_from_here() {
  groups=$(cat "/sys/class/net/$1/statistics/multicast")
  all=$(cat "/sys/class/net/$1/statistics/rx_packets")
}
test_tap_network_hears_groups_and_when_asked_all() {
  local device groups all TO_GROUPS TO_OTHERS
  device=$(tap_nic)
  tap_up "$device"
  count_from_here "$device"
  within 120 ten_to_groups "$device" || fail "$TO_GROUPS frames to groups"
  # As many were sent to the stranger. A few that are for this adapter may have come besides.
  [ "$TO_OTHERS" -lt 5 ] || fail "$TO_OTHERS frames that are not for this adapter"
  ip link set "$device" promisc on
  count_from_here "$device"
  within 120 ten_to_others "$device" || fail "promiscuous, it gets $TO_OTHERS frames of others"
  ip link set "$device" promisc off
  driver_is_calm
}

# The file that is fetched to count frames: its bytes, and the frames of TCP that they need when
# none is joined; more, when some are lost or not full, and never fewer.
FETCHED=$((2 << 20))
SEGMENTS=$((FETCHED / 1460))
# frames_of_a_file DEVICE: how many frames came while the file was fetched, whole.
frames_of_a_file() {
  local before
  wget -q -O /tmp/network.md5 http://10.9.0.1:8080/network.md5 || return 1
  before=$(cat "/sys/class/net/$1/statistics/rx_packets")
  wget -q -O /tmp/network http://10.9.0.1:8080/network || return 1
  FRAMES=$(($(cat "/sys/class/net/$1/statistics/rx_packets") - before))
  [ "$(wc -c </tmp/network)" = "$FETCHED" ] &&
    [ "$(md5sum </tmp/network | cut -c 1-32)" = "$(cut -c 1-32 /tmp/network.md5)" ]
}
# How many segments a host joins is chance; that it joins none in all of the file is not.
joined_frames_come() { frames_of_a_file "$1" && [ "$FRAMES" -lt "$SEGMENTS" ]; }
# TCP looks at how long segments are said to be, once; a kernel that does not say so is content.
tcp_is_content() { ! dmesg | grep 'suspect GRO'; }
test_tap_network_takes_joined_segments() {
  local device FRAMES=none
  device=$(tap_nic)
  tap_up "$device"
  tool ethtool -K "$device" lro off || fail "LRO cannot be turned off"
  frames_of_a_file "$device" || fail "the file does not come as it is, with LRO off"
  [ "$FRAMES" -ge "$SEGMENTS" ] || fail "$FRAMES frames for $SEGMENTS segments, with LRO off"
  tool ethtool -K "$device" lro on || fail "LRO cannot be turned on"
  within 120 joined_frames_come "$device" ||
    fail "$FRAMES frames for $SEGMENTS segments, with LRO on"
  [ "$(tcp_counter InCsumErrors)" = 0 ] || fail "wrong checksums: $(tcp_counter InCsumErrors)"
  ! ours hv_netvsc || tcp_is_content || fail "TCP takes joined frames for too long segments"
  driver_is_calm
}

# redirect FROM TO: by tc (not busybox's), all that FROM receives goes out by TO.
redirect() {
  tool /tools/bin/tc qdisc add dev "$1" clsact
  tool /tools/bin/tc filter add dev "$1" ingress matchall action mirred egress redirect dev "$2"
}
# joined_frames_pass DEVICE VETH: some come while a file is fetched behind VETH, and it drops none.
joined_frames_pass() {
  in_space wget -q -O /tmp/network.md5 http://10.9.0.1:8080/network.md5 || return 1
  before=$(cat "/sys/class/net/$1/statistics/rx_packets")
  in_space wget -q -O /tmp/network http://10.9.0.1:8080/network || return 1
  FRAMES=$(($(cat "/sys/class/net/$1/statistics/rx_packets") - before))
  holds "/sys/class/net/$2/statistics/tx_dropped" 0 || return 0
  [ "$(md5sum </tmp/network | cut -c 1-32)" = "$(cut -c 1-32 /tmp/network.md5)" ] &&
    [ "$FRAMES" -lt "$SEGMENTS" ]
}
test_tap_network_redirects_joined_segments() {
  ours hv_netvsc || skip "the in-tree driver does not say how joined frames are cut"
  local device peer module before offload FRAMES=none
  device=$(tap_nic)
  tap_up "$device"
  for module in veth sch_ingress cls_matchall act_mirred; do modprobe $module; done
  tool ethtool -K "$device" lro on || fail "LRO cannot be turned on"
  # Behind the adapter is a namespace, which has its address and all its frames.
  new_space
  ip link add joined0 type veth
  peer=$(peer_of joined0)
  ip link set "$peer" address "$NIC1"
  ip link set "$peer" netns "$SPACE"
  ip addr flush dev "$device"
  in_space ip addr add 10.9.0.2/24 dev "$peer"
  in_space ip link set "$peer" up
  ip link set joined0 up
  redirect "$device" joined0
  redirect joined0 "$device"
  # As they are, then cut by software.
  for offload in on off; do
    tool ethtool -K joined0 tso $offload gso $offload || fail "tso $offload is refused"
    within 120 joined_frames_pass "$device" joined0 ||
      fail "$FRAMES frames for $SEGMENTS segments came to the other side, tso $offload"
    holds /sys/class/net/joined0/statistics/tx_dropped 0 ||
      fail "$(cat /sys/class/net/joined0/statistics/tx_dropped) frames were dropped, tso $offload"
  done
  tool /tools/bin/tc qdisc del dev "$device" clsact
  ip link del joined0
  kill "$SPACE"
  tap_up "$device"
  driver_is_calm
}

# ip_counter FIELD: a counter of IP's, as /proc/net/snmp has it.
ip_counter() {
  awk -v name="$1" '
    $1 != "Ip:" { next }
    !seen { for (i = 2; i <= NF; i++) if ($i == name) at = i; seen = 1; next }
    { print $at }' /proc/net/snmp
}
# fault_struck NAME: by now the host has done that.
fault_struck() { [ "$(strikes_of "$1")" -gt 0 ]; }
# Hosts that join segments need not sum the IPv4 header up anew: they say that it was good.
test_tap_network_takes_joined_segments_with_a_stale_header_sum() {
  local device before
  device=$(tap_nic)
  tap_up "$device"
  tool ethtool -K "$device" lro on || fail "LRO cannot be turned on"
  ask_host fault.set name=rsc-stale-sum value=1 device=nic1
  before=$(ip_counter InHdrErrors)
  wget -q -O /tmp/large.md5 http://10.9.0.1:8080/large.md5 || fail "wget"
  wget -q -O /tmp/large http://10.9.0.1:8080/large &
  while kill -0 $! 2>/dev/null; do
    [ "$(ip_counter InHdrErrors)" = "$before" ] || { kill $!; break; }
    sleep 0.2
  done
  [ "$(ip_counter InHdrErrors)" = "$before" ] ||
    fail "frames have a wrong header: $(($(ip_counter InHdrErrors) - before))"
  [ "$(md5sum </tmp/large | cut -c 1-32)" = "$(cut -c 1-32 /tmp/large.md5)" ] ||
    fail "the file is damaged"
  rm /tmp/large
  # Else nothing was tried.
  within 30 fault_struck rsc-stale-sum || fail "the host has joined nothing"
  ask_host fault.set name=rsc-stale-sum value=0
  driver_is_calm
}

test_wire_gets_whole_frames() {
  local device tso
  device=$(nic $NIC2) || skip "the node has no wire"
  mount_tools
  ip link set "$device" up
  ip addr replace 10.9.2.2/24 dev "$device"
  ip -6 addr replace fd09::2/64 dev "$device"
  within 60 answers 10.9.2.1 >/dev/null || fail "the node does not answer"
  within 60 answers fd09::1 >/dev/null || fail "the node does not answer by IPv6"
  for tso in off on; do
    tool ethtool -K "$device" tso $tso || fail "tso $tso is refused"
    tool iperf3 -c 10.9.2.1 -n 4M >/tmp/iperf || { cat /tmp/iperf; fail "TCP with tso $tso"; }
    tool iperf3 -c fd09::1 -n 4M >/tmp/iperf || {
      cat /tmp/iperf
      fail "TCP over IPv6 with tso $tso"
    }
  done
  tool iperf3 -c 10.9.2.1 -u -b 20M -n 1M >/tmp/iperf || { cat /tmp/iperf; fail "UDP"; }
  tool iperf3 -c fd09::1 -u -b 20M -l 1400 -n 1M >/tmp/iperf || {
    cat /tmp/iperf
    fail "UDP over IPv6"
  }
  driver_is_calm
}
