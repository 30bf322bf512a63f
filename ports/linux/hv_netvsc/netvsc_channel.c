// SPDX-License-Identifier: GPL-2.0-only
/* Channels of an adapter: opening and closing, polling, draining. */
#include <linux/dma-mapping.h>
#include <linux/slab.h>

#include "netvsc_device.h"

/* Under the queue's lock. What sysfs says of packets that found the ring full. */
HV_HOT void netvsc_count_full(struct netvsc_queue *queue, bool full)
{
	struct vmbus_channel *vmbus = queue->vmbus;

	if (likely(!full && !queue->full))
		return;
	vmbus->out_full_total += full;
	vmbus->out_full_first += full && !queue->full;
	vmbus->out_full_flag = full;
	queue->full = full;
}

/* Shows the host what is copied and staged. Under the queue's lock. Returns enum hv_signal. */
HV_HOT int netvsc_publish_locked(struct netvsc_queue *queue)
{
	return hv_client_count_signal(queue->vmbus, hv_netvsc_publish(queue->core));
}

/* The same without the lock. */
int netvsc_publish(struct netvsc_queue *queue)
{
	unsigned long flags;
	int signal;

	spin_lock_irqsave(&queue->lock, flags);
	signal = netvsc_publish_locked(queue);
	spin_unlock_irqrestore(&queue->lock, flags);
	return signal;
}

static void netvsc_event(struct netvsc_queue *queue, const struct hv_netvsc_event *event,
			 int budget)
{
	struct netvsc_adapter *adapter = queue->adapter;
	struct netvsc_net *net = adapter->net;

	switch (event->kind) {
	case HV_NETVSC_FRAME:
		netvsc_frame_received(queue, event);
		break;
	case HV_NETVSC_SENT:
		netvsc_frame_sent(queue, event, budget);
		break;
	case HV_NETVSC_CONTROL:
		netvsc_take_control(adapter, event);
		break;
	case HV_NETVSC_ANSWERED:
		/* Only the primary channel was asked anything. */
		netvsc_take_answer(adapter, event);
		break;
	case HV_NETVSC_SEND_TABLE_CAME: {
		unsigned int i;

		for (i = 0; i < HV_NETVSC_SEND_TABLE; i++)
			WRITE_ONCE(net->send_table[i], event->table[i]);
		break;
	}
	case HV_NETVSC_VF_ASSOCIATION:
		netvsc_vf_told(net, event->vf_allocated, event->vf_serial);
		break;
	case HV_NETVSC_DROPPED:
		atomic_long_inc(&net->rx_errors);
		break;
	}
}

static void netvsc_start_wait(struct netvsc_queue *queue)
{
	mod_timer(&queue->wait, jiffies + msecs_to_jiffies(HV_NETVSC_PIGGYBACK_MS));
}

/* Completions have waited to go along with a frame, and perhaps none came. In softirq context. */
static void netvsc_wait_expired(struct timer_list *timer)
{
	struct netvsc_queue *queue = container_of(timer, struct netvsc_queue, wait);
	struct hv_round_end end;
	unsigned long flags;

	spin_lock_irqsave(&queue->lock, flags);
	end = hv_netvsc_wait_expired(queue->core);
	hv_client_count_signal(queue->vmbus, end.signal);
	if (end.arm_timer)
		netvsc_start_wait(queue);
	spin_unlock_irqrestore(&queue->lock, flags);
	hv_client_signal(queue->vmbus, end.signal);
}

/*
 * What the round owes: completions if `pay`, the batch that found no room before, a queue that may
 * go on. With `may_wait` completions may be left for the next frame to be published with. Returns
 * whether to go on without waiting.
 */
static HV_HOT bool netvsc_settle(struct netvsc_queue *queue, bool pay, bool may_wait)
{
	struct hv_round_end end;
	unsigned long flags;

	spin_lock_irqsave(&queue->lock, flags);
	end = hv_netvsc_finish_round(queue->core, pay, may_wait);
	hv_client_count_signal(queue->vmbus, end.signal);
	if (end.again)
		netvsc_count_full(queue, true);
	if (end.arm_timer && !timer_pending(&queue->wait))
		netvsc_start_wait(queue);
	netvsc_wake(queue);
	spin_unlock_irqrestore(&queue->lock, flags);
	hv_client_signal(queue->vmbus, end.signal);

	if (end.again)
		atomic_long_inc(&queue->adapter->net->eth_stats.rx_comp_busy);
	if (end.broken)
		hv_client_break(&queue->adapter->net->client, HV_CLIENT_RING_BROKEN);
	return end.again;
}

/* Returns the packets taken, at most `budget`. `*busy`: completions are owed and find no room. */
static int netvsc_take_packets(struct netvsc_queue *queue, int budget, bool *busy)
{
	struct netvsc_net *net = queue->adapter->net;
	struct hv_netvsc_event event;
	int done = 0;
	int ret;

	while (done < budget && !*busy) {
		ret = hv_netvsc_next(queue->core, &event);
		if (ret == HV_RING_EMPTY)
			break;
		if (ret == HV_RING_CORRUPT) {
			hv_client_break(&queue->adapter->net->client, HV_CLIENT_RING_BROKEN);
			break;
		}
		done++;
		if (likely(ret == HV_OK)) {
			netvsc_event(queue, &event, budget);
		} else if (ret == HV_EXHAUSTED) {
			*busy = netvsc_settle(queue, true, false);
		} else {
			atomic_long_inc(&net->rx_errors);
			if (net_ratelimit())
				netdev_warn(net->dev, "packet refused: %d\n", ret);
		}
	}
	return done;
}

static HV_HOT int netvsc_poll(struct napi_struct *napi, int budget)
{
	struct netvsc_queue *queue = container_of(napi, struct netvsc_queue, napi);
	bool busy = false;
	u32 position;
	int done;

	/* Pairs with netvsc_start_polling(), which schedules anew. */
	if (!smp_load_acquire(&queue->ready) || hv_life_broken(&queue->adapter->net->client.life)) {
		napi_complete_done(napi, 0);
		return 0;
	}
	/* A console polls so, whoever is scheduled: it wants room, and no packets. */
	if (budget == 0) {
		netvsc_settle(queue, true, false);
		return 0;
	}
	hv_netvsc_mask(queue->core);
	done = netvsc_take_packets(queue, budget, &busy);
	netvsc_xdp_flush(queue);
	/* A full round is followed by the next one, which pays for both with one signal. */
	if (!busy)
		busy = netvsc_settle(queue, done < budget, done < budget);
	hv_client_gave_back(queue->vmbus, hv_netvsc_give_back(queue->core));

	/* While completions are owed there is no end: nobody would wake us for them. */
	if (busy || done >= budget)
		return budget;
	/*
	 * What comes while the stack has its frames is seen in the ring, and needs no interrupt.
	 * From napi_complete_done() on another CPU may poll; netif_napi_del() waits for our end.
	 */
	position = hv_netvsc_position(queue->core);
	if (napi_complete_done(napi, done) && hv_netvsc_unmask_behind(queue->core, position) == 1)
		napi_schedule(napi);
	return done;
}

/* From the bus, in interrupt context. */
static HV_HOT void netvsc_on_channel(void *context)
{
	struct netvsc_queue *queue = context;

	if (napi_schedule_prep(&queue->napi))
		__napi_schedule_irqoff(&queue->napi);
}

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
