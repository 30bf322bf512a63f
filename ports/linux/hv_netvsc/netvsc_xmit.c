// SPDX-License-Identifier: GPL-2.0-only
/* Frames of the stack go to the host. */
#include <linux/dma-mapping.h>
#include <net/sock.h>

#include "netvsc_device.h"

/* The frame may be dropped; it is counted. */
static void netvsc_drop(struct netvsc_net *net, struct sk_buff *skb)
{
	atomic_long_inc(&net->tx_dropped);
	dev_kfree_skb_any(skb);
}

/* Pages that so many bytes touch. */
static u32 netvsc_pages_of(u32 offset, u32 length)
{
	return DIV_ROUND_UP(offset_in_hvpage(offset) + length, HV_HYP_PAGE_SIZE);
}

/* Pages that a frame touches, its header's included. */
static u32 netvsc_pages_of_frame(const struct sk_buff *skb)
{
	u32 count = 1 + netvsc_pages_of(offset_in_hvpage(skb->data), skb_headlen(skb));
	int i;

	for (i = 0; i < skb_shinfo(skb)->nr_frags; i++) {
		const skb_frag_t *frag = &skb_shinfo(skb)->frags[i];

		count += netvsc_pages_of(skb_frag_off(frag), skb_frag_size(frag));
	}
	return count;
}

static struct device *netvsc_dma_device(struct netvsc_queue *queue)
{
	return &queue->adapter->net->client.hv->device;
}

/* Unmaps the first `count` of header, front and fragments. */
static void netvsc_unmap_some(struct netvsc_queue *queue, const struct netvsc_sent *sent, int count)
{
	struct device *device = netvsc_dma_device(queue);
	int i;

	if (count > 0)
		dma_unmap_single(device, sent->mapped[0], HV_NETVSC_HEADER_ROOM, DMA_TO_DEVICE);
	if (count > 1)
		dma_unmap_single(device, sent->mapped[1], skb_headlen(sent->skb), DMA_TO_DEVICE);
	for (i = 0; i < count - 2; i++)
		dma_unmap_page(device, sent->mapped[2 + i],
			       skb_frag_size(&skb_shinfo(sent->skb)->frags[i]), DMA_TO_DEVICE);
}

static void netvsc_unmap(struct netvsc_queue *queue, const struct netvsc_sent *sent)
{
	if (unlikely(sent->mapped))
		netvsc_unmap_some(queue, sent, 2 + skb_shinfo(sent->skb)->nr_frags);
}

/* In a confidential machine: maps header, front and fragments. False: they cannot be mapped now. */
static bool netvsc_map(struct netvsc_queue *queue, struct netvsc_sent *sent, void *header)
{
	struct device *device = netvsc_dma_device(queue);
	const struct sk_buff *skb = sent->skb;
	int i;

	for (i = 0; i < 2 + skb_shinfo(skb)->nr_frags; i++) {
		if (i == 0) {
			sent->mapped[i] = dma_map_single(device, header, HV_NETVSC_HEADER_ROOM,
							 DMA_TO_DEVICE);
		} else if (i == 1) {
			sent->mapped[i] = dma_map_single(device, skb->data, skb_headlen(skb),
							 DMA_TO_DEVICE);
		} else {
			const skb_frag_t *frag = &skb_shinfo(skb)->frags[i - 2];

			sent->mapped[i] = skb_frag_dma_map(device, frag, 0, skb_frag_size(frag),
							   DMA_TO_DEVICE);
		}
		if (dma_mapping_error(device, sent->mapped[i])) {
			netvsc_unmap_some(queue, sent, i);
			return false;
		}
	}
	return true;
}

/* Tells the core where header, front and fragments lie. Returns enum hv_status. */
static HV_HOT int netvsc_list(struct netvsc_queue *queue, const struct netvsc_sent *sent,
			      const struct hv_netvsc_frame *frame, void *header)
{
	const struct sk_buff *skb = sent->skb;
	const dma_addr_t *mapped = sent->mapped;
	int ret;
	int i;

	ret = hv_netvsc_list_header(queue->core, frame,
				    unlikely(mapped) ? mapped[0] : virt_to_phys(header));
	/* What goes by its fragments alone has no front. */
	if (ret == HV_OK && skb_headlen(skb))
		ret = hv_netvsc_list_piece(queue->core,
					   unlikely(mapped) ? mapped[1] : virt_to_phys(skb->data),
					   skb_headlen(skb));
	for (i = 0; ret == HV_OK && i < skb_shinfo(skb)->nr_frags; i++) {
		const skb_frag_t *frag = &skb_shinfo(skb)->frags[i];
		u64 address = page_to_phys(skb_frag_page(frag)) + skb_frag_off(frag);

		ret = hv_netvsc_list_piece(queue->core, unlikely(mapped) ? mapped[2 + i] : address,
					   skb_frag_size(frag));
	}
	return ret;
}

/* Under the queue's lock. Returns enum hv_status; HV_OK: the frame is the queue's. */
static HV_HOT int netvsc_send_pages(struct netvsc_queue *queue, struct sk_buff *skb,
				    const struct hv_netvsc_frame *frame)
{
	int slot = hv_netvsc_take_pages(queue->core);
	struct netvsc_sent *sent;
	void *header;
	u32 index;
	int ret;

	if (slot < 0)
		return slot;
	index = hv_netvsc_page_index(queue->core, slot);
	sent = &queue->sent[index];
	header = queue->headers + index * HV_NETVSC_HEADER_ROOM;
	/* Before it is sent: its completion may come at once. */
	sent->skb = skb;
	if (unlikely(sent->mapped) && !netvsc_map(queue, sent, header)) {
		ret = HV_NO_MEMORY;
		goto drop;
	}
	ret = netvsc_list(queue, sent, frame, header);
	if (likely(ret == HV_OK))
		ret = hv_netvsc_send_pages(queue->core, slot, frame, header);
	if (likely(ret == HV_OK)) {
		/* The header was written behind its mapping; nothing is published yet. */
		if (unlikely(sent->mapped))
			dma_sync_single_for_device(netvsc_dma_device(queue), sent->mapped[0],
						   HV_NETVSC_HEADER_ROOM, DMA_TO_DEVICE);
		return HV_OK;
	}
	netvsc_unmap(queue, sent);
drop:
	sent->skb = NULL;
	hv_netvsc_drop_pages(queue->core, slot);
	return ret;
}

/* Under the queue's lock. Returns enum hv_status; HV_OK: the frame is done with. */
static int netvsc_send_copy(struct netvsc_queue *queue, struct sk_buff *skb,
			    const struct hv_netvsc_frame *frame)
{
	void *place;
	int ret;

	ret = hv_netvsc_copy(queue->core, frame, &place);
	if (ret)
		return ret;
	if (skb_copy_bits(skb, 0, place, frame->length))
		WARN_ONCE(1, "hv_netvsc: a frame is shorter than it says\n");
	return HV_OK;
}

/* Under the queue's lock: no more frames until the host has done some. Closes the race with it. */
static void netvsc_stop(struct netvsc_queue *queue)
{
	struct netvsc_net *net = queue->adapter->net;
	struct netdev_queue *txq = netdev_get_tx_queue(net->dev, queue->index);

	WRITE_ONCE(queue->stops, queue->stops + 1);
	netif_tx_stop_queue(txq);
	atomic_long_inc(&net->eth_stats.stop_queue);
	schedule_delayed_work(&net->stall_work, NETVSC_STALL_LOOKS);
	/* From here on a signal comes when there is room; there may be already. */
	if (hv_netvsc_await_room(queue->core, NETVSC_WAKE_PERCENT) == 1)
		netvsc_wake(queue);
}

/* Under the queue's lock: frames may come again, if the queue was stopped and has room. */
HV_HOT void netvsc_wake(struct netvsc_queue *queue)
{
	struct netvsc_net *net = queue->adapter->net;
	struct netdev_queue *txq = netdev_get_tx_queue(net->dev, queue->index);

	if (likely(!netif_tx_queue_stopped(txq)) || !netif_running(net->dev) ||
	    !netif_device_present(net->dev) ||
	    rcu_access_pointer(net->adapter) != queue->adapter)
		return;
	if (hv_netvsc_may_send(queue->core, NETVSC_WAKE_PERCENT) != 1)
		return;
	atomic_long_inc(&net->eth_stats.wake_queue);
	netif_tx_wake_queue(txq);
}

static void netvsc_count_sent(struct netvsc_queue *queue, u32 packets, u32 bytes)
{
	u64_stats_update_begin(&queue->tx->sync);
	u64_stats_add(&queue->tx->of[NETVSC_PACKETS], packets);
	u64_stats_add(&queue->tx->of[NETVSC_BYTES], bytes);
	u64_stats_update_end(&queue->tx->sync);
}

/* Under the queue's lock. Returns enum hv_status. */
static int netvsc_send(struct netvsc_queue *queue, struct sk_buff *skb,
		       const struct hv_netvsc_frame *frame, bool *kept)
{
	int ret = netvsc_send_copy(queue, skb, frame);

	*kept = false;
	if (ret != HV_EXHAUSTED && ret != HV_BAD_LENGTH)
		return ret;
	if (frame->length < ETH_FRAME_LEN)
		atomic_long_inc(&queue->adapter->net->eth_stats.tx_send_full);
	ret = netvsc_send_pages(queue, skb, frame);
	*kept = ret == HV_OK;
	return ret;
}

/* Under the queue's lock: a copy, when no section is free. Returns enum hv_status. */
static int netvsc_send_copy_in_pages(struct netvsc_queue *queue, const void *bytes,
				     const struct hv_netvsc_frame *frame)
{
	struct sk_buff *skb = netdev_alloc_skb(queue->adapter->net->dev, frame->length);
	int ret;

	if (!skb)
		return HV_NO_MEMORY;
	skb_put_data(skb, bytes, frame->length);
	ret = netvsc_send_pages(queue, skb, frame);
	if (ret)
		dev_kfree_skb_any(skb);
	return ret;
}

/* Sends a frame that is no skb. Its bytes are copied; netvsc_flush_queue() is to come. */
int netvsc_send_bytes(struct netvsc_queue *queue, const void *bytes,
		      const struct hv_netvsc_frame *frame)
{
	unsigned long flags;
	void *place;
	int ret;

	spin_lock_irqsave(&queue->lock, flags);
	ret = hv_netvsc_copy(queue->core, frame, &place);
	if (likely(ret == HV_OK))
		memcpy(place, bytes, frame->length);
	else if (ret == HV_EXHAUSTED || ret == HV_BAD_LENGTH)
		ret = netvsc_send_copy_in_pages(queue, bytes, frame);
	netvsc_count_full(queue, ret == HV_RING_FULL);
	if (likely(ret == HV_OK))
		netvsc_count_sent(queue, 1, frame->length);
	spin_unlock_irqrestore(&queue->lock, flags);
	return ret;
}

/* Shows the host what was copied. `xdp_frames` of it are counted as other interfaces' frames. */
void netvsc_flush_queue(struct netvsc_queue *queue, unsigned int xdp_frames)
{
	unsigned long flags;
	int signal;

	spin_lock_irqsave(&queue->lock, flags);
	signal = netvsc_publish_locked(queue);
	u64_stats_update_begin(&queue->tx->sync);
	u64_stats_add(&queue->tx->of[NETVSC_XDP_XMIT], xdp_frames);
	u64_stats_update_end(&queue->tx->sync);
	spin_unlock_irqrestore(&queue->lock, flags);
	hv_client_signal(queue->vmbus, signal);
}

static netdev_tx_t netvsc_xmit(struct netvsc_adapter *adapter, struct netvsc_queue *queue,
			       struct sk_buff *skb)
{
	struct netvsc_net *net = adapter->net;
	struct hv_netvsc_frame frame;
	u32 packets = skb_is_gso(skb) ? skb_shinfo(skb)->gso_segs : 1;
	bool more = netdev_xmit_more();
	netdev_tx_t result = NETDEV_TX_OK;
	bool fit, kept = false;
	unsigned long flags;
	int signal = HV_NO_SIGNAL;
	int ret = HV_BAD_VALUE;
	int room;

	fit = netvsc_describe(adapter, skb, &frame);
	if (fit && unlikely(netvsc_pages_of_frame(skb) > HV_NETVSC_MOST_PAGES)) {
		atomic_long_inc(&net->eth_stats.tx_scattered);
		fit = !skb_linearize(skb);
		if (!fit)
			atomic_long_inc(&net->eth_stats.tx_no_memory);
	}
	if (fit && unlikely(netvsc_pages_of_frame(skb) > HV_NETVSC_MOST_PAGES)) {
		atomic_long_inc(&net->eth_stats.tx_too_big);
		fit = false;
	}
	if (likely(fit))
		skb_tx_timestamp(skb);
	/* Its completion comes when the host comes round to it, later than a device's would. */
	sk_pacing_shift_update(skb->sk, NETVSC_PACING_SHIFT);

	spin_lock_irqsave(&queue->lock, flags);
	if (likely(fit))
		ret = netvsc_send(queue, skb, &frame, &kept);
	room = hv_netvsc_may_send(queue->core, NETVSC_STOP_PERCENT);
	if (unlikely(room != 1)) {
		netvsc_stop(queue);
		more = false;
	}
	if (!more || ret != HV_OK)
		signal = netvsc_publish_locked(queue);
	if (likely(ret == HV_OK))
		netvsc_count_sent(queue, packets, frame.length);
	netvsc_count_full(queue, ret == HV_RING_FULL);
	if (ret == HV_RING_FULL || ret == HV_EXHAUSTED) {
		/* It was not stopped in time. */
		if (!netif_tx_queue_stopped(netdev_get_tx_queue(net->dev, queue->index)))
			netvsc_stop(queue);
		atomic_long_inc(&net->eth_stats.tx_busy);
		result = NETDEV_TX_BUSY;
	}
	spin_unlock_irqrestore(&queue->lock, flags);
	hv_client_signal(queue->vmbus, signal);
	if (unlikely(ret == HV_RING_CORRUPT || room < 0))
		hv_client_break(&queue->adapter->net->client, HV_CLIENT_RING_BROKEN);

	if (likely(ret == HV_OK)) {
		if (!kept)
			dev_consume_skb_any(skb);
	} else if (result == NETDEV_TX_OK) {
		netvsc_drop(net, skb);
	}
	return result;
}

HV_HOT netdev_tx_t netvsc_start_xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct netvsc_net *net = netdev_priv(dev);
	struct netvsc_adapter *adapter;
	netdev_tx_t result = NETDEV_TX_OK;
	u16 index = skb_get_queue_mapping(skb);
	struct net_device *vf;

	rcu_read_lock();
	adapter = rcu_dereference(net->adapter);
	vf = netvsc_vf_carrying(net);
	if (unlikely(vf))
		netvsc_vf_xmit(net, vf, skb);
	else if (likely(adapter && index < READ_ONCE(adapter->active)))
		result = netvsc_xmit(adapter, adapter->queues[index], skb);
	else
		netvsc_drop(net, skb);
	rcu_read_unlock();
	return result;
}

/* The host is done with a slot. From the poll. */
HV_HOT void netvsc_frame_sent(struct netvsc_queue *queue, const struct hv_netvsc_event *event,
			      int budget)
{
	if (event->pages) {
		struct netvsc_sent *sent;

		sent = &queue->sent[hv_netvsc_page_index(queue->core, event->slot)];
		netvsc_unmap(queue, sent);
		napi_consume_skb(sent->skb, budget);
		sent->skb = NULL;
	}
	if (unlikely(!event->good))
		atomic_long_inc(&queue->adapter->net->tx_errors);
	hv_netvsc_release(queue->core, event->slot);
}

/* Behind the closing of the channel: what the host had is lost. */
void netvsc_forget_frames(struct netvsc_queue *queue)
{
	u32 i;

	for (i = 0; i < NETVSC_PAGES; i++) {
		struct netvsc_sent *sent = &queue->sent[i];

		if (!sent->skb)
			continue;
		netvsc_unmap(queue, sent);
		netvsc_drop(queue->adapter->net, sent->skb);
		sent->skb = NULL;
	}
}
