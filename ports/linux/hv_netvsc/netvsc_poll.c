// SPDX-License-Identifier: GPL-2.0-only
/* A queue's rounds: what came is taken and handed on, what the round owes is paid. */
#include "netvsc_device.h"

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
void netvsc_wait_expired(struct timer_list *timer)
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

HV_HOT int netvsc_poll(struct napi_struct *napi, int budget)
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
HV_HOT void netvsc_on_channel(void *context)
{
	struct netvsc_queue *queue = context;

	if (napi_schedule_prep(&queue->napi))
		__napi_schedule_irqoff(&queue->napi);
}
