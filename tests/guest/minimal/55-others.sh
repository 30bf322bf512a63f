# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Drivers of what this host does not offer, in-tree but for hv_utils: on any bus they load and go.
test_other_drivers_load_idle_and_unload() {
  local driver module
  for module in hv_netvsc hv_utils hv_balloon hyperv_keyboard hid_hyperv hv_sock pci_hyperv \
    uio_hv_generic; do
    modprobe $module || fail "$module does not load"
  done
  for driver in hv_netvsc hv_utils hv_balloon hyperv_keyboard hid_hyperv hv_sock hv_pci \
    uio_hv_generic; do
    [ -e /sys/bus/vmbus/drivers/$driver ] || fail "no driver $driver: $(ls /sys/bus/vmbus/drivers)"
  done
  sleep 2
  some_io || fail "the disk was disturbed"
  # These kernels never let hv_balloon go.
  for module in hv_netvsc hv_utils hyperv_keyboard hid_hyperv hv_sock pci_hyperv uio_hv_generic; do
    rmmod $module || fail "$module does not unload"
  done
  [ "$(ls /sys/bus/vmbus/drivers | xargs)" = 'hv_balloon hv_storvsc' ] ||
    fail "drivers are left: $(ls /sys/bus/vmbus/drivers)"
}
