# SPDX-License-Identifier: GPL-2.0-only OR MIT
# One boot with one bus, under both storage drivers; PAIR and BUS are set before. The in-tree bus cannot be unloaded without losing the clock
# events, so the buses take turns by boots.
case $BUS in
  enlighten) ours hv_vmbus || { echo "hv_vmbus is not ours"; exit 1; } ;;
  *) ! ours hv_vmbus || { echo "hv_vmbus is ours"; exit 1; } ;;
esac
for driver in inbox enlighten; do
  load_storvsc "$driver"
  measure_random "$PAIR" "$BUS" ",$driver"
done
