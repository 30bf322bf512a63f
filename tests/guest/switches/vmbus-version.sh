# SPDX-License-Identifier: GPL-2.0-only OR MIT
# A host that speaks no newer version of VMBus than VALUE.
# host: --vmbus-version VALUE

test_the_version_is_agreed_on() {
  local module
  for module in hv_vmbus hv_storvsc hv_netvsc; do
    if wanted $module; then
      ours $module || fail "$module is not ours"
    else
      ! ours $module || fail "$module is ours"
    fi
  done
  grep "Vmbus version:$SWITCH\$" /tmp/boot-log || fail "$(grep -i vmbus /tmp/boot-log)"
}

test_the_disk_keeps_what_is_written() { disk_keeps_what_is_written; }

test_the_network_answers() {
  network_comes_up
  answers -s 5000 10.0.2.2 || fail "no answer"
  fetch
}

test_the_drivers_reload() {
  reload 1 hv_storvsc hv_netvsc
  disk_still_has_it
  network_comes_up
  answers -s 5000 10.0.2.2 || fail "no answer"
  fetch
}
