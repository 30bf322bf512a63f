# SPDX-License-Identifier: GPL-2.0-only OR MIT
# The in-tree hv_storvsc and ours in turn, in one boot; PAIRS is set before.
pair=1
while [ "$pair" -le "$PAIRS" ]; do
  for driver in inbox enlighten; do
    load_storvsc "$driver"
    measure_random "$pair" "$driver"
    measure "$pair" "$driver" read-128k-qd8 --rw=read --bs=128k --iodepth=8
  done
  pair=$((pair + 1))
done
