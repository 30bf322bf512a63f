// SPDX-License-Identifier: GPL-2.0-only
/* Messages of the host: from the SynIC page to the core. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>
#include <linux/slab.h>
#include <linux/workqueue.h>
#include <asm/mshyperv.h>

#include "internal.h"

/* Channels that are there before the first offer; more are made as they are needed. */
#define SPARE_CHANNELS 8

/* Call with hvb_lock. */
static void donate(struct hvb_channel *bc)
{
	if (bc)
		hv_vmbus_donate(&hvb_bus, &bc->core, &bc->ch);
}

void hvb_donate_spares(void)
{
	struct hvb_channel *bc;
	unsigned long flags;
	int i;

	for (i = 0; i < SPARE_CHANNELS; i++) {
		bc = hvb_channel_alloc(GFP_KERNEL);
		flags = hvb_lock();
		donate(bc);
		hvb_unlock(flags);
	}
}

void hvb_take_spares_back(void)
{
	struct vmbus_channel *ch;
	unsigned long flags;

	do {
		flags = hvb_lock();
		ch = hv_vmbus_reclaim(&hvb_bus);
		hvb_unlock(flags);
		if (ch)
			kobject_put(&ch->kobj);
	} while (ch);
}

static void kick_work_fn(struct work_struct *work)
{
	struct hvb_channel *bc = NULL;
	unsigned long flags;
	bool needed;

	hvb_post_all();

	flags = hvb_lock();
	needed = hv_vmbus_needs_storage(&hvb_bus);
	hvb_unlock(flags);
	if (needed)
		bc = hvb_channel_alloc(GFP_KERNEL);
	if (bc) {
		flags = hvb_lock();
		donate(bc);
		hvb_unlock(flags);
	}
}

static DECLARE_WORK(kick_work, kick_work_fn);

/* Has what the core wants to say posted soon. Any context. */
void hvb_kick(void)
{
	queue_work(vmbus_connection.rescind_work_queue, &kick_work);
}

static void trace_received(const void *msg, size_t size)
{
	const struct vmbus_channel_message_header *header = msg;

	trace_vmbus_on_message(header);
	switch (header->msgtype) {
	case CHANNELMSG_OFFERCHANNEL:
		if (size >= sizeof(struct vmbus_channel_offer_channel))
			trace_vmbus_onoffer(msg);
		break;
	case CHANNELMSG_RESCIND_CHANNELOFFER:
		if (size >= sizeof(struct vmbus_channel_rescind_offer))
			trace_vmbus_onoffer_rescind(msg);
		break;
	case CHANNELMSG_OPENCHANNEL_RESULT:
		if (size >= sizeof(struct vmbus_channel_open_result))
			trace_vmbus_onopen_result(msg);
		break;
	case CHANNELMSG_GPADL_CREATED:
		if (size >= sizeof(struct vmbus_channel_gpadl_created))
			trace_vmbus_ongpadl_created(msg);
		break;
	case CHANNELMSG_GPADL_TORNDOWN:
		if (size >= sizeof(struct vmbus_channel_gpadl_torndown))
			trace_vmbus_ongpadl_torndown(msg);
		break;
	case CHANNELMSG_VERSION_RESPONSE:
		if (size >= sizeof(struct vmbus_channel_version_response))
			trace_vmbus_onversion_response(msg);
		break;
	case CHANNELMSG_MODIFYCHANNEL_RESPONSE:
		if (size >= sizeof(struct vmbus_channel_modifychannel_response))
			trace_vmbus_onmodifychannel_response(msg);
		break;
	default:
		break;
	}
}

static void handle(const void *msg, size_t size)
{
	struct hv_vmbus_violation refused;
	bool logged = false;
	unsigned long flags;

	if (hv_vmbus_is_unload_response(msg, size))
		complete(&vmbus_connection.unload_event);

	flags = hvb_lock();
	if (!hvb_core_ready) {
		hvb_unlock(flags);
		return;
	}
	if (hv_vmbus_needs_storage(&hvb_bus))
		donate(hvb_channel_alloc(GFP_ATOMIC));
	hv_vmbus_message(&hvb_bus, msg, size);
	while (hv_vmbus_next_violation(&hvb_bus, &refused))
		logged = true;
	hvb_unlock(flags);

	/* Of a burst the last one speaks for all. */
	if (logged)
		pr_warn_ratelimited("message type %u about id %u of the host refused: %s\n",
				    refused.type, refused.id, hv_status_name(refused.why));
	hvb_kick();
}

void hvb_message_tasklet(unsigned long data)
{
	struct hvb_cpu *cpu = (struct hvb_cpu *)data;
	struct hv_message *slot = (struct hv_message *)cpu->message_page + HVB_SINT;
	struct hv_message msg;

	/* The host may write to the slot at any time: one copy, and only that is looked at. */
	memcpy(&msg, slot, sizeof(msg));
	/* A timer's message has an interrupt of its own, and is that one's to take. */
	if (msg.header.message_type == HVMSG_NONE || msg.header.message_type == HVMSG_TIMER_EXPIRED)
		return;

	if (msg.header.payload_size > HV_MESSAGE_PAYLOAD_BYTE_COUNT ||
	    msg.header.payload_size < sizeof(struct vmbus_channel_message_header)) {
		pr_warn_ratelimited("message of %u bytes of the host refused\n",
				    msg.header.payload_size);
	} else {
		trace_vmbus_on_msg_dpc((void *)msg.u.payload);
		trace_received(msg.u.payload, msg.header.payload_size);
		handle(msg.u.payload, msg.header.payload_size);
	}
	vmbus_signal_eom(slot, msg.header.message_type);
}

/*
 * Asks for the offers and waits until the devices of all that were there have
 * been seen by their drivers, so that whoever loaded us finds them.
 */
void hvb_wait_for_offers(void)
{
	struct hvb_request request;
	unsigned long flags;
	int status, ret;

	hvb_request_init(&request);
	flags = hvb_lock();
	status = hv_vmbus_request_offers(&hvb_bus, &request.core, &request, hvb_now());
	hvb_unlock(flags);
	ret = status ? hvb_errno(status) : hvb_request_wait(&request, -EIO);
	if (ret)
		pr_warn("the host did not say that all offers are made (%d)\n", ret);

	flush_workqueue(vmbus_connection.work_queue);
	flush_workqueue(vmbus_connection.handle_primary_chan_wq);
}
