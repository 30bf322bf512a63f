# SPDX-License-Identifier: GPL-2.0-only OR MIT
# What a bus owes to user space and to its devices, whoever's it is.
BUS=/sys/bus/vmbus/devices
dmesg >/tmp/boot-log
DEVICE_FILES='id state class_id device_id modalias
  out_intr_mask out_read_index out_write_index out_read_bytes_avail out_write_bytes_avail
  in_intr_mask in_read_index in_write_index in_read_bytes_avail in_write_bytes_avail
  channel_vp_mapping vendor device driver_override'
# Of a kernel that knows nodes.
[ ! -d /sys/devices/system/node ] || DEVICE_FILES="$DEVICE_FILES numa_node"
MONITOR_FILES='monitor_id server_monitor_pending client_monitor_pending server_monitor_latency
  client_monitor_latency server_monitor_conn_id client_monitor_conn_id'
CHANNEL_FILES='cpu out_mask in_mask read_avail write_avail interrupts events
  intr_in_full intr_out_empty out_full_first out_full_total subchannel_id'

# The folders of all channels of disk controllers that are open: who has no driver is not.
open_channels() {
  local vmbus
  for vmbus in "$BUS"/*; do
    if holds "$vmbus/class_id" "{$SCSI}" || holds "$vmbus/class_id" "{$IDE}"; then
      ls -d "$vmbus"/channels/*
    fi
  done
}
# Reads the disk past all caches, so that each channel may have something to do.
some_io() { dd if="$(scsi 0)" of=/dev/null bs=64k count="${1:-256}" iflag=direct 2>/dev/null; }

test_the_expected_bus_is_loaded() {
  if wanted hv_vmbus; then
    ours hv_vmbus || fail "hv_vmbus is not ours"
  else
    ! ours hv_vmbus || fail "hv_vmbus is ours"
  fi
  grep -q 'Vmbus version:' /tmp/boot-log || fail "no version was agreed on"
}

test_devices_show_what_they_always_showed() {
  local vmbus file
  for vmbus in "$BUS"/*; do
    [ "$(basename "$vmbus")" = "$(tr -d '{}' <"$vmbus/device_id")" ] ||
      fail "$vmbus is named $(cat "$vmbus/device_id")"
    for file in $DEVICE_FILES; do
      [ -r "$vmbus/$file" ] || fail "no $vmbus/$file"
    done
    if [ -e "$vmbus/monitor_id" ]; then
      for file in $MONITOR_FILES; do cat "$vmbus/$file" >/dev/null || fail "$vmbus/$file"; done
    fi
    case $(cat "$vmbus/modalias") in
      vmbus:????????????????????????????????) ;;
      *) fail "modalias $(cat "$vmbus/modalias")" ;;
    esac
    [ "$(cat "$vmbus/vendor")" = 0x1414 ] || fail "vendor $(cat "$vmbus/vendor")"
  done
}

test_channels_show_what_they_always_showed() {
  local channel file vmbus
  for channel in "$BUS"/*/channels/*; do
    for file in $CHANNEL_FILES; do
      [ -r "$channel/$file" ] || fail "no $channel/$file"
    done
  done
  for vmbus in "$BUS"/*; do
    [ "$(cut -d : -f 1 "$vmbus/channel_vp_mapping" | sort)" = "$(ls "$vmbus/channels" | sort)" ] ||
      fail "$vmbus has channels $(ls "$vmbus/channels")," \
        "and maps $(cat "$vmbus/channel_vp_mapping")"
  done
  for channel in $(open_channels); do
    [ "$(cat "$channel/write_avail")" -gt 0 ] || fail "$channel is not open"
  done
}

test_drivers_take_new_ids() {
  local driver=/sys/bus/vmbus/drivers/hv_storvsc guid=11111111-2222-3333-4444-555555555555
  echo $guid >$driver/new_id || fail "new_id was refused"
  ! echo $guid >$driver/new_id 2>/dev/null || fail "the same id was taken twice"
  ! echo nonsense >$driver/new_id 2>/dev/null || fail "nonsense was taken"
  echo $guid >$driver/remove_id || fail "remove_id was refused"
  ! echo $guid >$driver/remove_id 2>/dev/null || fail "what is not there was removed"
}

test_channels_of_a_device_have_cpus_of_their_own() {
  local vmbus cpus
  for vmbus in "$BUS"/*; do
    holds "$vmbus/class_id" "{$SCSI}" || continue
    cpus=$(cut -d : -f 2 "$vmbus/channel_vp_mapping" | sort | uniq -d)
    [ -z "$cpus" ] || fail "several channels of $vmbus on CPU $cpus"
  done
}

test_the_bus_is_traced() {
  local trace=/sys/kernel/tracing
  mount -t tracefs trace $trace 2>/dev/null || :
  [ -d $trace/events/hyperv/vmbus_chan_sched ] || fail "no events"
  echo 1 >$trace/events/hyperv/vmbus_chan_sched/enable
  echo 1 >$trace/events/hyperv/vmbus_setevent/enable
  some_io 16
  echo 0 >$trace/events/hyperv/vmbus_chan_sched/enable
  echo 0 >$trace/events/hyperv/vmbus_setevent/enable
  grep -q 'vmbus_chan_sched: relid 0x' $trace/trace || fail "no interrupt was traced"
  echo >$trace/trace
}
