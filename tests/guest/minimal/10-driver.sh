# SPDX-License-Identifier: GPL-2.0-only OR MIT
test_the_expected_driver_is_loaded() {
  if wanted hv_storvsc; then
    ours hv_storvsc || fail "hv_storvsc is not ours"
  else
    ! ours hv_storvsc || fail "hv_storvsc is ours"
  fi
  within 60 device $SCSI 0 >/dev/null || fail "no disk at LUN 0"
}

# As many as the host was told, else one for four CPUs.
test_all_channels_are_there() {
  local vmbus count expected
  expected=${CHANNELS:-$(((CPUS + 3) / 4))}
  for vmbus in /sys/bus/vmbus/devices/*; do
    holds "$vmbus/class_id" "{$SCSI}" || continue
    count=$(ls "$vmbus/channels" | wc -l)
    [ "$count" = "$expected" ] || fail "$count channels, expected $expected"
  done
}

# The host orders requests; another scheduler can be chosen and left again, where the kernel has
# one.
test_requests_are_not_ordered_twice() {
  local queue
  wanted hv_storvsc || skip "the in-tree driver leaves it to the kernel"
  queue=/sys/block/$(device $SCSI 0)/queue/scheduler
  grep -q '\[none\]' "$queue" || fail "the scheduler is $(cat "$queue")"
  grep -q mq-deadline "$queue" || return 0
  echo mq-deadline >"$queue"
  dd if="$(scsi 0)" of=/dev/null bs=1M count=4 2>/dev/null || fail "no reading with mq-deadline"
  echo none >"$queue"
}
