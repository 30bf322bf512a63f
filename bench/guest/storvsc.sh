# SPDX-License-Identifier: GPL-2.0-only OR MIT
# hv_storvsc, the in-tree one or ours as the guest was made; at the end with the same I/O scheduler
# for both, none: ours has it by default.
if [ "$WHOSE" = enlighten ]; then
  ours hv_storvsc || fail "hv_storvsc is not ours"
else
  [ -n "$AGAINST" ] || ! ours hv_storvsc || fail "hv_storvsc is ours"
fi
measure_random
measure read-128k-qd8 --rw=read --bs=128k --iodepth=8
echo none >"/sys/block/$DISK/queue/scheduler" || exit 1
measure randread-4k-qd32,none --rw=randread --bs=4k --iodepth=32
