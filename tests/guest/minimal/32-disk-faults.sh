# SPDX-License-Identifier: GPL-2.0-only OR MIT
# A host whose disks fail, are exchanged, or have large blocks. The disk at LUN 9 is the test's own.

# faulty_disk [key=value...]: the disk hot comes; sets DISK, and fills it when it is writable.
faulty_disk() {
  # What a test that failed has left.
  if device $SCSI 9 >/dev/null; then
    ask_host disk.remove name=other
    faulty_disk_goes
  fi
  ask_host disk.add path=/tmp/guest/hot.raw name=hot lun=9 "$@"
  within 60 device $SCSI 9 >/dev/null || fail "the disk did not come"
  DISK=$(scsi 9)
  within 20 has_sectors "$DISK" $((32 << 11)) || fail "$(sectors "$DISK") sectors"
  dd if=/dev/urandom of=/tmp/faulty bs=1M count=2 2>/dev/null
  dd if=/tmp/faulty of="$DISK" bs=64k oflag=direct 2>/dev/null || fail "it cannot be written"
}
faulty_disk_goes() {
  ask_host fault.set name=read-error value=0
  ask_host fault.set name=read-error-silent value=0
  ask_host disk.remove name=hot
  within 60 gone 9 || fail "the disk did not go"
}
# reads BLOCK: one read of 64 KiB, which is one command, past all caches.
reads() { dd if="$DISK" of=/tmp/block bs=64k skip="$1" count=1 iflag=direct 2>/tmp/dd; }
fails() { ! reads 0; }
reads_whole() { dd if="$DISK" bs=64k count=32 iflag=direct 2>/dev/null | cmp -s - /tmp/faulty; }
# failed_of COUNT: how many of so many reads fail.
failed_of() {
  local i failed=0
  for i in $(seq 0 $(($1 - 1))); do reads $((i % 32)) || failed=$((failed + 1)); done
  echo "$failed"
}
# log_is_bounded SINCE: no more lines have come than may since then. Of a failed read the driver,
# the SCSI layer and the block layer say some seven lines, ten times in five seconds at most.
log_is_bounded() {
  local lines seconds VALUE
  value_of /proc/uptime
  seconds=$((${VALUE%%.*} - $1))
  lines=$(dmesg | awk -F '[][]' -v since="$1" '$2 + 0 >= since' | wc -l)
  echo "$lines lines in $seconds s"
  [ "$lines" -le $((100 + 20 * seconds)) ] || { dmesg | tail -n 40; fail "the log is flooded"; }
}

test_reads_that_fail_with_sense_data_are_errors() {
  local DISK VALUE start
  faulty_disk
  value_of /proc/uptime
  start=${VALUE%%.*}
  (while :; do dd if=/dev/zero of="$(scsi 0)" bs=256k count=16 seek=800 conv=fsync 2>/dev/null ||
    exit 1; done) &
  ask_host fault.set name=read-error value=3 device=hot
  within 60 fails || fail "no read fails"
  [ "$(failed_of 30)" = 10 ] || fail "not each third read fails"
  ask_host fault.set name=read-error value=1 device=hot
  within 60 eval 'fails && fails && fails' || fail "not each read fails"
  [ "$(failed_of 100)" = 100 ] || fail "a read that failed is taken for one that did not"
  echo 3 >/proc/sys/vm/drop_caches
  ! cat "$DISK" >/tmp/block 2>/tmp/dd || fail "nobody is told"
  grep -q 'Input/output error' /tmp/dd || fail "it is told $(cat /tmp/dd)"
  log_is_bounded "$start"
  kill -0 $! || fail "the other disk was disturbed"
  kill $!
  wait $! || :
  reads_again
  faulty_disk_goes
}

# Nobody says why: the kernel tries them again, and gives up when that does not help.
test_reads_that_fail_without_sense_data_are_tried_again() {
  local DISK VALUE start
  faulty_disk
  value_of /proc/uptime
  start=${VALUE%%.*}
  ask_host fault.set name=read-error-silent value=1 device=hot
  within 60 fails || fail "no read fails"
  grep -q 'Input/output error' /tmp/dd || fail "it is told $(cat /tmp/dd)"
  [ "$(failed_of 50)" = 50 ] || fail "a read that failed is taken for one that did not"
  log_is_bounded "$start"
  ask_host fault.set name=read-error-silent value=3 device=hot
  within 60 reads_whole || fail "what was tried again is not whole"
  [ "$(failed_of 30)" = 0 ] || fail "a read is not tried again"
  log_is_bounded "$start"
  reads_again
  faulty_disk_goes
}

# The faults are over.
reads_again() {
  ask_host fault.set name=read-error value=0
  ask_host fault.set name=read-error-silent value=0
  within 60 reads_whole || fail "its reads still fail"
  [ "$(failed_of 10)" = 0 ] || fail "a read fails still"
}

# What the disk itself says when it is asked; what the kernel knows of it may be older.
serial() { tool sg_inq --page=0x80 "$DISK" | sed -n 's/.*serial number: *//p'; }
asked_has_sectors() {
  echo 1 >"/sys/block/${DISK#/dev/}/device/rescan"
  has_sectors "$DISK" "$1"
}

# is_another_disk SECTORS SERIAL: at LUN 9 there is a device of that size and of another serial
# number. It may have the name of the one before.
is_another_disk() {
  DISK=/dev/$(device $SCSI 9) && [ -b "$DISK" ] && has_sectors "$DISK" "$1" || return 1
  [ "$(serial)" != "$2" ]
}
# one_becomes_another ARGS SECTORS: who read from the one has an error, and the other is found.
one_becomes_another() {
  local reader serial
  serial=$(serial)
  (while dd if="$DISK" of=/dev/null bs=64k count=1 iflag=direct 2>/tmp/dd-beside; do :; done) &
  reader=$!
  sleep 1
  kill -0 $reader || fail "the disk cannot be read: $(cat /tmp/dd-beside)"
  # shellcheck disable=SC2086
  ask_host disk.replace $1
  within 60 eval "! kill -0 $reader 2>/dev/null" || fail "the old disk is still read"
  within 60 is_another_disk "$2" "$serial" || fail "$DISK: $(sectors "$DISK") sectors, $(serial)"
  dmesg | grep -q 'another disk has taken its place' || fail "nothing was said of it"
}

# A guest that looks only once finds something there. It has to see that it is another disk: whoever
# used the one before must not go on with this one.
test_another_disk_is_another_device() {
  local DISK
  wanted hv_storvsc || skip "the in-tree driver takes it for the old one"
  mount_tools
  faulty_disk
  one_becomes_another 'name=hot path=/tmp/guest/grow.raw as=other' $((16 << 11))
  [ "$(dd if="$DISK" bs=64k count=16 iflag=direct 2>/dev/null | tr -d '\000' | wc -c)" = 0 ] ||
    fail "the old disk's data are on the new one"
  one_becomes_another 'name=other path=/tmp/guest/hot.raw as=hot' $((32 << 11))
  reads_whole || fail "its data are not what they were"
  umount /tools
  faulty_disk_goes
}

# The in-tree driver goes on with what it knew. The disk says what it is when it is asked.
test_another_disk_takes_the_place_of_one_at_once() {
  local DISK serial
  ! wanted hv_storvsc || skip "ours takes it for another"
  mount_tools
  faulty_disk
  serial=$(serial)
  [ ${#serial} = 16 ] || fail "its serial number is '$serial'"
  (while dd if="$DISK" of=/dev/null bs=64k count=1 iflag=direct 2>/tmp/dd-beside; do :; done) &
  sleep 1
  kill -0 $! || fail "the disk cannot be read: $(cat /tmp/dd-beside)"
  ask_host disk.replace name=hot path=/tmp/guest/grow.raw as=other
  within 60 asked_has_sectors $((16 << 11)) || fail "$(sectors "$DISK") sectors, asked anew"
  [ "$(serial)" != "$serial" ] || fail "it says that it is the old one: $serial"
  kill -0 $! || { cat /tmp/dd-beside; fail "the place was empty for a while"; }
  kill $!
  wait $! || :
  [ "$(dd if="$DISK" bs=64k count=16 iflag=direct 2>/dev/null | tr -d '\000' | wc -c)" = 0 ] ||
    fail "the old disk's data are on the new one"
  ask_host disk.replace name=other path=/tmp/guest/hot.raw as=hot
  within 60 asked_has_sectors $((32 << 11)) || fail "$(sectors "$DISK") sectors, asked anew"
  [ "$(serial)" = "$serial" ] || fail "it is not the old one: $(serial)"
  reads_whole || fail "its data are not what they were"
  umount /tools
  faulty_disk_goes
}

test_a_disk_of_4096_byte_blocks_is_used() {
  local DISK name file
  faulty_disk block_size=4096
  name=${DISK#/dev/}
  for file in logical_block_size physical_block_size; do
    holds "/sys/block/$name/queue/$file" 4096 ||
      fail "$file is $(cat "/sys/block/$name/queue/$file")"
  done
  reads_whole || fail "it does not keep what is written"
  mount_tools
  tool fio --name=verify --filename="$DISK" --size=4M --rw=randwrite --bs=4k --ioengine=libaio \
    --direct=1 --iodepth=16 --verify=crc32c --verify_fatal=1 --do_verify=1 \
    --output-format=terse >/tmp/fio.out || {
    cat /tmp/fio.out
    fail "fio found an error"
  }
  umount /tools
  mkfs.ext4 -q -F "$DISK"
  mkdir -p /mnt/large
  mount "$DISK" /mnt/large
  cp /bin/busybox /mnt/large/
  umount /mnt/large
  e2fsck -f -n "$DISK"
  mount "$DISK" /mnt/large
  cmp /bin/busybox /mnt/large/busybox
  umount /mnt/large
  faulty_disk_goes
}
