// SPDX-License-Identifier: GPL-2.0-only
/* Opening and closing channels. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "api_channel.h"

/**
 * vmbus_alloc_ring() - allocate the memory of both rings
 * @newchannel: not open
 * @send_size: bytes of the ring to the host, its control page included; whole pages
 * @recv_size: likewise of the ring from the host
 *
 * Return: 0, -EINVAL, -ENOMEM.
 * Context: process.
 */
int vmbus_alloc_ring(struct vmbus_channel *newchannel, u32 send_size, u32 recv_size)
{
	gfp_t gfp = GFP_KERNEL | __GFP_ZERO;
	struct page *pages;
	u32 size;
	int order;

	if (!PAGE_ALIGNED(send_size) || !PAGE_ALIGNED(recv_size) ||
	    check_add_overflow(send_size, recv_size, &size) || send_size < 2 * PAGE_SIZE ||
	    recv_size < 2 * PAGE_SIZE)
		return -EINVAL;

	order = get_order(size);
	pages = alloc_pages_node(cpu_to_node(newchannel->target_cpu), gfp, order);
	if (!pages)
		pages = alloc_pages(gfp, order);
	if (!pages)
		return -ENOMEM;

	newchannel->ringbuffer_page = pages;
	newchannel->ringbuffer_pagecount = size >> PAGE_SHIFT;
	newchannel->ringbuffer_send_offset = send_size >> PAGE_SHIFT;
	return 0;
}
EXPORT_SYMBOL_GPL(vmbus_alloc_ring);

/**
 * vmbus_free_ring() - free the memory of both rings
 * @channel: closed; its memory is leaked when the host may still use it
 *
 * Context: process.
 */
void vmbus_free_ring(struct vmbus_channel *channel)
{
	hvb_ring_unmap(channel);

	if (channel->ringbuffer_page && !channel->ringbuffer_gpadlhandle.decrypted)
		__free_pages(channel->ringbuffer_page,
			     get_order(channel->ringbuffer_pagecount << PAGE_SHIFT));
	channel->ringbuffer_page = NULL;
}
EXPORT_SYMBOL_GPL(vmbus_free_ring);

/* Asks the host to open. Call with the channel's lock. */
static int open_at_host(struct vmbus_channel *ch, const void *userdata, u32 userdatalen)
{
	struct hvb_channel *bc = hvb_channel_of(ch);
	struct hvb_request request;
	struct hvb_gpadl *ring;
	int status = HV_BAD_STATE;
	unsigned long flags;

	ring = hvb_gpadl_find(ch->ringbuffer_gpadlhandle.gpadl_handle);
	hvb_request_init(&request);
	flags = hvb_lock();
	if (ring)
		status = hv_vmbus_open(&hvb_bus, &bc->core, &ring->core, ch->ringbuffer_send_offset,
				       hv_cpu_number_to_vp_number(ch->target_cpu), userdata,
				       userdatalen, &request.core, &request, hvb_now());
	hvb_unlock(flags);
	return status ? hvb_errno(status) : hvb_request_wait(&request, -EAGAIN);
}

static int open_locked(struct vmbus_channel *ch, void *userdata, u32 userdatalen,
		       void (*callback)(void *context), void *context)
{
	int ret;

	if (ch->state != CHANNEL_OPEN_STATE || !ch->ringbuffer_page)
		return -EINVAL;
	if (READ_ONCE(ch->rescind))
		return -ENODEV;

	ret = hvb_rqstor_alloc(ch);
	if (ret)
		return ret;

	ch->state = CHANNEL_OPENING_STATE;
	if (!ch->max_pkt_size)
		ch->max_pkt_size = VMBUS_DEFAULT_MAX_PKT_SIZE;

	ch->ringbuffer_gpadlhandle.gpadl_handle = 0;
	ret = vmbus_establish_gpadl(ch, page_address(ch->ringbuffer_page),
				    ch->ringbuffer_pagecount << PAGE_SHIFT,
				    &ch->ringbuffer_gpadlhandle);
	if (ret)
		goto closed;
	ret = hvb_ring_map(ch);
	if (ret)
		goto teardown;

	ch->channel_callback_context = context;
	/* The rings are there: from here on an interrupt may come, asked for or not. */
	smp_store_release(&ch->onchannel_callback, callback);

	ret = open_at_host(ch, userdata, userdatalen);
	if (ret)
		goto unmap;
	ch->state = CHANNEL_OPENED_STATE;
	return 0;

unmap:
	hvb_reset_callbacks(ch);
	hvb_ring_unmap(ch);
teardown:
	/* If this fails, the mark it leaves keeps the pages from being freed. */
	vmbus_teardown_gpadl(ch, &ch->ringbuffer_gpadlhandle);
closed:
	hvb_rqstor_free(ch);
	ch->state = CHANNEL_OPEN_STATE;
	return ret;
}

static int open_channel(struct vmbus_channel *ch, void *userdata, u32 userdatalen,
			void (*callback)(void *context), void *context)
{
	struct hvb_channel *bc = hvb_channel_of(ch);
	int ret;

	if (userdatalen > MAX_USER_DEFINED_BYTES)
		return -EINVAL;

	mutex_lock(&bc->lock);
	ret = open_locked(ch, userdata, userdatalen, callback, context);
	mutex_unlock(&bc->lock);
	return ret;
}

/**
 * vmbus_connect_ring() - open a channel whose rings are allocated
 * @newchannel: closed
 * @onchannelcallback: called when the host has signalled, as the callback mode says
 * @context: what it is called with
 *
 * Return: 0, -EINVAL, -ENODEV (rescinded), -EAGAIN (refused by the host), ...
 * Context: process.
 */
int vmbus_connect_ring(struct vmbus_channel *newchannel, void (*onchannelcallback)(void *context),
		       void *context)
{
	return open_channel(newchannel, NULL, 0, onchannelcallback, context);
}
EXPORT_SYMBOL_GPL(vmbus_connect_ring);

/**
 * vmbus_open() - allocate rings and open a channel
 * @newchannel: closed
 * @send_ringbuffer_size: see vmbus_alloc_ring()
 * @recv_ringbuffer_size: see vmbus_alloc_ring()
 * @userdata: for the device at the host
 * @userdatalen: bytes of it, at most MAX_USER_DEFINED_BYTES
 * @onchannelcallback: see vmbus_connect_ring()
 * @context: see vmbus_connect_ring()
 *
 * Return: see vmbus_connect_ring(); -ENOMEM.
 * Context: process.
 */
int vmbus_open(struct vmbus_channel *newchannel,
	       u32 send_ringbuffer_size, u32 recv_ringbuffer_size,
	       void *userdata, u32 userdatalen,
	       void (*onchannelcallback)(void *context), void *context)
{
	int ret;

	ret = vmbus_alloc_ring(newchannel, send_ringbuffer_size, recv_ringbuffer_size);
	if (ret)
		return ret;
	ret = open_channel(newchannel, userdata, userdatalen, onchannelcallback, context);
	if (ret)
		vmbus_free_ring(newchannel);
	return ret;
}
EXPORT_SYMBOL_GPL(vmbus_open);

/* Closes at the host; 0: the rings are ours again. Call with the channel's lock. */
static int close_locked(struct vmbus_channel *ch)
{
	unsigned long flags;
	int ret;

	hvb_reset_callbacks(ch);
	if (ch->state != CHANNEL_OPENED_STATE)
		return -EINVAL;
	ch->state = CHANNEL_OPEN_STATE;

	flags = hvb_lock();
	/* Of a rescinded channel the host knows: that is no error. */
	hv_vmbus_close(&hvb_bus, &hvb_channel_of(ch)->core);
	hvb_unlock(flags);
	hvb_post_all();

	ret = vmbus_teardown_gpadl(ch, &ch->ringbuffer_gpadlhandle);
	if (ret)
		pr_err("Close failed: teardown gpadl return %d\n", ret);
	else
		hvb_rqstor_free(ch);
	return ret;
}

/* The sub-channel behind `after`, or the first one; with a reference. */
static struct vmbus_channel *next_sub(struct vmbus_channel *primary, struct vmbus_channel *after)
{
	struct vmbus_channel *next = NULL;
	struct list_head *node;

	mutex_lock(&vmbus_connection.channel_mutex);
	/* One that was removed leads nowhere: what it led to is looked at again. */
	node = after && !list_empty(&after->sc_list) ? after->sc_list.next : primary->sc_list.next;
	if (node != &primary->sc_list) {
		next = list_entry(node, struct vmbus_channel, sc_list);
		kobject_get(&next->kobj);
	}
	mutex_unlock(&vmbus_connection.channel_mutex);
	if (after)
		kobject_put(&after->kobj);
	return next;
}

/* 0, or an error: the host keeps its rings. */
static int close_sub(struct vmbus_channel *sub)
{
	struct hvb_channel *bc = hvb_channel_of(sub);
	bool first = false;
	bool open;
	int ret;

	/* Its driver may be just opening it, and the rescind ends that. */
	if (READ_ONCE(sub->rescind))
		wait_for_completion(&bc->rescinded);

	mutex_lock(&bc->lock);
	open = sub->state == CHANNEL_OPENED_STATE;
	ret = close_locked(sub);
	if (!ret) {
		vmbus_free_ring(sub);
		mutex_lock(&vmbus_connection.channel_mutex);
		if (READ_ONCE(sub->rescind))
			first = hvb_channel_unlink(sub);
		mutex_unlock(&vmbus_connection.channel_mutex);
	}
	mutex_unlock(&bc->lock);
	if (first)
		hvb_channel_dispose(sub);
	return open ? ret : 0;
}

/**
 * vmbus_disconnect_ring() - close a channel and all its sub-channels, keep its rings
 * @channel: a primary channel
 *
 * Return: 0; -EINVAL: a sub-channel, or not open; else the host keeps rings of it, or of a
 * sub-channel.
 * Context: process.
 */
int vmbus_disconnect_ring(struct vmbus_channel *channel)
{
	struct hvb_channel *bc = hvb_channel_of(channel);
	struct vmbus_channel *sub = NULL;
	int kept = 0;
	int ret;

	if (channel->primary_channel)
		return -EINVAL;

	while ((sub = next_sub(channel, sub)))
		kept = close_sub(sub) ?: kept;

	mutex_lock(&bc->lock);
	ret = close_locked(channel);
	mutex_unlock(&bc->lock);
	return ret ?: kept;
}
EXPORT_SYMBOL_GPL(vmbus_disconnect_ring);

/**
 * vmbus_close() - close a channel and all its sub-channels, and free the rings
 * @channel: a primary channel
 *
 * Context: process.
 */
void vmbus_close(struct vmbus_channel *channel)
{
	if (!vmbus_disconnect_ring(channel))
		vmbus_free_ring(channel);
}
EXPORT_SYMBOL_GPL(vmbus_close);

/**
 * vmbus_send_modifychannel() - ask the host to interrupt another VP
 * @channel: open
 * @target_vp: index of the VP
 *
 * Return: 0; -EAGAIN: refused.
 * Context: process; the caller sees to target_cpu.
 */
int vmbus_send_modifychannel(struct vmbus_channel *channel, u32 target_vp)
{
	struct hvb_request request;
	unsigned long flags;
	int status;

	hvb_request_init(&request);
	flags = hvb_lock();
	status = hv_vmbus_modify(&hvb_bus, &hvb_channel_of(channel)->core, target_vp,
				 &request.core, &request, hvb_now());
	hvb_unlock(flags);
	return status ? hvb_errno(status) : hvb_request_wait(&request, -EAGAIN);
}
EXPORT_SYMBOL_GPL(vmbus_send_modifychannel);

/**
 * vmbus_send_tl_connect_request() - ask the host for an hv_sock connection
 * @shv_guest_servie_id: the endpoint here
 * @shv_host_servie_id: the service there
 *
 * Return: 0: asked. The answer is the offer of a channel.
 * Context: process.
 */
int vmbus_send_tl_connect_request(const guid_t *shv_guest_servie_id,
				  const guid_t *shv_host_servie_id)
{
	unsigned long flags;
	int status;

	flags = hvb_lock();
	status = hv_vmbus_connect_service(&hvb_bus, shv_guest_servie_id->b, shv_host_servie_id->b);
	hvb_unlock(flags);
	if (status)
		return hvb_errno(status);
	hvb_post_all();
	return 0;
}
EXPORT_SYMBOL_GPL(vmbus_send_tl_connect_request);
