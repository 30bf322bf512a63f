# SPDX-License-Identifier: GPL-2.0-only OR MIT
# hv_netvsc, the in-tree one or ours as the guest was made, on the adapter nic1: a TAP interface of
# the node (10.9.1.1, the other guest's is 10.9.2.1), which has an iperf3 server. The rate of each
# job is such that more is better. Says `@frames PAIR WHOSE JOB N`: frames both ways between the
# marks.

settings() {
  LD_LIBRARY_PATH=/tmp/tools/lib /tmp/tools/bin/ethtool "$@" || fail "refused: ethtool $*"
}

set_up() {
  local net
  if [ "$WHOSE" = enlighten ]; then
    ours hv_netvsc || fail "hv_netvsc is not ours"
  else
    [ -n "$AGAINST" ] || ! ours hv_netvsc || fail "hv_netvsc is ours"
  fi
  within 60 nic "$NIC1" >/dev/null || fail "no adapter"
  DEVICE=$(nic "$NIC1")
  ip link set "$DEVICE" up
  # A flow has one channel, and by chance that of the CPU that sends it or another's: with one
  # channel both drivers have the same.
  settings -L "$DEVICE" combined 1
  # Both take joined segments, and not only the one that asks the host for them by itself.
  settings -K "$DEVICE" lro off
  settings -K "$DEVICE" lro on
  for net in 1 2; do
    NODE=10.9.$net.1
    ip addr replace 10.9.$net.2/24 dev "$DEVICE"
    ! within 10 answers $NODE >/dev/null || return 0
    ip addr flush dev "$DEVICE"
  done
  fail "the node does not answer"
}

# Both ways, so far. Drivers count a large send as they like, so TCP is counted by its bytes, in
# full frames.
frames() {
  local what=packets size=1
  case $JOB in tcp-*) what=bytes size=1514 ;; esac
  cat "/sys/class/net/$DEVICE/statistics/rx_$what" "/sys/class/net/$DEVICE/statistics/tx_$what" |
    awk -v size=$size '{ n += $1 } END { print int(n / size) }'
}
# Hundredths of a second that all CPUs worked, interrupts included; frames so far.
net_sample() { echo "$(awk '$1 == "cpu" { print $2 + $3 + $4 + $7 + $8 }' /proc/stat) $(frames)"; }

iperf() {
  LD_LIBRARY_PATH=/tmp/tools/lib timeout $((TURN + 30)) \
    /tmp/tools/bin/iperf3 -c "$NODE" -t $TURN -f m "$@"
}
round_trips() { timeout $((TURN + 30)) ping -A -q -w $TURN "$NODE"; }

# What the receiver saw, from a command's output.
mbits() {
  awk '/receiver/ { for (i = 1; i <= NF; i++) if ($i == "Mbits/sec") print $(i - 1) }' /tmp/net.out
}
datagrams() {
  awk '/receiver/ {
    for (i = 1; i <= NF; i++) {
      if ($i == "sec") split($(i - 1), time, "-")
      if ($i ~ /^[0-9]+\/[0-9]+$/) split($i, lost, "/")
    }
    if (time[2] > time[1]) print (lost[2] - lost[1]) / (time[2] - time[1])
  }' /tmp/net.out
}
replies() {
  awk -v s=$TURN '/packets received/ {
    for (i = 1; i <= NF; i++) if ($i == "packets" && $(i + 1) ~ /^received/) print $(i - 1) / s
  }' /tmp/net.out
}

# A measurement is of several turns of that many seconds.
TURN=1
# measure_net JOB UNIT RATE COMMAND...: RATE reads the rate from the command's output
measure_net() {
  local label="$PAIR $WHOSE $1" unit=$2 rate=$3 all first left
  JOB=$1
  shift 3
  echo "@mark $label start"
  all=$(frames)
  for left in $(seq $((SECONDS_EACH / TURN))); do
    echo @turn
    read -r _ || exit 1
    first=$(net_sample)
    "$@" >/tmp/net.out 2>&1 || { cat /tmp/net.out; fail "it failed: $label"; }
    RATE=$($rate)
    [ -n "$RATE" ] || { cat /tmp/net.out; fail "no figure: $label"; }
    echo "$first $(net_sample)" | awk -v l="$label" -v r="$RATE" -v u="$unit" '{ n = $4 - $2
      print "@window " l " " r " " (n > 0 ? ($3 - $1) * 10000 / n : 0) " " u }'
  done
  echo "@frames $label $(($(frames) - all))"
  echo "@mark $label end"
}

set_up
# What TCP has under way is bounded on both sides (the node does so, too). Else it is as much as the
# receiver ever had room for, and whether that stays in the caches, which is chance, makes more of a
# difference than the driver.
echo "4096 131072 1048576" >/proc/sys/net/ipv4/tcp_wmem
for job in $JOBS; do
  case $job in
    tcp-out) measure_net tcp-out Mbit/s mbits iperf ;;
    tcp-in) measure_net tcp-in Mbit/s mbits iperf -R ;;
    ping-pong) measure_net ping-pong trips/s replies round_trips ;;
    udp-64-out) measure_net udp-64-out datagrams/s datagrams iperf -u -b 0 -l 64 ;;
    udp-64-in) measure_net udp-64-in datagrams/s datagrams iperf -u -b 0 -l 64 -R ;;
  esac
done
