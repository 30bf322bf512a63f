# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Runs in the minimal guest: loads the in-tree module and ours in turn and measures each; PAIRS and SECONDS are set before.
# Says `@result PAIR DRIVER JOB IOPS KIB_PER_S IOS`; `@mark PAIR DRIVER JOB start|end` asks the node for the counters.

mount_tools
mkdir -p /tmp/tools
cp -a /tools/bin /tools/lib /tmp/tools/
umount /tools
release=$(uname -r)
modprobe scsi_transport_fc

load() { # load inbox|enlighten
  rmmod hv_storvsc
  case $1 in
    inbox) insmod "/lib/modules/$release/kernel/drivers/scsi/hv_storvsc.ko" ;;
    *) insmod "/lib/modules/$release/updates/hv_storvsc.ko" ;;
  esac
  within 60 device $SCSI 0 >/dev/null || { echo "no disk with $1"; exit 1; }
  within 20 test -b "$(scsi 0)"
  sleep 1
}

measure() { # measure PAIR DRIVER JOB fio-options...
  local label="$1 $2 $3"
  shift 3
  echo "@mark $label start"
  sleep 1
  LD_LIBRARY_PATH=/tmp/tools/lib /tmp/tools/bin/fio --name=b --filename="$(scsi 0)" --direct=1 --ioengine=libaio --readonly --size=192M \
    --time_based --runtime="$SECONDS_EACH" --ramp_time=1 --randrepeat=1 --norandommap --output-format=terse --terse-version=3 "$@" >/tmp/fio.out 2>&1
  sleep 0.5
  awk -F ';' -v l="$label" '$1 == 3 { print "@result " l " " $8 " " $7 " " $6 }' /tmp/fio.out | grep . || cat /tmp/fio.out
  echo "@mark $label end"
  sleep 1
}

pair=1
while [ "$pair" -le "$PAIRS" ]; do
  for driver in inbox enlighten; do
    load "$driver"
    measure "$pair" "$driver" randread-4k-qd1 --rw=randread --bs=4k --iodepth=1
    measure "$pair" "$driver" randread-4k-qd32 --rw=randread --bs=4k --iodepth=32
    measure "$pair" "$driver" read-128k-qd8 --rw=read --bs=128k --iodepth=8
  done
  pair=$((pair + 1))
done
