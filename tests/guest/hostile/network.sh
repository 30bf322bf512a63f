# SPDX-License-Identifier: GPL-2.0-only OR MIT
# A host that lies to a network adapter, behind hostile.sh: for each of SEEDS the adapter is
# attacked under traffic, while it is opened anew, and while it is unloaded. It goes on, or it was
# closed and says so once; the kernel stays calm, and everything can be loaded anew.
GATEWAY=10.0.2.2
# Of one attack: rate-limited ones, and a line for each time that the adapter was closed and opened.
NIC_LINES_MOST=200

nic_works() { answers -c 1 -W 2 $GATEWAY >/dev/null 2>&1; }

# Who was changing the interface may have left it down.
nic_works_when_up() {
  local device
  device=$(nic $NIC0) || return 1
  ip link set "$device" up || return 1
  ip addr replace 10.0.2.15/24 dev "$device" || return 1
  nic_works
}

# It works, or the host has withdrawn it, as it may: then nothing brings it back.
nic_is_settled() { nic_works_when_up || ! nic $NIC0 >/dev/null; }

# The test before may have failed in the middle.
load_nic() {
  ask_host hostile.stop
  sleep 0.5
  [ ! -e /sys/bus/vmbus ] || unload
  # What the host lied last may still wait for the bus.
  within 60 modprobe hv_vmbus || fail "the bus cannot be loaded"
  modprobe hv_netvsc || fail "the network driver cannot be loaded"
  within 60 nic $NIC0 >/dev/null || fail "no adapter"
  within 60 nic_works_when_up || fail "nothing passes with a host that does not lie"
}

# All of these may meet an adapter that is closed this moment, or gone.
keep_pinging() {
  while :; do timeout 10 ping -A -q -c 200 -s "$1" -W 1 $GATEWAY || sleep 0.2; done
}
keep_fetching() {
  while :; do timeout 10 wget -q -O /dev/null http://$GATEWAY:8080/network || sleep 0.2; done
}
# Each change closes the adapter and opens it: the dialogues are lied to.
keep_opening() {
  local mtu
  set +e
  while :; do
    for mtu in 1400 1500; do
      ip link set "$1" mtu $mtu
      sleep 0.7
    done
    ip link set "$1" down
    ip link set "$1" up
    sleep 0.7
  done
}
stop_traffic() { # what is left of it ends by itself
  local pid
  for pid in $TRAFFIC; do kill "$pid" 2>/dev/null || :; done
}

attack_nic() { # attack_nic SEED
  local seed=$1 size device begin
  load_nic
  rm -f /tmp/unloaded
  device=$(nic $NIC0)
  kernel_is_calm || fail "the kernel complained before the attack"
  TRAFFIC=
  trap stop_traffic EXIT
  for size in 16 1472 5000; do keep_pinging $size >/dev/null 2>&1 & TRAFFIC="$TRAFFIC $!"; done
  keep_fetching >/dev/null 2>&1 & TRAFFIC="$TRAFFIC $!"
  sleep 1
  begin=$(now)
  ask_host hostile.start "seed=$seed" "rate=$((20 + seed % 5 * 60))"
  sleep 2
  keep_opening "$device" >/dev/null 2>&1 & TRAFFIC="$TRAFFIC $!"
  ask_host nic.link name=nic0 up=false
  sleep 1
  ask_host nic.link name=nic0 up=true
  sleep $((ATTACK_SECONDS - 2))
  stop_traffic
  if [ $((seed % 3)) = 0 ]; then
    background unload
    sleep 1
    ask_host hostile.stop
  else
    ask_host hostile.stop
    # Answers that were lost are waited for until their time is over; then the adapter is opened
    # anew, at intervals up to a minute (core/vmbus/lifecycle.hpp).
    if ! within 160 nic_is_settled; then
      dmesg | grep -E "hv_netvsc|vmbus" | tail -n 20
      ! nic $NIC0 >/dev/null ||
        dmesg | grep -q 'the adapter is closed\|the adapter does not open' ||
        fail "the adapter is there, was not closed, and does not work"
      echo "closed, and not open again: loaded anew"
    fi
    background unload
  fi
  within $UNLOADED_WITHIN test -e /tmp/unloaded || {
    cat /proc/[0-9]*/stack 2>/dev/null | head -n 60
    fail "the modules cannot be unloaded"
  }
  ! too_many_lines $NIC_LINES_MOST "$begin" || fail "$(dmesg | wc -l) lines in the log"
}

if wanted hv_netvsc; then
  test_a_nic_works_with_an_honest_host() {
    load_nic
    ours hv_netvsc || fail "hv_netvsc is not ours"
    unload
  }
  for seed in $SEEDS; do eval "test_nic_seed_$seed() { attack_nic $seed; }"; done
  test_a_nic_works_with_an_honest_host_again() {
    load_nic
    unload
  }
  TESTS="$(printf 'nic_seed_%s ' $SEEDS) a_nic_works_with_an_honest_host_again $TESTS"
  TESTS="a_nic_works_with_an_honest_host $TESTS"
fi

# Of all these, what --only names.
only_wanted() {
  local name pattern
  set -f
  for name in $TESTS; do
    for pattern in $ONLY; do
      # shellcheck disable=SC2254
      case $name in $pattern) echo "$name"; break ;; esac
    done
  done
  set +f
}
TESTS=$(only_wanted)
