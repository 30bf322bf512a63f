// SPDX-License-Identifier: GPL-2.0-only
/* Frames of the host go up the stack. */
#include <linux/etherdevice.h>
#include <linux/filter.h>
#include <linux/if_vlan.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <net/ip.h>

#include "netvsc_device.h"

/* Frames up to here lie in one piece; what the host has joined may be longer. Bytes. */
#define NETVSC_LINEAR 16384
/* Of a longer frame this much lies in front. */
#define NETVSC_FRONT 256

/* A frame's bytes are shared with the host: they are copied, once, before any is looked at. */
static struct sk_buff *netvsc_copy_frame(struct netvsc_queue *queue,
					 const struct hv_netvsc_event *event)
{
	struct sk_buff *skb;
	u32 at = 0;
	u32 i;
	int err;

	if (likely(event->length <= NETVSC_LINEAR)) {
		skb = napi_alloc_skb(&queue->napi, event->length);
		if (unlikely(!skb))
			return NULL;
		for (i = 0; i < event->fragment_count; i++)
			skb_put_data(skb, event->fragments[i].data, event->fragments[i].length);
		return skb;
	}

	skb = alloc_skb_with_frags(NET_SKB_PAD + NET_IP_ALIGN + NETVSC_FRONT,
				   event->length - NETVSC_FRONT, 0, &err, GFP_ATOMIC);
	if (unlikely(!skb))
		return NULL;
	skb_reserve(skb, NET_SKB_PAD + NET_IP_ALIGN);
	skb_put(skb, NETVSC_FRONT);
	skb->data_len = event->length - NETVSC_FRONT;
	skb->len += skb->data_len;
	skb->dev = queue->adapter->net->dev;
	for (i = 0; i < event->fragment_count; i++) {
		if (skb_store_bits(skb, at, event->fragments[i].data, event->fragments[i].length)) {
			kfree_skb(skb);
			return NULL;
		}
		at += event->fragments[i].length;
	}
	return skb;
}

/* A header that is cut off, or none, is left to the stack to refuse. */
static void netvsc_sum_header(struct sk_buff *skb)
{
	if (skb->protocol != htons(ETH_P_IP) || !pskb_may_pull(skb, sizeof(struct iphdr)))
		return;
	skb_reset_network_header(skb);
	if (ip_hdr(skb)->ihl < 5 || !pskb_may_pull(skb, ip_hdrlen(skb)))
		return;
	ip_send_check(ip_hdr(skb));
}

/*
 * A joined frame says how it is cut again, or it would go no farther than to this stack: a device
 * that it is redirected to drops what is longer than its MTU. Before eth_type_trans().
 */
static void netvsc_describe_joined(const struct net_device *dev,
				   const struct hv_netvsc_event *event, struct sk_buff *skb)
{
	struct hv_netvsc_joined joined;
	struct tcphdr *tcp;

	if (hv_netvsc_describe_joined(skb->data, skb_headlen(skb), skb->len, event->fragment_count,
				      READ_ONCE(dev->mtu), &joined))
		return;
	if (!skb_partial_csum_set(skb, joined.transport_offset, offsetof(struct tcphdr, check)))
		return;
	tcp = (struct tcphdr *)(skb->data + joined.transport_offset);
	tcp->check = (__force __sum16)htons(joined.pseudo_sum);
	skb_shinfo(skb)->gso_size = joined.segment;
	skb_shinfo(skb)->gso_segs = joined.segments;
	/* GRO would join it with others, in a list that cannot be cut into these segments. */
	skb_shinfo(skb)->gso_type = SKB_GSO_DODGY |
				    (joined.ipv6 ? SKB_GSO_TCPV6 : SKB_GSO_TCPV4) |
				    (joined.congestion ? SKB_GSO_TCP_ECN : 0);
}

/* What the host says of the frame's checksums. Before eth_type_trans(). */
static HV_HOT void netvsc_adopt_checksum(const struct net_device *dev,
					 const struct hv_netvsc_event *event, struct sk_buff *skb)
{
	if (!(dev->features & NETIF_F_RXCSUM) || !event->has_checksum ||
	    !(event->checksum & (HV_NETVSC_TCP_GOOD | HV_NETVSC_UDP_GOOD)))
		return;
	skb->ip_summed = CHECKSUM_UNNECESSARY;
	if (unlikely(event->joined) && event->checksum & HV_NETVSC_TCP_GOOD)
		netvsc_describe_joined(dev, event, skb);
}

HV_HOT void netvsc_frame_received(struct netvsc_queue *queue, const struct hv_netvsc_event *event)
{
	struct netvsc_net *net = queue->adapter->net;
	struct net_device *dev = net->dev;
	struct bpf_prog *prog;
	struct sk_buff *skb;

	if (unlikely(!netif_running(dev))) {
		atomic_long_inc(&net->rx_dropped);
		return;
	}
	/* Polled with bottom halves off, which is what holds the program. */
	prog = rcu_dereference_bh(net->xdp_prog);
	if (unlikely(prog)) {
		skb = netvsc_run_xdp(queue, event, prog);
		if (!skb)
			return;
	} else {
		skb = netvsc_copy_frame(queue, event);
	}
	if (unlikely(!skb)) {
		atomic_long_inc(&net->eth_stats.rx_no_memory);
		atomic_long_inc(&net->rx_dropped);
		return;
	}

	netvsc_adopt_checksum(dev, event, skb);
	skb->protocol = eth_type_trans(skb, dev);
	if (unlikely(event->sum_header))
		netvsc_sum_header(skb);
	if (event->has_hash && (dev->features & NETIF_F_RXHASH))
		skb_set_hash(skb, event->hash, PKT_HASH_TYPE_L4);
	if (event->has_vlan)
		__vlan_hwaccel_put_tag(skb, htons(ETH_P_8021Q), event->vlan);
	skb_record_rx_queue(skb, queue->index);

	u64_stats_update_begin(&queue->rx->sync);
	u64_stats_inc(&queue->rx->of[NETVSC_PACKETS]);
	u64_stats_add(&queue->rx->of[NETVSC_BYTES], event->length);
	/* As in tree, this counter has broadcasts, too. */
	if (skb->pkt_type == PACKET_MULTICAST || skb->pkt_type == PACKET_BROADCAST)
		u64_stats_inc(&queue->rx->of[NETVSC_MULTICAST]);
	u64_stats_update_end(&queue->rx->sync);

	napi_gro_receive(&queue->napi, skb);
}
