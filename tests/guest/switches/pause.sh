# SPDX-License-Identifier: GPL-2.0-only OR MIT
# All vCPUs stand still for 35 s, more than the limits of most waits, while time and the host's
# devices go on: as when a host is overcommitted, or saved. Nothing that was under way may be lost
# by it, and no driver may hold the time against its host.

# pause: until the clock has jumped, so that two looks at it are far apart.
pause() {
  local VALUE last end
  value_of /proc/uptime
  last=${VALUE%%.*} end=$((${VALUE%%.*} + 300))
  ask_host machine.pause seconds=35
  while value_of /proc/uptime && [ $((${VALUE%%.*} - last)) -lt 30 ]; do
    last=${VALUE%%.*}
    [ "$last" -lt $end ] || return 1
    sleep 0.1
  done
}

# Each for as long as /tmp/load is there; what fails is said in /tmp/broken.
load() {
  while [ -e /tmp/load ]; do "$@" >/dev/null 2>&1 || echo "$*" >>/tmp/broken; done &
}
write_and_look() {
  dd if=/tmp/random of="$1" bs=64k oflag=direct && dd if="$1" bs=64k count=64 iflag=direct |
    cmp - /tmp/random
}
reopen() { ip link set "$1" mtu 1400 && ip link set "$1" mtu 1500; }
# It may be cut off by what comes between: that it goes on is looked at by answers.
flood() { tool iperf3 -c 10.9.0.1 -u -b 0 -t 5 || :; }

# The kernel's own watchdogs are right: their CPU did not run. They are not what is tested here.
no_watchdogs() {
  echo 0 >/proc/sys/kernel/watchdog
  echo 1 >/sys/module/rcupdate/parameters/rcu_cpu_stall_suppress
}

test_a_pause_under_load_disturbs_nothing() {
  local disk other
  network_comes_up
  disk=$(scsi 0) other=$(scsi 1)
  dd if=/dev/urandom of=/tmp/random bs=1M count=4 2>/dev/null
  dmesg >/tmp/before
  no_watchdogs
  rm -f /tmp/broken
  touch /tmp/load
  load write_and_look "$disk"
  load write_and_look "$other"
  load reopen "$(nic $NIC0)"
  if nic $NIC1 >/dev/null; then
    tap_up "$(nic $NIC1)"
    load flood
  fi
  pause || fail "the clock did not jump"
  # What has a limit comes to it now, if it counts the pause.
  sleep 5
  rm /tmp/load
  wait
  [ ! -e /tmp/broken ] || fail "failed: $(sort /tmp/broken | uniq -c)"
  some_io || fail "the disk does not answer any more"
  answers 10.0.2.2 || fail "nothing passes any more"
  ! nic $NIC1 >/dev/null || answers 10.9.0.1 || fail "nothing passes on nic1 any more"
  ! dmesg | grep -v -F -f /tmp/before |
    grep -E 'I/O error|timing out|timed out|is closed|does not answer|completes nothing|reset' ||
    fail "something was given up"
}
