# SPDX-License-Identifier: GPL-2.0-only OR MIT
test_the_expected_driver_is_loaded() {
  if wanted hv_storvsc; then ours hv_storvsc || fail "hv_storvsc is not ours"; else ! ours hv_storvsc || fail "hv_storvsc is ours"; fi
  within 30 device $SCSI 0 >/dev/null || fail "no disk at LUN 0"
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
