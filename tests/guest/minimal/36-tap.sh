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
  within 10 answers 10.9.0.1 >/dev/null || fail "the node does not answer"
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

test_tap_network_carries_tcp_and_udp_both_ways() {
  local device way figure
  device=$(tap_nic)
  tap_up "$device"
  for way in "" "-u -b 20M"; do
    # shellcheck disable=SC2086
    figure=$(kilobits -t 1 --bidir $way) || fail "iperf3 $way"
    [ "$(echo "$figure" | grep -vcx 0)" = 2 ] || {
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
  within 10 answers 10.9.0.1 >/dev/null || fail "the node does not answer"
  for size in 1473 8000 8972; do answers -s $size 10.9.0.1 || fail "no answer to $size bytes"; done
  [ "$(kilobits -t 1 -R)" -gt 0 ] || fail "nothing arrived"
  ip link set "$device" mtu 1500
  within 10 answers 10.9.0.1 >/dev/null || fail "the node does not answer any more"
  driver_is_calm
}

test_tap_network_has_vlans() {
  local device
  device=$(tap_nic)
  tap_up "$device"
  modprobe 8021q
  vconfig add "$device" 5
  ip link set "$device.5" up
  ip addr add 10.9.5.2/24 dev "$device.5"
  within 10 answers 10.9.5.1 >/dev/null || { ip addr; fail "the node does not answer on the VLAN"; }
  answers -s 1472 10.9.5.1 || fail "no full frame passes on the VLAN"
  tool iperf3 -c 10.9.5.1 -t 1 >/tmp/iperf || {
    cat /tmp/iperf
    fail "no stream passes on the VLAN"
  }
  vconfig rem "$device.5"
  driver_is_calm
}

# The node sends to a group, and to an address that is not the guest's, five times a second each.
# frames_in_2_seconds DEVICE: sets TO_GROUPS to those for groups, TO_OTHERS to the others
frames_in_2_seconds() {
  local VALUE groups others
  value_of "/sys/class/net/$1/statistics/multicast"; groups=$VALUE
  value_of "/sys/class/net/$1/statistics/rx_packets"; others=$VALUE
  sleep 2
  value_of "/sys/class/net/$1/statistics/multicast"; TO_GROUPS=$((VALUE - groups))
  value_of "/sys/class/net/$1/statistics/rx_packets"; TO_OTHERS=$((VALUE - others - TO_GROUPS))
}
test_tap_network_hears_groups_and_when_asked_all() {
  local device TO_GROUPS TO_OTHERS
  device=$(tap_nic)
  tap_up "$device"
  frames_in_2_seconds "$device"
  [ "$TO_GROUPS" -ge 4 ] || fail "$TO_GROUPS frames to groups"
  [ "$TO_OTHERS" -lt 4 ] || fail "$TO_OTHERS frames that are not for this adapter"
  ip link set "$device" promisc on
  frames_in_2_seconds "$device"
  ip link set "$device" promisc off
  [ "$TO_OTHERS" -ge 4 ] || fail "promiscuous, it gets $TO_OTHERS frames of others"
  driver_is_calm
}

# mean_frame DEVICE COMMAND...: bytes of a frame that comes meanwhile. Both counters are of one
# moment: some come when the command has ended.
mean_frame() {
  local device=$1 before
  shift
  before=$(counters_of "$device")
  "$@" >&2
  echo "$before $(counters_of "$device")" | awk '{ print int(($3 - $1) / ($4 - $2)) }'
}
counters_of() { sed -n "s/^ *$1: *\([0-9]*\)  *\([0-9]*\) .*/\1 \2/p" /proc/net/dev; }
test_tap_network_takes_joined_segments() {
  local device mean
  device=$(tap_nic)
  tap_up "$device"
  tool ethtool -K "$device" lro off || fail "LRO cannot be turned off"
  mean=$(mean_frame "$device" kilobits -t 1 -R)
  [ "$mean" -gt 1000 ] && [ "$mean" -le 1514 ] || fail "$mean bytes in a frame, with LRO off"
  tool ethtool -K "$device" lro on || fail "LRO cannot be turned on"
  mean=$(mean_frame "$device" kilobits -t 1 -R)
  [ "$mean" -gt 3000 ] || fail "$mean bytes in a frame, with LRO on"
  rm -f /tmp/network /tmp/network.md5
  wget -q -O /tmp/network.md5 http://10.9.0.1:8080/network.md5 &&
    wget -q -O /tmp/network http://10.9.0.1:8080/network || fail "wget"
  [ "$(md5sum </tmp/network | cut -c 1-32)" = "$(cut -c 1-32 /tmp/network.md5)" ] ||
    fail "the file is damaged"
  [ "$(tcp_counter InCsumErrors)" = 0 ] || fail "wrong checksums: $(tcp_counter InCsumErrors)"
  driver_is_calm
}

test_wire_gets_whole_frames() {
  local device tso
  device=$(nic $NIC2) || skip "the node has no wire"
  mount_tools
  ip link set "$device" up
  ip addr replace 10.9.2.2/24 dev "$device"
  ip -6 addr replace fd09::2/64 dev "$device"
  within 20 answers 10.9.2.1 >/dev/null || fail "the node does not answer"
  within 20 answers fd09::1 >/dev/null || fail "the node does not answer by IPv6"
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
