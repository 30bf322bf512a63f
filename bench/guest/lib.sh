# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Runs in each of two minimal guests that take turns (bench/guest/node), behind
# tests/guest/minimal/00-lib.sh. What the benchmarks in a guest share. PAIR, WHOSE (what this guest
# measures: inbox or enlighten) and SECONDS_EACH are set before.
# A guest works only while it has the turn: from the start until it says `@turn`, and again from the
# line that it then reads.
# Says `@window PAIR WHOSE JOB RATE CPU_US [UNIT]` of each turn that it has measured in;
# `@mark PAIR WHOSE JOB start|end` asks the node for the host's counters.

mount_tools
mkdir -p /tmp/tools
cp -a /tools/bin /tools/lib /tmp/tools/
umount /tools

reads() { awk '{ print $1 }' "/sys/block/$DISK/stat"; }

measure() { # measure JOB fio-options...: in turns of a quarter of a second
  local label="$PAIR $WHOSE $1" before fio
  shift
  DISK=$(within 30 device $SCSI 0)
  echo "@mark $label start"
  before=$(reads)
  # In a thread of its own, not in a process: so it is stopped with its parent.
  LD_LIBRARY_PATH=/tmp/tools/lib /tmp/tools/bin/fio --thread --name=b --filename="/dev/$DISK" \
    --direct=1 --ioengine=libaio --readonly --size=192M \
    --time_based --runtime=3600 --randrepeat=1 --norandommap "$@" >/tmp/fio.out 2>&1 &
  fio=$!
  within 30 eval '[ "$(reads)" -gt "$((before + 10))" ]' || { cat /tmp/fio.out; exit 1; }
  sleep 0.5
  kill -STOP "$fio"
  /tmp/tools/bin/turns "$label" "$fio" "/sys/block/$DISK/stat" 1 $((SECONDS_EACH * 4)) || exit 1
  kill -KILL "$fio"
  wait "$fio" 2>/dev/null
  echo "@mark $label end"
}

measure_random() { # measure_random [SUFFIX]: 4 KiB reads one by one, and 32 at once
  measure "randread-4k-qd1$1" --rw=randread --bs=4k --iodepth=1
  measure "randread-4k-qd32$1" --rw=randread --bs=4k --iodepth=32
}
