// SPDX-License-Identifier: GPL-2.0-only
/* XDP: a program sees each frame of the host before the stack does. */
#include <linux/bpf.h>
#include <linux/bpf_trace.h>
#include <linux/filter.h>
#include <linux/if_vlan.h>
#include <linux/netpoll.h>

#include "netvsc_device.h"

/* A frame for a program lies in a page of its own, with room before and behind it. */
#define NETVSC_XDP_ROOM \
	(PAGE_SIZE - XDP_PACKET_HEADROOM - SKB_DATA_ALIGN(sizeof(struct skb_shared_info)))

/* Whether frames of this MTU fit. */
bool netvsc_xdp_takes_mtu(unsigned int mtu)
{
	return mtu + ETH_HLEN <= NETVSC_XDP_ROOM;
}

int netvsc_xdp_open(struct netvsc_queue *queue)
{
	int ret = xdp_rxq_info_reg(&queue->xdp_rxq, queue->adapter->net->dev, queue->index,
				   queue->napi.napi_id);

	return ret ?: xdp_rxq_info_reg_mem_model(&queue->xdp_rxq, MEM_TYPE_PAGE_SHARED, NULL);
}

/* Does nothing when it was not opened. */
void netvsc_xdp_close(struct netvsc_queue *queue)
{
	if (xdp_rxq_info_is_reg(&queue->xdp_rxq))
		xdp_rxq_info_unreg(&queue->xdp_rxq);
}

/* `result`: one of the counters of XDP. */
static void netvsc_xdp_count(struct netvsc_queue *queue, enum netvsc_counter result, u32 bytes)
{
	struct netvsc_counters *rx = queue->rx;

	u64_stats_update_begin(&rx->sync);
	u64_stats_inc(&rx->of[result]);
	if (result != NETVSC_XDP_DROP) {
		u64_stats_inc(&rx->of[NETVSC_PACKETS]);
		u64_stats_add(&rx->of[NETVSC_BYTES], bytes);
	}
	u64_stats_update_end(&rx->sync);
}

/* The page becomes the skb's. */
static struct sk_buff *netvsc_xdp_skb(const struct xdp_buff *xdp)
{
	struct sk_buff *skb = build_skb(xdp->data_hard_start, xdp->frame_sz);

	if (unlikely(!skb))
		return NULL;
	skb_reserve(skb, xdp->data - xdp->data_hard_start);
	skb_put(skb, xdp->data_end - xdp->data);
	if (xdp->data_meta < xdp->data)
		skb_metadata_set(skb, xdp->data - xdp->data_meta);
	return skb;
}

/* Sends the frame back where it came from; the page is not needed any more. */
static bool netvsc_xdp_return(struct netvsc_queue *queue, const struct hv_netvsc_event *event,
			      const struct xdp_buff *xdp)
{
	struct hv_netvsc_frame frame = {
		.length = xdp->data_end - xdp->data,
		.vlan = event->vlan,
		.tagged = event->has_vlan,
	};

	/* It is flushed at the end of the round. */
	return netvsc_send_bytes(queue, xdp->data, &frame) == HV_OK;
}

/* What the program makes of the frame in `xdp`. Returns whether its page is to be freed. */
static bool netvsc_xdp_act(struct netvsc_queue *queue, const struct hv_netvsc_event *event,
			   struct bpf_prog *prog, struct xdp_buff *xdp, struct sk_buff **skb)
{
	struct net_device *dev = queue->adapter->net->dev;
	u32 act = bpf_prog_run_xdp(prog, xdp);

	switch (act) {
	case XDP_PASS:
		*skb = netvsc_xdp_skb(xdp);
		if (likely(*skb))
			return false;
		atomic_long_inc(&queue->adapter->net->eth_stats.rx_no_memory);
		break;
	case XDP_TX:
		if (unlikely(!netvsc_xdp_return(queue, event, xdp)))
			break;
		netvsc_xdp_count(queue, NETVSC_XDP_TX, event->length);
		return true;
	case XDP_REDIRECT:
		if (likely(!xdp_do_redirect(dev, xdp, prog))) {
			queue->xdp_flush = true;
			netvsc_xdp_count(queue, NETVSC_XDP_REDIRECT, event->length);
			return false;
		}
		trace_xdp_exception(dev, prog, act);
		break;
	default:
		bpf_warn_invalid_xdp_action(dev, prog, act);
		fallthrough;
	case XDP_ABORTED:
		trace_xdp_exception(dev, prog, act);
		fallthrough;
	case XDP_DROP:
		break;
	}
	netvsc_xdp_count(queue, NETVSC_XDP_DROP, event->length);
	return true;
}

/*
 * Has the program see the frame, in a copy. From the poll, under RCU. The skb that goes up the
 * stack; none: the frame is done with, and counted.
 */
struct sk_buff *netvsc_run_xdp(struct netvsc_queue *queue, const struct hv_netvsc_event *event,
			       struct bpf_prog *prog)
{
	struct sk_buff *skb = NULL;
	struct xdp_buff xdp;
	struct page *page;
	void *to;
	u32 i;

	page = likely(event->length <= NETVSC_XDP_ROOM) ? dev_alloc_page() : NULL;
	if (unlikely(!page)) {
		netvsc_xdp_count(queue, NETVSC_XDP_DROP, event->length);
		return NULL;
	}
	xdp_init_buff(&xdp, PAGE_SIZE, &queue->xdp_rxq);
	xdp_prepare_buff(&xdp, page_address(page), XDP_PACKET_HEADROOM, event->length, true);
	to = xdp.data;
	for (i = 0; i < event->fragment_count; i++) {
		memcpy(to, event->fragments[i].data, event->fragments[i].length);
		to += event->fragments[i].length;
	}
	if (netvsc_xdp_act(queue, event, prog, &xdp, &skb))
		__free_page(page);
	return skb;
}

/* At the end of a round of polling. */
HV_HOT void netvsc_xdp_flush(struct netvsc_queue *queue)
{
	if (likely(!queue->xdp_flush))
		return;
	queue->xdp_flush = false;
	xdp_do_flush();
}

/* By the channels. Under RCU. */
static int netvsc_xdp_send(struct net_device *dev, int count, struct xdp_frame **frames)
{
	struct netvsc_net *net = netdev_priv(dev);
	struct netvsc_adapter *adapter = rcu_dereference(net->adapter);
	struct netvsc_queue *queue;
	int i;

	if (unlikely(!adapter || !netif_running(dev)))
		return -ENETDOWN;
	queue = adapter->queues[smp_processor_id() % READ_ONCE(adapter->active)];
	for (i = 0; i < count; i++) {
		struct hv_netvsc_frame frame = { .length = frames[i]->len };

		if (xdp_frame_has_frags(frames[i]) ||
		    netvsc_send_bytes(queue, frames[i]->data, &frame) != HV_OK)
			break;
		xdp_return_frame(frames[i]);
	}
	netvsc_flush_queue(queue, i);
	return i;
}

/* Frames that programs of other interfaces have for us. Returns how many were taken. */
int netvsc_xdp_xmit(struct net_device *dev, int count, struct xdp_frame **frames, u32 flags)
{
	struct net_device *vf;
	int ret;

	if (unlikely(flags & ~XDP_XMIT_FLAGS_MASK))
		return -EINVAL;
	rcu_read_lock();
	vf = netvsc_vf_carrying(netdev_priv(dev));
	if (vf && vf->netdev_ops->ndo_xdp_xmit)
		ret = vf->netdev_ops->ndo_xdp_xmit(vf, count, frames, flags);
	else
		ret = netvsc_xdp_send(dev, count, frames);
	rcu_read_unlock();
	return ret;
}

/* The program is ours when this succeeds; NULL: there is to be none. Under RTNL. */
static int netvsc_xdp_set(struct netvsc_net *net, struct bpf_prog *prog,
			  struct netlink_ext_ack *extack)
{
	struct bpf_prog *before = rtnl_dereference(net->xdp_prog);
	struct net_device *dev = net->dev;
	int ret;

	if (prog && !netvsc_xdp_takes_mtu(dev->mtu)) {
		NL_SET_ERR_MSG_MOD(extack, "frames of this MTU do not fit into a page for XDP");
		return -EOPNOTSUPP;
	}
	if (prog && (dev->features & NETIF_F_LRO)) {
		NL_SET_ERR_MSG_MOD(extack, "XDP does not go together with LRO: turn LRO off");
		return -EOPNOTSUPP;
	}
	ret = netvsc_vf_set_xdp(rtnl_dereference(net->vf), prog, extack);
	if (ret) {
		if (extack && !extack->_msg)
			NL_SET_ERR_MSG_MOD(extack, "the virtual function does not take it");
		return ret;
	}
	rcu_assign_pointer(net->xdp_prog, prog);
	if (before)
		bpf_prog_put(before);
	return 0;
}

int netvsc_bpf(struct net_device *dev, struct netdev_bpf *bpf)
{
	switch (bpf->command) {
	case XDP_SETUP_PROG:
		return netvsc_xdp_set(netdev_priv(dev), bpf->prog, bpf->extack);
	default:
		return -EINVAL;
	}
}
