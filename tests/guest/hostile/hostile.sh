# SPDX-License-Identifier: GPL-2.0-only OR MIT
# A host that lies. For each of SEEDS: everything is loaded anew and works, then the host attacks it
# under I/O; afterwards the kernel must not have complained (run_test looks), must not have flooded
# its log, and must let all of it go.
ATTACK_SECONDS=5
# Of one attack: what is rate-limited in the drivers, and the SCSI layer's own about each error. As
# many again for each minute behind the first: limits of a rate let more through on a slow machine.
LINES_MOST=400
# The bus gives its host 100 s to answer the last message (core/vmbus/connection.hpp); what is under
# way before that has a minute.
UNLOADED_WITHIN=160
# too_many_lines LIMIT BEGIN: in the log of an attack that began at BEGIN, of seconds.
too_many_lines() {
  local minutes
  minutes=$(now)
  minutes=$(((${minutes%.*} - ${2%.*}) / 60))
  [ "$(dmesg | wc -l)" -gt $(($1 * (1 + minutes))) ] || return 1
  dmesg | cut -d ']' -f 2- | sort | uniq -c | sort -rn | head -n 20
}

works() {
  [ "$(timeout 120 dd if="$1" bs=64k count=16 iflag=direct 2>/dev/null | wc -c)" = 1048576 ]
}

# background COMMAND...: it may meet a host that does not answer, and is not waited for.
background() { ("$@" >/dev/null 2>&1 &) }
keep_reading() { while dd if="$1" of=/dev/null bs=64k iflag=direct; do :; done; }
keep_writing() { while dd if=/dev/zero of="$1" bs=16k count=512 oflag=direct; do :; done; }

load_all() {
  local block
  # What the host lied last may still wait for the bus.
  within 60 modprobe hv_vmbus || fail "the bus cannot be loaded"
  modprobe hv_storvsc || fail "the driver cannot be loaded"
  within 60 device $SCSI 0 >/dev/null || fail "no disk at LUN 0"
  within 60 test -b "$(scsi 0)" || fail "no block device"
  works "$(scsi 0)" || fail "the disk does not work with a host that does not lie"
  # A command that the host has lost is given up when its device is being removed, and its time is
  # over.
  for block in /sys/block/sd*; do echo 3 >"$block/device/timeout"; done
}

# Gives all up, lost requests too. What never ends here hangs: unloading has no other way out. A
# command of a scan that the host has lost keeps the module in use: its devices go first, then, as
# they would by hand. All at once, as the scan of one host waits for those of others.
unload() {
  local module device
  for module in hv_storvsc hv_netvsc hv_utils hv_balloon hv_vmbus; do
    [ -e "/sys/module/$module" ] || continue
    if ! rmmod $module; then
      for device in /sys/bus/vmbus/drivers/$module/*-*-*-*-*; do
        [ ! -e "$device" ] ||
          background sh -c "echo ${device##*/} >/sys/bus/vmbus/drivers/$module/unbind"
      done
      within 60 rmmod $module
    fi
  done
  : >/tmp/unloaded
}

attack() { # attack SEED
  local seed=$1 disk other begin host
  rm -f /tmp/unloaded
  load_all
  disk=$(scsi 0)
  other=$(scsi 1)
  kernel_is_calm || fail "the kernel complained before the attack"
  begin=$(now)
  ask_host hostile.start "seed=$seed" "rate=$((20 + seed % 5 * 60))"
  for _ in 1 2 3; do
    background keep_reading "$disk"
    background keep_writing "$other"
  done
  sleep 1
  ask_host disk.add "path=/tmp/guest/hot.raw" name=hot lun=9
  for host in /sys/class/scsi_host/host*; do background sh -c "echo '- - -' >$host/scan"; done
  sleep $((ATTACK_SECONDS - 1))
  ask_host disk.remove name=hot
  [ $((seed % 3)) != 0 ] || background unload
  sleep 1
  ask_host hostile.stop
  [ $((seed % 3)) = 0 ] || background unload
  within $UNLOADED_WITHIN test -e /tmp/unloaded || {
    cat /proc/[0-9]*/stack 2>/dev/null | head -n 60
    fail "the modules cannot be unloaded"
  }
  [ ! -e /sys/bus/vmbus ] || fail "the bus is still there"
  ! too_many_lines $LINES_MOST "$begin" || fail "$(dmesg | wc -l) lines in the log"
}

test_an_honest_host_is_served() {
  local module
  load_all
  for module in hv_vmbus hv_storvsc; do
    ! wanted $module || ours $module || fail "$module is not ours"
  done
  unload
}

# A test for each seed; that it is all right afterwards is the last one's.
for seed in $SEEDS; do eval "test_seed_$seed() { attack $seed; }"; done
test_an_honest_host_is_served_again() { load_all; }
TESTS="an_honest_host_is_served $(printf 'seed_%s ' $SEEDS) an_honest_host_is_served_again"
