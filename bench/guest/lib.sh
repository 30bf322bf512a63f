# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Runs in the minimal guest, behind tests/guest/minimal/00-lib.sh; SECONDS_EACH is set before. What the benchmarks in a guest share.
# Says `@result PAIR WHOSE JOB IOPS KIB_PER_S CPU_US`, the first two of the best quarter of a second; `@mark PAIR WHOSE JOB start|end` asks the
# node for the host's counters.

mount_tools
mkdir -p /tmp/tools
cp -a /tools/bin /tools/lib /tmp/tools/
umount /tools
modprobe scsi_transport_fc

# The order of the two in a pair: A B B A, and who is first alternates by pairs. What one finds better than the other by its place, the
# second half gives back.
turns() { # turns PAIR
  if [ $(($1 % 2)) = 1 ]; then echo "inbox enlighten enlighten inbox"; else echo "enlighten inbox inbox enlighten"; fi
}

# A piece of work that is always the same: hundredths of a second that it took.
work() {
  local VALUE start
  start=$(now)
  awk 'BEGIN { for (i = 0; i < 50000; i++) x += i }'
  echo "$start $(now)" | awk '{ print int(($2 - $1) * 100 + 0.5) }'
}
# disturbed: that it takes much longer now than it did at best. Who shares the machine with us slows it down for seconds or minutes.
BEST=100000
disturbed() {
  local took
  took=$(work)
  [ "$took" -ge "$BEST" ] || BEST=$took
  [ $((took * 100)) -gt $((BEST * 130)) ]
}
for _ in 1 2 3 4 5 6 7 8 9 10; do disturbed; done
# Waits until it is not, half a minute at most.
undisturbed() { within 30 eval '! disturbed'; }

load_storvsc() { # load_storvsc inbox|enlighten
  local modules
  modules=/lib/modules/$(uname -r)
  rmmod hv_storvsc
  case $1 in
    inbox) insmod "$modules/kernel/drivers/scsi/hv_storvsc.ko" ;;
    *) insmod "$modules/updates/hv_storvsc.ko" ;;
  esac
  within 60 device $SCSI 0 >/dev/null || { echo "no disk with $1"; exit 1; }
  within 20 test -b "$(scsi 0)"
  sleep 1
}

reads() { awk '{ print $1 }' "/sys/block/$(device $SCSI 0)/stat"; }
# Hundredths of a second that all CPUs worked, interrupts included, and the reads so far.
sample() { awk '$1 == "cpu" { printf "%d ", $2 + $3 + $4 + $7 + $8 }' /proc/stat; reads; }

measure() { # measure PAIR WHOSE JOB fio-options...: once more, and at most three times, when it was disturbed
  local try
  for try in 1 2 3; do
    undisturbed
    measure_once "$@"
    [ "$try" != 3 ] && disturbed || break
  done
  cat /tmp/result
  echo "@mark $1 $2 $3 end"
  sleep 1
}

measure_once() {
  local label="$1 $2 $3" before first fio best
  shift 3
  rm -f /tmp/fio_iops.*
  echo "@mark $label start"
  sleep 1
  before=$(reads)
  LD_LIBRARY_PATH=/tmp/tools/lib /tmp/tools/bin/fio --name=b --filename="$(scsi 0)" --direct=1 --ioengine=libaio --readonly --size=192M \
    --time_based --runtime="$SECONDS_EACH" --ramp_time=1 --randrepeat=1 --norandommap --output-format=terse --terse-version=3 \
    --write_iops_log=/tmp/fio --log_avg_msec=250 "$@" \
    >/tmp/fio.out 2>&1 &
  fio=$!
  # CPU time is taken in the middle of the run: fio's own start is not in it.
  within 30 eval '[ "$(reads)" -gt "$((before + 10))" ]' || { cat /tmp/fio.out; exit 1; }
  sleep 1
  first=$(sample)
  sleep $((SECONDS_EACH - 1))
  echo "$first $(sample)" >/tmp/window
  wait "$fio"
  sleep 0.5
  # A disturbed slice says more of the machine than of the driver.
  best=$(cat /tmp/fio_iops.* | awk -F ', *' '$2 > best { best = $2 } END { print best + 0 }')
  awk -F ';' -v l="$label" -v w="$(cat /tmp/window)" -v best="$best" '
    BEGIN { split(w, s, " "); n = s[4] - s[2] }
    $1 == 3 && $8 > 0 { print "@result " l " " best " " int(best * $7 / $8) " " (n > 0 ? (s[3] - s[1]) * 10000 / n : 0) }' /tmp/fio.out >/tmp/result
  [ -s /tmp/result ] || { cat /tmp/fio.out; exit 1; }
}

measure_random() { # measure_random PAIR WHOSE [SUFFIX]: 4 KiB reads one by one, and 32 at once
  measure "$1" "$2" "randread-4k-qd1$3" --rw=randread --bs=4k --iodepth=1
  measure "$1" "$2" "randread-4k-qd32$3" --rw=randread --bs=4k --iodepth=32
}
