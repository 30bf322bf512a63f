# SPDX-License-Identifier: GPL-2.0-only OR MIT

# any FILE...: whether the first is there, as when a pattern was given that matches something.
any() { [ -e "$1" ]; }

# Unloads the MODULEs in this order, if loaded, and loads them again in the opposite one. ROUND is
# for the messages.
reload() { # reload ROUND MODULE...
  local round=$1 module loaded=''
  shift
  for module in "$@"; do
    [ -e "/sys/module/$module" ] || continue
    unload "$module" || fail "round $round: $module cannot be unloaded"
    loaded="$module $loaded"
  done
  ! any /sys/block/sd* || fail "round $round: a disk is still there"
  case " $* " in
    *' hv_vmbus '*) [ ! -e /sys/bus/vmbus ] || fail "round $round: the bus is still there" ;;
  esac
  for module in $loaded; do
    modprobe "$module" || fail "round $round: $module cannot be loaded"
  done
}

# Reloads ROUNDS times; each time the file system has to be whole and to have all that was written
# before.
reload_and_look() { # reload_and_look ROUNDS MODULE...
  local rounds=$1 disk round
  shift
  umount -a -t ext4,iso9660 2>/dev/null || :
  disk=$(scsi 0)
  mkfs.ext4 -q -F "$disk" 65536
  mkdir -p /mnt/fs
  for round in $(seq "$rounds"); do
    mount "$disk" /mnt/fs
    echo "round $round" >>/mnt/fs/rounds
    umount /mnt/fs
    reload "$round" "$@"
    within 60 device $SCSI 0 >/dev/null || fail "round $round: no disk came back"
    disk=$(scsi 0)
    within 60 test -b "$disk"
    e2fsck -f -n "$disk" >/tmp/fsck 2>&1 || {
      cat /tmp/fsck
      fail "round $round: the file system is damaged"
    }
  done
  mount "$disk" /mnt/fs
  [ "$(wc -l </mnt/fs/rounds)" = "$rounds" ] || fail "rounds are lost: $(cat /mnt/fs/rounds)"
  umount /mnt/fs
}

# Where a bus and a driver of different houses meet, a few rounds are enough.
test_the_storage_driver_reloads() {
  local rounds=20
  case $DRIVERS in *,*) rounds=5 ;; esac
  reload_and_look "${RELOADS:-$rounds}" hv_storvsc
}

bus_can_go() {
  ours hv_vmbus || skip "unloading the in-tree bus takes the clock events with it for good"
}

test_the_bus_and_all_its_drivers_reload() {
  bus_can_go
  # Not hv_balloon: these kernels never let it go, nor with it the bus.
  for module in hv_utils hv_netvsc; do modprobe $module; done
  reload_and_look "${RELOADS:-10}" hv_storvsc hv_utils hv_netvsc hv_vmbus
  for module in hv_utils hv_netvsc; do rmmod $module; done
}

# The driver is still looking for disks, or the bus has just met its devices, when it is told to go.
test_modules_unload_while_devices_are_probed() {
  local round
  umount -a -t ext4,iso9660 2>/dev/null || :
  for round in $(seq 10); do
    unload hv_storvsc || fail "round $round: hv_storvsc cannot be unloaded"
    modprobe hv_storvsc
  done
  ! ours hv_vmbus || for round in $(seq 5); do
    reload "$round" hv_storvsc hv_vmbus
  done
  within 60 device $SCSI 0 >/dev/null || fail "no disk came back"
  some_io || fail "the disk does not answer any more"
}
