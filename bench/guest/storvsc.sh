# SPDX-License-Identifier: GPL-2.0-only OR MIT
# A pair of measurements: the in-tree hv_storvsc and ours in one boot; PAIR is set before. Who goes first alternates.
order="inbox enlighten"
[ $((PAIR % 2)) = 1 ] || order="enlighten inbox"
for driver in $order; do
  load_storvsc "$driver"
  measure_random "$PAIR" "$driver"
  measure "$PAIR" "$driver" read-128k-qd8 --rw=read --bs=128k --iodepth=8
done
