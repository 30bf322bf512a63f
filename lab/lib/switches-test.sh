# SPDX-License-Identifier: GPL-2.0-only OR MIT
# The host's switches, given to `./enlighten run`, meet the guest; the drivers are loaded anew
# twenty times on such a host. (Busybox's rmmod stops at the first module that is not loaded.)

# What the guest says of its timers, monitors and rounds.
RUN_SWITCHES_SAID='
cat /sys/devices/system/clockevents/clockevent0/current_device
grep HVS /proc/interrupts
cat /sys/bus/vmbus/devices/*/monitor_id | head -n 1 | sed "s/^/monitor /"
for i in $(seq 20); do
  for module in hv_utils hv_netvsc hv_storvsc hv_vmbus; do rmmod $module; done 2>/dev/null
  modprobe hv_storvsc
done
echo "contacts: $(dmesg | grep -c "Vmbus version")"
echo alive'

test_run_switches() {
  local contacts
  "$TOP_DIR/enlighten" run --guest minimal --accel "$ACCEL" --timers message --monitor \
    --pause 2,after=5 --repeat-lost on --fault modify-delay=1 --exec "$RUN_SWITCHES_SAID" \
    >"$SCRATCH/said" 2>&1 </dev/null || { echo "status $?"; cat "$SCRATCH/said"; return 1; }
  cat "$SCRATCH/said"
  grep -qx 'Hyper-V clockevent' "$SCRATCH/said" || { echo "no synthetic timer"; return 1; }
  ! grep -q HVS "$SCRATCH/said" || { echo "the timers have an interrupt of their own"; return 1; }
  grep -q '^monitor [0-9]' "$SCRATCH/said" || { echo "no monitor"; return 1; }
  grep -qx alive "$SCRATCH/said" || { echo "the guest did not come to its end"; return 1; }
  contacts=$(sed -n 's/^contacts: //p' "$SCRATCH/said")
  # The kernel holds hv_storvsc for as long as it looks for disks: not each round unloads it.
  [ "${contacts:-0}" -ge 6 ] || { echo "the bus was loaded $contacts times"; return 1; }
}
