// SPDX-License-Identifier: GPL-2.0-only
/* What the core is told of a frame of the stack: its tag, its hash, and what the host is to do. */
#include <linux/if_vlan.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <net/ip6_checksum.h>
#include <net/tcp.h>

#include "netvsc_device.h"

/* Offsets of transport headers that the host understands are below it. */
#define NETVSC_OFFSETS 1024

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
		net->eth_stats.vlan_error++;
		return false;
	}
	__vlan_hwaccel_put_tag(skb, htons(ETH_P_8021Q), tag);
	return true;
}

/* The host puts in the lengths of each segment, so there are none in what it is given. */
static bool netvsc_describe_large(struct sk_buff *skb, struct hv_netvsc_frame *frame)
{
	if (skb_cow_head(skb, 0))
		return false;
	if (frame->ipv6) {
		tcp_v6_gso_csum_prep(skb);
	} else {
		struct iphdr *ip = ip_hdr(skb);

		ip->tot_len = 0;
		ip->check = 0;
		tcp_hdr(skb)->check = ~csum_tcpudp_magic(ip->saddr, ip->daddr, 0, IPPROTO_TCP, 0);
	}
	frame->offload = HV_NETVSC_LARGE_SEND;
	frame->segment = skb_shinfo(skb)->gso_size;
	return true;
}

static bool netvsc_host_sums(const struct hv_netvsc_capabilities *host, bool ipv6, u8 protocol)
{
	if (protocol == IPPROTO_TCP)
		return ipv6 ? host->tcp6_checksum : host->tcp4_checksum;
	if (protocol == IPPROTO_UDP)
		return ipv6 ? host->udp6_checksum : host->udp4_checksum;
	return false;
}

/* What the host is to do with the frame. False: it cannot be sent. */
static bool netvsc_describe_offload(const struct netvsc_adapter *adapter, struct sk_buff *skb,
				    struct hv_netvsc_frame *frame)
{
	__be16 type = vlan_get_protocol(skb);
	u8 protocol = 0;

	if (likely(skb->ip_summed != CHECKSUM_PARTIAL && !skb_is_gso(skb)))
		return true;
	if (type == htons(ETH_P_IP)) {
		protocol = ip_hdr(skb)->protocol;
	} else if (type == htons(ETH_P_IPV6)) {
		frame->ipv6 = 1;
		protocol = ipv6_hdr(skb)->nexthdr;
		/* Behind extension headers. */
		if (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP && skb_is_gso(skb))
			protocol = IPPROTO_TCP;
	}
	frame->transport_offset = min_t(int, skb_transport_offset(skb), NETVSC_OFFSETS);
	if (skb_is_gso(skb))
		return frame->transport_offset < NETVSC_OFFSETS &&
		       netvsc_describe_large(skb, frame);
	if (frame->transport_offset >= NETVSC_OFFSETS ||
	    !netvsc_host_sums(&adapter->facts.capabilities, frame->ipv6, protocol))
		return !skb_checksum_help(skb);
	frame->offload = HV_NETVSC_CHECKSUM;
	frame->udp = protocol == IPPROTO_UDP;
	return true;
}

/* Everything that a frame's headers say. False: it cannot be sent. */
bool netvsc_describe(const struct netvsc_adapter *adapter, struct sk_buff *skb,
		     struct hv_netvsc_frame *frame)
{
	if (!netvsc_pull_tag(adapter->net, skb) || skb->len < ETH_HLEN)
		return false;
	*frame = (struct hv_netvsc_frame){ .length = skb->len };
	if (adapter->active > 1) {
		frame->hash = skb_get_hash_raw(skb);
		frame->hashed = frame->hash != 0;
	}
	if (skb_vlan_tag_present(skb)) {
		frame->vlan = skb_vlan_tag_get(skb);
		frame->tagged = 1;
	}
	return netvsc_describe_offload(adapter, skb, frame);
}
