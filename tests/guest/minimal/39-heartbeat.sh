# SPDX-License-Identifier: GPL-2.0-only OR MIT
# The host asks whether the guest is there. What it has heard the node serves by TAP.

HEARTBEAT=57164f39-9115-4e78-ab55-382f3bd5422d

# heartbeat_is STATE: the host says that of the guest.
heartbeat_is() {
  ask_host heartbeat
  wget -q -O - http://10.9.0.1:8080/answer | grep -qF "\"state\": \"$1\""
}
# interrupts_of DEVICE: of its channel, since it was offered.
interrupts_of() { cat "$1"/channels/*/interrupts; }

test_the_host_hears_the_guests_heartbeat() {
  local vmbus device='' round before
  tap_up "$(tap_nic)"
  for vmbus in /sys/bus/vmbus/devices/*; do
    ! holds "$vmbus/class_id" "{$HEARTBEAT}" || device=$vmbus
  done
  [ -n "$device" ] || fail "the host offers no heartbeat"
  [ ! -e /sys/module/hv_utils ] || unload hv_utils || fail "hv_utils does not unload"
  within 60 heartbeat_is "no contact" || fail "without a driver the host hears somebody"
  for round in 1 2 3; do
    modprobe hv_utils
    ! wanted hv_utils || ours hv_utils || fail "hv_utils is not ours"
    within 60 heartbeat_is ok || fail "round $round: the host hears nothing"
    before=$(interrupts_of "$device")
    within 60 eval "[ \"\$(interrupts_of '$device')\" -gt '$before' ]" ||
      fail "round $round: no further interrupts are counted"
    unload hv_utils || fail "round $round: hv_utils does not unload"
    within 60 heartbeat_is "no contact" || fail "round $round: the host still hears somebody"
  done
  driver_is_calm
}
