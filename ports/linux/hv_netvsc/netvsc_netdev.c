// SPDX-License-Identifier: GPL-2.0-only
/* The stack's callbacks, but for those that move frames. */
#include <linux/delay.h>
#include <linux/etherdevice.h>
#include <linux/jhash.h>
#include <linux/rtnetlink.h>
#include <net/flow_dissector.h>
#include <net/sock.h>

#include "netvsc_device.h"

/* The addresses' lock is held, so the host is told by work. */
static void netvsc_set_rx_mode(struct net_device *dev)
{
	struct netvsc_net *net = netdev_priv(dev);
	struct net_device *vf;

	rcu_read_lock();
	vf = rcu_dereference(net->vf);
	if (vf) {
		dev_uc_sync(vf, dev);
		dev_mc_sync(vf, dev);
	}
	rcu_read_unlock();
	schedule_work(&net->filter_work);
}

static int netvsc_open(struct net_device *dev)
{
	struct netvsc_net *net = netdev_priv(dev);
	struct net_device *vf = rtnl_dereference(net->vf);
	int ret = netvsc_apply_filter(net);

	if (ret)
		return ret;
	netif_tx_start_all_queues(dev);
	netvsc_show_link(net);
	if (vf && dev_open(vf, NULL))
		netdev_warn(vf, "it does not open\n");
	return 0;
}

/* Always ends, and always well: what the host does not do any more it need not. */
static int netvsc_stop(struct net_device *dev)
{
	struct netvsc_net *net = netdev_priv(dev);
	struct net_device *vf = rtnl_dereference(net->vf);

	netif_tx_disable(dev);
	if (netvsc_adapter_of(net) && !hv_client_rescinded(&net->client))
		netvsc_set_filter(netvsc_adapter_of(net), 0);
	if (vf)
		dev_close(vf);
	return 0;
}

static u32 netvsc_flow_of(const struct flow_keys *flow)
{
	bool ipv4 = flow->basic.n_proto == htons(ETH_P_IP);

	if (flow->basic.ip_proto == IPPROTO_TCP)
		return ipv4 ? NETVSC_TCP4 : NETVSC_TCP6;
	if (flow->basic.ip_proto == IPPROTO_UDP)
		return ipv4 ? NETVSC_UDP4 : NETVSC_UDP6;
	return 0;
}

/* The hash of a frame's flow; of the addresses alone where the user wants it so. */
static u32 netvsc_hash(const struct netvsc_net *net, struct sk_buff *skb)
{
	u32 with_ports = READ_ONCE(net->port_hash);
	struct flow_keys flow;

	if (likely(with_ports == NETVSC_ALL_FLOWS))
		return skb_get_hash(skb);
	if (!skb_flow_dissect_flow_keys(skb, &flow, 0))
		return 0;
	if (with_ports & netvsc_flow_of(&flow))
		return skb_get_hash(skb);
	if (flow.basic.n_proto == htons(ETH_P_IP))
		return jhash2((u32 *)&flow.addrs.v4addrs, 2, 0);
	if (flow.basic.n_proto == htons(ETH_P_IPV6))
		return jhash2((u32 *)&flow.addrs.v6addrs, 8, 0);
	return 0;
}

/* The host's table says by a hash which queue to use; a flow stays with its own. */
static u16 netvsc_pick_queue(struct net_device *dev, struct sk_buff *skb)
{
	const struct netvsc_net *net = netdev_priv(dev);
	struct sock *sk = skb->sk;
	int queue = sk_tx_queue_get(sk);
	int before = queue;

	if (queue >= 0 && queue < dev->real_num_tx_queues && !skb->ooo_okay)
		return queue;
	if (skb_rx_queue_recorded(skb))
		queue = skb_get_rx_queue(skb);
	else
		queue = READ_ONCE(net->send_table[netvsc_hash(net, skb) % HV_NETVSC_SEND_TABLE]);
	queue %= dev->real_num_tx_queues;
	if (queue != before && sk && sk_fullsock(sk) && rcu_access_pointer(sk->sk_dst_cache))
		sk_tx_queue_set(sk, queue);
	return queue;
}

/* Whether the user has said which queue is for which CPU or received frame. */
static bool netvsc_has_xps(const struct net_device *dev)
{
#ifdef CONFIG_XPS
	return rcu_access_pointer(dev->xps_maps[XPS_CPUS]) ||
	       rcu_access_pointer(dev->xps_maps[XPS_RXQS]);
#else
	return false;
#endif
}

/*
 * A socket remembers one queue. While frames go by the function it is the function's, which may
 * have more of them: were one of ours written there, each frame would go to another.
 */
static u16 netvsc_select_queue(struct net_device *dev, struct sk_buff *skb,
			       struct net_device *sb_dev)
{
	struct net_device *vf;
	u16 queue;

	if (dev->real_num_tx_queues == 1)
		return 0;
	rcu_read_lock();
	vf = netvsc_vf_carrying(netdev_priv(dev));
	if (unlikely(vf))
		queue = netvsc_vf_select_queue(vf, skb) % dev->real_num_tx_queues;
	else if (unlikely(netvsc_has_xps(dev)))
		queue = netdev_pick_tx(dev, skb, sb_dev);
	else
		queue = netvsc_pick_queue(dev, skb);
	rcu_read_unlock();
	return queue;
}

static int netvsc_change_mtu(struct net_device *dev, int mtu)
{
	struct netvsc_net *net = netdev_priv(dev);
	struct net_device *vf = rtnl_dereference(net->vf);
	struct netvsc_config config = net->config;
	unsigned int before = dev->mtu;
	int ret;

	if (!netvsc_adapter_of(net))
		return -ENODEV;
	if (rtnl_dereference(net->xdp_prog) && !netvsc_xdp_takes_mtu(mtu)) {
		netdev_warn(dev, "frames of an MTU of %d do not fit into a page for XDP\n", mtu);
		return -EINVAL;
	}
	ret = vf ? dev_set_mtu(vf, mtu) : 0;
	if (ret)
		return ret;
	ret = netvsc_reopen(net, &config, mtu);
	if (ret && vf)
		dev_set_mtu(vf, before);
	return ret;
}

static int netvsc_set_mac_address(struct net_device *dev, void *address)
{
	struct netvsc_net *net = netdev_priv(dev);
	struct net_device *vf = rtnl_dereference(net->vf);
	const struct sockaddr *wanted = address;
	struct sockaddr before = { .sa_family = dev->type };
	int ret;

	ret = eth_prepare_mac_addr_change(dev, address);
	if (ret)
		return ret;
	if (!netvsc_adapter_of(net))
		return -ENODEV;
	memcpy(before.sa_data, dev->dev_addr, ETH_ALEN);
	ret = vf ? dev_set_mac_address(vf, address, NULL) : 0;
	if (ret)
		return ret;
	ret = netvsc_set_mac(netvsc_adapter_of(net), wanted->sa_data);
	if (!ret)
		eth_commit_mac_addr_change(dev, address);
	else if (vf)
		dev_set_mac_address(vf, &before, NULL);
	return ret;
}

/* What the host has joined does not fit into a page for XDP. */
static netdev_features_t netvsc_fix_features(struct net_device *dev, netdev_features_t features)
{
	struct netvsc_net *net = netdev_priv(dev);

	if (rtnl_dereference(net->xdp_prog))
		features &= ~NETIF_F_LRO;
	return features;
}

static int netvsc_set_own_features(struct net_device *dev, netdev_features_t features)
{
	struct netvsc_net *net = netdev_priv(dev);
	netdev_features_t change = features ^ dev->features;
	int ret;

	/* An adapter that is opened anew is told then. */
	if (!(change & NETIF_F_LRO) || !netvsc_adapter_of(net))
		return 0;
	ret = netvsc_set_offloads(netvsc_adapter_of(net), features & NETIF_F_LRO);
	if (ret && hv_life_broken(&net->client.life))
		return 0;
	/* The others have been taken over. */
	if (ret)
		dev->features = features ^ NETIF_F_LRO;
	return ret;
}

static int netvsc_set_features(struct net_device *dev, netdev_features_t features)
{
	struct netvsc_net *net = netdev_priv(dev);
	struct net_device *vf = rtnl_dereference(net->vf);
	int ret = netvsc_set_own_features(dev, features);

	if (!ret && vf)
		netvsc_vf_set_features(vf, features);
	return ret;
}

const struct net_device_ops netvsc_netdev_ops = {
	.ndo_open = netvsc_open,
	.ndo_stop = netvsc_stop,
	.ndo_start_xmit = netvsc_start_xmit,
	.ndo_select_queue = netvsc_select_queue,
	.ndo_change_rx_flags = netvsc_change_rx_flags,
	.ndo_set_rx_mode = netvsc_set_rx_mode,
	.ndo_fix_features = netvsc_fix_features,
	.ndo_set_features = netvsc_set_features,
	.ndo_change_mtu = netvsc_change_mtu,
	.ndo_validate_addr = eth_validate_addr,
	.ndo_set_mac_address = netvsc_set_mac_address,
	.ndo_get_stats64 = netvsc_get_stats64,
	.ndo_bpf = netvsc_bpf,
	.ndo_xdp_xmit = netvsc_xdp_xmit,
};
