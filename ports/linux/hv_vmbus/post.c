// SPDX-License-Identifier: GPL-2.0-only
/* Talking with the core and the host: the lock, waiting for the end of a dialogue, posting. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/delay.h>
#include <linux/io.h>
#include <linux/ktime.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <asm/mshyperv.h>

#include "internal.h"

#define POST_TRIES 100

/* Under hvb_lock: there is a core to talk with. */
bool hvb_core_ready;
struct hv_vmbus hvb_bus;

static void expire_fn(struct work_struct *work);

/* Runs when the core's first time limit is due; on a queue of the kernel's, as ours go first. */
static DECLARE_DELAYED_WORK(expiry, expire_fn);
/* Of the core's clock; under hvb_lock. */
static u64 expiry_at = U64_MAX;

unsigned long hvb_lock(void)
	__acquires(&vmbus_connection.channelmsg_lock)
{
	unsigned long flags;

	spin_lock_irqsave(&vmbus_connection.channelmsg_lock, flags);
	return flags;
}

/* Has expire_fn() run at the next time limit, if that has changed. Call with hvb_lock. */
static void plan_expiry(void)
{
	u64 next = hv_vmbus_next_deadline(&hvb_bus);
	u64 now;

	if (next == expiry_at)
		return;
	expiry_at = next;
	if (next == U64_MAX)
		return; /* once too often does no harm */
	now = hvb_now();
	mod_delayed_work(system_unbound_wq, &expiry,
			 msecs_to_jiffies(next > now ? min_t(u64, next - now, INT_MAX) : 0) + 1);
}

static void request_done(struct hvb_request *request, int status, u32 host_status)
{
	request->status = status;
	request->host_status = host_status;
	/* The waiter's stack may go with this. */
	complete(&request->done);
}

static void run_events(void)
{
	struct hv_vmbus_event event;

	while (hv_vmbus_next_event(&hvb_bus, &event)) {
		switch (event.kind) {
		case HV_VMBUS_REQUEST_DONE:
			request_done(event.owner, event.status, event.host_status);
			break;
		case HV_VMBUS_CHANNEL_OFFERED:
			hvb_channel_offered(event.owner);
			break;
		case HV_VMBUS_CHANNEL_RESCINDED:
			hvb_channel_rescinded(event.owner);
			break;
		case HV_VMBUS_CHANNEL_REATTACHED:
			hvb_channel_reattached(event.owner);
			break;
		case HV_VMBUS_CHANNEL_FREED:
			hvb_channel_freed(event.owner);
			break;
		case HV_VMBUS_GPADL_RELEASED:
			hvb_gpadl_released(event.owner);
			break;
		}
	}
}

/* Before anybody else sees it, what has happened is told. */
void hvb_unlock(unsigned long flags)
	__releases(&vmbus_connection.channelmsg_lock)
{
	if (hvb_core_ready) {
		run_events();
		plan_expiry();
	}
	spin_unlock_irqrestore(&vmbus_connection.channelmsg_lock, flags);
}

u64 hvb_now(void)
{
	return ktime_get_boottime_ns() / NSEC_PER_MSEC;
}

static void expire_fn(struct work_struct *work)
{
	unsigned long flags = hvb_lock();

	expiry_at = U64_MAX;
	if (hvb_core_ready)
		hv_vmbus_expire(&hvb_bus, hvb_now());
	hvb_unlock(flags);
	hvb_post_all();
}

/* The core is not ready any more, so nothing plans it anew. */
void hvb_stop_expiry(void)
{
	cancel_delayed_work_sync(&expiry);
	expiry_at = U64_MAX;
}

void hvb_request_init(struct hvb_request *request)
{
	memset(request, 0, sizeof(*request));
	init_completion(&request->done);
}

/*
 * Waits until the core has ended the request, which it does by its time limit
 * at the latest. refused: what the host's refusal is called here.
 */
int hvb_request_wait(struct hvb_request *request, int refused)
{
	unsigned long flags;

	hvb_post_all();
	while (!wait_for_completion_timeout(&request->done, HZ)) {
		flags = hvb_lock();
		hv_vmbus_expire(&hvb_bus, hvb_now());
		hvb_unlock(flags);
		hvb_post_all();
	}
	return request->status == HV_REFUSED ? refused : hvb_errno(request->status);
}

static u64 post_hypercall(u32 connection_id, const void *message, size_t size)
{
	struct hv_input_post_message *input;
	unsigned long flags;
	u64 status;

	local_irq_save(flags);
	/* The paravisor of a TDX machine cannot read our encrypted per-CPU page. */
	if (hvb_tdx_paravisor())
		input = this_cpu_ptr(hvb_cpus)->post_page;
	else
		input = *this_cpu_ptr(hyperv_pcpu_input_arg);

	input->connectionid.asu32 = 0;
	input->connectionid.u.id = connection_id;
	input->reserved = 0;
	input->message_type = 1;
	input->payload_size = size;
	memcpy(input->payload, message, size);

	if (hvb_tdx_paravisor())
		status = hvb_tdx_call(HVCALL_POST_MESSAGE, virt_to_phys(input), 0);
	else if (hv_isolation_type_snp() && hvb_paravisor())
		status = hv_ghcb_hypercall(HVCALL_POST_MESSAGE, input, NULL, sizeof(*input));
	else
		status = hv_do_hypercall(HVCALL_POST_MESSAGE, input, NULL);
	local_irq_restore(flags);
	return status;
}

/* Posts one message, again and again while the host is short of buffers. 0 or -errno. */
int hvb_post_raw(u32 connection_id, const void *message, size_t size, bool may_sleep)
{
	const struct vmbus_channel_message_header *header = message;
	u32 delay_us = 1;
	int tries;

	if (size > HV_MESSAGE_PAYLOAD_BYTE_COUNT)
		return -EMSGSIZE;

	for (tries = 0; tries < POST_TRIES; tries++) {
		u16 status = hv_result(post_hypercall(connection_id, message, size));

		switch (hv_vmbus_post_result_of(message, size, status)) {
		case HV_VMBUS_POSTED:
			return 0;
		case HV_VMBUS_POST_AGAIN:
			break;
		case HV_VMBUS_POST_NO_PORT:
			return -ENXIO;
		case HV_VMBUS_POST_REFUSED:
			pr_err_ratelimited("posting message type %u failed: 0x%x\n",
					   header->msgtype, status);
			return -EINVAL;
		}

		if (may_sleep && delay_us > 1000)
			msleep(delay_us / 1000);
		else if (delay_us > 1000)
			mdelay(delay_us / 1000);
		else
			udelay(delay_us);
		if (delay_us < 1 << 20)
			delay_us *= 2;
		/* Where nothing may sleep, 100 s are too long: give up after about two. */
		if (!may_sleep && delay_us >= 1 << 20)
			break;
	}
	return -EAGAIN;
}

static void trace_post(const struct hv_vmbus_post *post, int ret)
{
	const void *msg = post->bytes;

	switch (((const struct vmbus_channel_message_header *)msg)->msgtype) {
	case CHANNELMSG_INITIATE_CONTACT:
		trace_vmbus_negotiate_version(msg, ret);
		break;
	case CHANNELMSG_REQUESTOFFERS:
		trace_vmbus_request_offers(ret);
		break;
	case CHANNELMSG_OPENCHANNEL:
		trace_vmbus_open(msg, ret);
		break;
	case CHANNELMSG_CLOSECHANNEL:
		trace_vmbus_close_internal(msg, ret);
		break;
	case CHANNELMSG_GPADL_HEADER:
		trace_vmbus_establish_gpadl_header(msg, ret);
		break;
	case CHANNELMSG_GPADL_BODY:
		trace_vmbus_establish_gpadl_body(msg, ret);
		break;
	case CHANNELMSG_GPADL_TEARDOWN:
		trace_vmbus_teardown_gpadl(msg, ret);
		break;
	case CHANNELMSG_RELID_RELEASED:
		trace_vmbus_release_relid(msg, ret);
		break;
	case CHANNELMSG_MODIFYCHANNEL:
		trace_vmbus_send_modifychannel(msg, ret);
		break;
	case CHANNELMSG_TL_CONNECT_REQUEST:
		trace_vmbus_send_tl_connect_request(msg, ret);
		break;
	default:
		break;
	}
}

/*
 * Posts what the core has to say, in order. Process context. Another context
 * that is just posting takes ours along: then there is nothing to do here.
 */
void hvb_post_all(void)
{
	/* There is never a second one under way: the core gives none before hv_vmbus_posted(). */
	static struct hv_vmbus_post post;
	unsigned long flags;

	flags = hvb_lock();
	while (hvb_core_ready && hv_vmbus_next_post(&hvb_bus, &post)) {
		int ret;

		hvb_unlock(flags);
		ret = hvb_post_raw(post.connection_id, post.bytes, post.size, true);
		trace_post(&post, ret);
		flags = hvb_lock();
		hv_vmbus_posted(&hvb_bus, !ret);
	}
	hvb_unlock(flags);
}
