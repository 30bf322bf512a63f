# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Pairs of measurements: the in-tree hv_netvsc and ours in turns, on the adapter nic1, a TAP interface of the node (10.9.0.1) that has an
# iperf3 server; PAIRS is set before. Says `@result PAIR WHOSE JOB RATE PACKETS_PER_S CPU_US UNIT`, the rate of each
# job such that more is better, and `@frames PAIR WHOSE JOB N`: frames both ways between the marks.

settings() { LD_LIBRARY_PATH=/tmp/tools/lib /tmp/tools/bin/ethtool "$@" || { echo "refused: ethtool $*"; exit 1; }; }

load_netvsc() { # load_netvsc inbox|enlighten
  local modules
  modules=/lib/modules/$(uname -r)
  [ ! -e /sys/module/hv_netvsc ] || rmmod hv_netvsc
  case $1 in
    inbox) insmod "$modules/kernel/drivers/net/hyperv/hv_netvsc.ko" ;;
    *) insmod "$modules/updates/hv_netvsc.ko" ;;
  esac
  within 60 nic "$NIC1" >/dev/null || { echo "no adapter with $1"; exit 1; }
  DEVICE=$(nic "$NIC1")
  ip link set "$DEVICE" up
  # A flow has one channel, and by chance that of the CPU that sends it or another's: with one channel both drivers have the same.
  settings -L "$DEVICE" combined 1
  # Both take joined segments, and not only the one that asks the host for them by itself.
  settings -K "$DEVICE" lro off
  settings -K "$DEVICE" lro on
  ip addr replace 10.9.0.2/24 dev "$DEVICE"
  within 20 answers 10.9.0.1 >/dev/null || { echo "the node does not answer with $1"; exit 1; }
  sleep 1
}

# Both ways, so far. Drivers count a large send as they like, so TCP is counted by its bytes, in full frames.
frames() {
  local what=packets size=1
  case $JOB in tcp-*) what=bytes size=1514 ;; esac
  cat "/sys/class/net/$DEVICE/statistics/rx_$what" "/sys/class/net/$DEVICE/statistics/tx_$what" | awk -v size=$size '{ n += $1 } END { print int(n / size) }'
}
# Hundredths of a second that all CPUs worked, interrupts included; frames so far; now, in seconds.
net_sample() { echo "$(awk '$1 == "cpu" { print $2 + $3 + $4 + $7 + $8 }' /proc/stat) $(frames) $(now)"; }

iperf() { LD_LIBRARY_PATH=/tmp/tools/lib timeout $((SECONDS_EACH + 30)) /tmp/tools/bin/iperf3 -c 10.9.0.1 -t $((SECONDS_EACH + 2)) -f m "$@"; }
round_trips() { timeout $((SECONDS_EACH + 30)) ping -A -q -w $((SECONDS_EACH + 2)) 10.9.0.1; }

# What the receiver saw, from a command's output.
mbits() { awk '/receiver/ { for (i = 1; i <= NF; i++) if ($i == "Mbits/sec") print $(i - 1) }' /tmp/net.out; }
datagrams() { awk '/receiver/ { for (i = 1; i <= NF; i++) { if ($i == "sec") split($(i - 1), time, "-"); if ($i ~ /^[0-9]+\/[0-9]+$/) split($i, lost, "/") }
  if (time[2] > time[1]) print (lost[2] - lost[1]) / (time[2] - time[1]) }' /tmp/net.out; }
replies() { awk -v s=$((SECONDS_EACH + 2)) '/packets received/ { for (i = 1; i <= NF; i++) if ($i == "packets" && $(i + 1) ~ /^received/) print $(i - 1) / s }' /tmp/net.out; }

measure_net() { # measure_net PAIR WHOSE JOB UNIT RATE COMMAND...: RATE reads the rate from the command's output
  local label="$1 $2 $3" unit=$4 rate=$5 all first last command
  JOB=$3
  shift 5
  undisturbed
  echo "@mark $label start"
  sleep 1
  all=$(frames)
  "$@" >/tmp/net.out 2>&1 &
  command=$!
  within 30 eval '[ "$(frames)" -gt "$((all + 20))" ]' || { cat /tmp/net.out; echo "no traffic: $label"; exit 1; }
  sleep 1
  # In the middle of the run: the command's own start and end are not in it.
  first=$(net_sample)
  sleep $((SECONDS_EACH - 1))
  last=$(net_sample)
  wait "$command" || { cat /tmp/net.out; echo "it failed: $label"; exit 1; }
  sleep 0.5
  echo "@frames $label $(($(frames) - all))"
  rate=$($rate)
  [ -n "$rate" ] || { cat /tmp/net.out; echo "no figure: $label"; exit 1; }
  echo "$first $last" | awk -v l="$label" -v r="$rate" -v u="$unit" '{ n = $5 - $2; s = $6 - $3
    print "@result " l " " r " " (s > 0 ? n / s : 0) " " (n > 0 ? ($4 - $1) * 10000 / n : 0) " " u }'
  echo "@mark $label end"
  sleep 1
}

for PAIR in $(seq "$PAIRS"); do
  for driver in $(turns "$PAIR"); do
    load_netvsc "$driver"
    measure_net "$PAIR" "$driver" tcp-out Mbit/s mbits iperf
    measure_net "$PAIR" "$driver" tcp-in Mbit/s mbits iperf -R
    measure_net "$PAIR" "$driver" ping-pong trips/s replies round_trips
    measure_net "$PAIR" "$driver" udp-64-out datagrams/s datagrams iperf -u -b 0 -l 64
    measure_net "$PAIR" "$driver" udp-64-in datagrams/s datagrams iperf -u -b 0 -l 64 -R
  done
done
