// SPDX-License-Identifier: GPL-2.0-only
/* Channels of an adapter: opening and closing, draining. */
#include <linux/dma-mapping.h>
#include <linux/slab.h>

#include "netvsc_device.h"

u32 netvsc_ring_bytes;

static void netvsc_free_queue(struct netvsc_queue *queue)
{
	netvsc_xdp_close(queue);
	kvfree(queue->mapped);
	kvfree(queue->sent);
	if (queue->headers)
		free_pages_exact(queue->headers, NETVSC_PAGES * HV_NETVSC_HEADER_ROOM);
	kvfree(queue->memory);
	kvfree(queue->core);
	kfree(queue);
}

static const struct hv_netvsc_plan netvsc_plan = {
	.sections = NETVSC_SECTIONS,
	.pages = NETVSC_PAGES,
};

static struct netvsc_queue *netvsc_alloc_queue(struct netvsc_adapter *adapter,
					       struct vmbus_channel *vmbus, u32 index)
{
	struct netvsc_queue *queue = kzalloc(sizeof(*queue), GFP_KERNEL);
	unsigned int i;

	if (!queue)
		return NULL;
	queue->adapter = adapter;
	queue->vmbus = vmbus;
	queue->index = index;
	spin_lock_init(&queue->lock);
	timer_setup(&queue->wait, netvsc_wait_expired, 0);
	hv_netvsc_stall_create(&queue->stall);
	queue->rx = &adapter->net->queue_traffic[index].rx;
	queue->tx = &adapter->net->queue_traffic[index].tx;
	queue->core = kvzalloc(sizeof(*queue->core), GFP_KERNEL);
	queue->memory = kvzalloc(hv_netvsc_queue_bytes(&netvsc_plan), GFP_KERNEL);
	queue->sent = kvcalloc(NETVSC_PAGES, sizeof(*queue->sent), GFP_KERNEL);
	queue->headers = alloc_pages_exact(NETVSC_PAGES * HV_NETVSC_HEADER_ROOM, GFP_KERNEL);
	if (!queue->core || !queue->memory || !queue->sent || !queue->headers)
		goto free;
	if (netvsc_must_map()) {
		queue->mapped = kvcalloc(NETVSC_PAGES * NETVSC_PIECES, sizeof(dma_addr_t),
					 GFP_KERNEL);
		if (!queue->mapped)
			goto free;
		for (i = 0; i < NETVSC_PAGES; i++)
			queue->sent[i].mapped = queue->mapped + i * NETVSC_PIECES;
	}
	return queue;

free:
	netvsc_free_queue(queue);
	return NULL;
}

static int netvsc_create_core(struct netvsc_queue *queue)
{
	struct hv_port_rings rings;

	hv_client_rings(queue->vmbus, &rings);
	return hv_status_errno(hv_netvsc_queue_create(queue->core, queue->memory,
						      hv_netvsc_queue_bytes(&netvsc_plan),
						      &netvsc_plan, &rings, queue->index == 0));
}

static void netvsc_start_polling(struct netvsc_queue *queue)
{
	/* Pairs with netvsc_poll(). What the host has said before gives no further signal. */
	smp_store_release(&queue->ready, true);
	local_bh_disable();
	napi_schedule(&queue->napi);
	local_bh_enable();
}

/*
 * Opens a channel; the primary one is polled at once. Polling is allowed before the channel opens,
 * so that no signal is lost. What was listed is freed by netvsc_close_channels().
 */
struct netvsc_queue *netvsc_open_channel(struct netvsc_adapter *adapter,
					 struct vmbus_channel *vmbus, u32 index)
{
	struct netvsc_queue *queue = netvsc_alloc_queue(adapter, vmbus, index);
	int ret;

	if (!queue)
		return ERR_PTR(-ENOMEM);
	/* Pairs with netvsc_open_queues(). */
	smp_store_release(&adapter->queues[index], queue);
	netif_napi_add(adapter->net->dev, &queue->napi, netvsc_poll);
	napi_enable(&queue->napi);
	ret = netvsc_xdp_open(queue);
	if (ret)
		return ERR_PTR(ret);

	set_channel_read_mode(vmbus, HV_CALL_ISR);
	vmbus->max_pkt_size = sizeof(struct vmpacket_descriptor) + HV_NETVSC_MOST_PACKET;
	ret = vmbus_open(vmbus, netvsc_ring_bytes, netvsc_ring_bytes, NULL, 0, netvsc_on_channel,
			 queue);
	if (ret)
		return ERR_PTR(ret);
	queue->opened = true;
	ret = netvsc_create_core(queue);
	if (ret)
		return ERR_PTR(ret);
	if (index == 0) {
		WRITE_ONCE(adapter->open, 1);
		netvsc_start_polling(queue);
	}
	return queue;
}

/* Gives the channel what it needs for frames: the host has said how the buffers are cut. */
void netvsc_ready_channel(struct netvsc_queue *queue)
{
	struct netvsc_adapter *adapter = queue->adapter;
	const struct hv_netvsc_opened *opened = &adapter->opened;
	u32 share = opened->send_sections / adapter->wanted;
	unsigned long flags;

	spin_lock_irqsave(&queue->lock, flags);
	if (share)
		hv_netvsc_share_send(queue->core, adapter->send.memory, opened->send_section_size,
				     share * queue->index, share);
	hv_netvsc_adopt_limits(queue->core, &adapter->facts);
	spin_unlock_irqrestore(&queue->lock, flags);
	if (queue->index == 0)
		return;
	hv_netvsc_share_receive(queue->core, adapter->receive.memory,
				opened->receive_sections * opened->receive_section_size,
				opened->version);
	netvsc_start_polling(queue);
}

int netvsc_add_channel(struct hv_client *client, struct vmbus_channel *vmbus)
{
	struct netvsc_net *net = netvsc_of(client);
	struct netvsc_adapter *adapter = net->accepting;
	u32 index = vmbus->offermsg.offer.sub_channel_index;
	struct netvsc_queue *queue;

	if (!index || index >= adapter->wanted || adapter->queues[index])
		return 0;
	queue = netvsc_open_channel(adapter, vmbus, index);
	if (IS_ERR(queue))
		return PTR_ERR(queue);
	netvsc_ready_channel(queue);
	WRITE_ONCE(adapter->open, adapter->open + 1);
	wake_up(&adapter->opened_one);
	schedule_delayed_work(&net->queues_work, 0);
	return 0;
}

/* To be called before the host is asked for sub-channels. */
void netvsc_allow_sub_channels(struct netvsc_adapter *adapter)
{
	adapter->net->accepting = adapter;
	hv_client_take_channels(&adapter->net->client);
}

/*
 * Closes all channels, however far they were opened, and lets go of what the host had. Returns
 * whether the host has let go of the rings.
 */
bool netvsc_close_channels(struct netvsc_adapter *adapter)
{
	struct netvsc_net *net = adapter->net;
	struct netvsc_queue *queue;
	bool let_go = true;
	unsigned int i;

	hv_client_take_no_channels(&net->client);
	for (i = 0; i < HV_NETVSC_MOST_QUEUES; i++) {
		queue = adapter->queues[i];
		if (!queue)
			continue;
		napi_disable(&queue->napi);
		netif_napi_del(&queue->napi);
		del_timer_sync(&queue->wait);
	}
	if (adapter->queues[0] && adapter->queues[0]->opened)
		let_go = hv_client_close_channels(&net->client);
	for (i = 0; i < HV_NETVSC_MOST_QUEUES; i++) {
		queue = adapter->queues[i];
		if (!queue)
			continue;
		adapter->queues[i] = NULL;
		if (queue->opened)
			netvsc_forget_frames(queue);
		netvsc_free_queue(queue);
	}
	return let_go;
}

static size_t netvsc_in_flight(const void *context)
{
	const struct netvsc_adapter *adapter = context;
	size_t count = 0;
	unsigned int i;

	for (i = 0; i < HV_NETVSC_MOST_QUEUES; i++) {
		struct netvsc_queue *queue = adapter->queues[i];

		/* Pairs with netvsc_start_polling(). */
		if (queue && smp_load_acquire(&queue->ready))
			count += hv_netvsc_in_flight(queue->core);
	}
	return count;
}

/* Sends what was copied and waits for more. */
static void netvsc_flush_all(struct netvsc_adapter *adapter)
{
	struct netvsc_queue *queue;
	unsigned int i;

	for (i = 0; i < adapter->active; i++) {
		queue = adapter->queues[i];
		hv_client_signal(queue->vmbus, netvsc_publish(queue));
	}
}

/* Waits until the host has nothing of ours, or its time is up. No sender is left. */
void netvsc_drain(struct netvsc_adapter *adapter)
{
	struct netvsc_net *net = adapter->net;

	netvsc_flush_all(adapter);
	if (hv_client_drain(&net->client, HV_NETVSC_DRAIN_SECONDS, netvsc_in_flight, adapter) ==
	    -EBUSY)
		netdev_warn(net->dev, "the host still has frames of ours\n");
}
