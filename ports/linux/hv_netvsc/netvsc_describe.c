// SPDX-License-Identifier: GPL-2.0-only
/* What the core is told of a frame of the stack: its tag, its hash, and what the host is to do. */
#include <linux/if_vlan.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <net/ip6_checksum.h>
#include <net/tcp.h>

#include "netvsc_device.h"

/*
 * A tag that stands in the frame goes beside it: the host takes it from there alone. Returns
 * whether the frame is fit to be sent.
 */
static bool netvsc_pull_tag(struct netvsc_net *net, struct sk_buff *skb)
{
	u16 tag;

	if (likely(skb->protocol != htons(ETH_P_8021Q)))
		return true;
	skb_reset_mac_header(skb);
	if (!eth_type_vlan(eth_hdr(skb)->h_proto))
		return true;
	if (__skb_vlan_pop(skb, &tag)) {
		atomic_long_inc(&net->eth_stats.vlan_error);
		return false;
	}
	__vlan_hwaccel_put_tag(skb, htons(ETH_P_8021Q), tag);
	return true;
}

/* The host puts in the lengths of each segment, so there are none in what it is given. */
static bool netvsc_blank_lengths(struct sk_buff *skb, bool ipv6)
{
	struct iphdr *ip;

	if (skb_cow_head(skb, 0))
		return false;
	if (ipv6) {
		tcp_v6_gso_csum_prep(skb);
		return true;
	}
	ip = ip_hdr(skb);
	ip->tot_len = 0;
	ip->check = 0;
	tcp_hdr(skb)->check = ~csum_tcpudp_magic(ip->saddr, ip->daddr, 0, IPPROTO_TCP, 0);
	return true;
}

static struct hv_netvsc_undone netvsc_undone(struct sk_buff *skb)
{
	struct hv_netvsc_undone undone = {
		.sum = skb->ip_summed == CHECKSUM_PARTIAL,
		.segment = skb_shinfo(skb)->gso_size,
		.transport_offset = skb_transport_offset(skb),
	};
	__be16 type = vlan_get_protocol(skb);

	if (type == htons(ETH_P_IP)) {
		undone.protocol = ip_hdr(skb)->protocol;
	} else if (type == htons(ETH_P_IPV6)) {
		undone.ipv6 = 1;
		undone.protocol = ipv6_hdr(skb)->nexthdr;
	}
	return undone;
}

/* What the host is to do with the frame. False: it cannot be sent. */
static bool netvsc_describe_offload(const struct netvsc_adapter *adapter, struct sk_buff *skb,
				    struct hv_netvsc_frame *frame)
{
	struct hv_netvsc_undone undone;

	if (likely(skb->ip_summed != CHECKSUM_PARTIAL && !skb_is_gso(skb)))
		return true;
	undone = netvsc_undone(skb);
	switch (hv_netvsc_share_out(&adapter->facts.capabilities, &undone, frame)) {
	case HV_NETVSC_NOBODY:
		return true;
	case HV_NETVSC_HOST:
		return !undone.segment || netvsc_blank_lengths(skb, undone.ipv6);
	case HV_NETVSC_GUEST:
		return !skb_checksum_help(skb);
	case HV_NETVSC_NEITHER:
		break;
	}
	return false;
}

/* Everything that a frame's headers say. False: it cannot be sent. */
HV_HOT bool netvsc_describe(const struct netvsc_adapter *adapter, struct sk_buff *skb,
			    struct hv_netvsc_frame *frame)
{
	if (!netvsc_pull_tag(adapter->net, skb) || skb->len < ETH_HLEN)
		return false;
	*frame = (struct hv_netvsc_frame){ .length = skb->len };
	if (READ_ONCE(adapter->active) > 1) {
		frame->hash = skb_get_hash_raw(skb);
		frame->hashed = frame->hash != 0;
	}
	if (skb_vlan_tag_present(skb)) {
		frame->vlan = skb_vlan_tag_get(skb);
		frame->tagged = 1;
	}
	return netvsc_describe_offload(adapter, skb, frame);
}
