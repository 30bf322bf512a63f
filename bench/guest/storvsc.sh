# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Pairs of measurements: the in-tree hv_storvsc and ours, in turns; PAIRS is set before.
for PAIR in $(seq "$PAIRS"); do
  for driver in $(turns "$PAIR"); do
    load_storvsc "$driver"
    measure_random "$PAIR" "$driver"
    measure "$PAIR" "$driver" read-128k-qd8 --rw=read --bs=128k --iodepth=8
  done
done
