// SPDX-License-Identifier: GPL-2.0-only
/*
 * Signals to the host: by hypercall, or by a bit in the monitor page that the
 * hypervisor looks at.
 */

#include "api_channel.h"

static void flag_relid(const struct vmbus_channel *ch)
{
	u32 relid = ch->offermsg.child_relid;

	/* A channel that did not survive hibernation has none. */
	if (relid < HVB_MAX_RELIDS)
		sync_set_bit(relid, vmbus_connection.send_int_page);
}

/**
 * vmbus_setevent() - signal the host, as cheaply as this channel allows
 * @channel: which has something for it
 *
 * Context: any.
 */
HV_HOT void vmbus_setevent(struct vmbus_channel *channel)
{
	trace_vmbus_setevent(channel);

	if (channel->offermsg.monitor_allocated && !channel->low_latency) {
		struct hv_monitor_page *page = vmbus_connection.monitor_pages[HVB_CLIENT];

		flag_relid(channel);
		sync_set_bit(channel->monitor_bit,
			     (unsigned long *)&page->trigger_group[channel->monitor_grp].pending);
	} else {
		vmbus_set_event(channel);
	}
}
EXPORT_SYMBOL_GPL(vmbus_setevent);

u32 hvb_monitor_pending(const struct vmbus_channel *ch, int page)
{
	const struct hv_monitor_page *monitor = vmbus_connection.monitor_pages[page];

	return READ_ONCE(monitor->trigger_group[ch->monitor_grp].pending);
}

u32 hvb_monitor_latency(const struct vmbus_channel *ch, int page)
{
	const struct hv_monitor_page *monitor = vmbus_connection.monitor_pages[page];

	return READ_ONCE(monitor->latency[ch->monitor_grp][ch->monitor_bit]);
}

u32 hvb_monitor_conn_id(const struct vmbus_channel *ch, int page)
{
	const struct hv_monitor_page *monitor = vmbus_connection.monitor_pages[page];
	const struct hv_monitor_parameter *parameter;
	union hv_connection_id id;

	parameter = &monitor->parameter[ch->monitor_grp][ch->monitor_bit];
	id.asu32 = READ_ONCE(parameter->connectionid.asu32);
	return id.u.id;
}
