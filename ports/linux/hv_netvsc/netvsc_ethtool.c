// SPDX-License-Identifier: GPL-2.0-only
/* ethtool: channels, buffers, RSS, the link. */
#include <linux/ethtool.h>
#include <linux/log2.h>
#include <linux/rtnetlink.h>

#include "netvsc_device.h"

/* Least sections of the buffers, and the most bytes of the send buffer. As in tree. */
#define NETVSC_LEAST_SEND_SECTIONS 10
#define NETVSC_LEAST_RECEIVE_SECTIONS 10
#define NETVSC_MOST_SEND_BYTES (15U << 20)

static void netvsc_get_drvinfo(struct net_device *dev, struct ethtool_drvinfo *info)
{
	strscpy(info->driver, KBUILD_MODNAME, sizeof(info->driver));
	strscpy(info->version, ENLIGHTEN_VERSION, sizeof(info->version));
	strscpy(info->fw_version, "N/A", sizeof(info->fw_version));
}

static u32 netvsc_get_msglevel(struct net_device *dev)
{
	struct netvsc_net *net = netdev_priv(dev);

	return net->msg_enable;
}

static void netvsc_set_msglevel(struct net_device *dev, u32 level)
{
	struct netvsc_net *net = netdev_priv(dev);

	net->msg_enable = level;
}

static int netvsc_get_link_ksettings(struct net_device *dev, struct ethtool_link_ksettings *link)
{
	const struct netvsc_net *net = netdev_priv(dev);
	struct net_device *vf = rtnl_dereference(net->vf);
	u32 speed = READ_ONCE(net->link_speed);

	if (vf)
		return __ethtool_get_link_ksettings(vf, link);

	link->base.speed = speed ?: SPEED_UNKNOWN;
	link->base.duplex = DUPLEX_FULL;
	link->base.port = PORT_OTHER;
	return 0;
}

/* There is nothing to be set but at a function. */
static int netvsc_set_link_ksettings(struct net_device *dev,
				     const struct ethtool_link_ksettings *link)
{
	const struct netvsc_net *net = netdev_priv(dev);
	struct net_device *vf = rtnl_dereference(net->vf);

	if (!vf || !vf->ethtool_ops->set_link_ksettings)
		return -EOPNOTSUPP;
	return vf->ethtool_ops->set_link_ksettings(vf, link);
}

static void netvsc_get_channels(struct net_device *dev, struct ethtool_channels *channels)
{
	struct netvsc_adapter *adapter = netvsc_adapter_of(netdev_priv(dev));

	if (!adapter)
		return;
	channels->max_combined = netvsc_queue_limit(adapter);
	channels->combined_count = adapter->active;
}

static int netvsc_set_channels(struct net_device *dev, struct ethtool_channels *channels)
{
	struct netvsc_net *net = netdev_priv(dev);
	struct netvsc_adapter *adapter = netvsc_adapter_of(net);
	struct netvsc_config config = net->config;

	if (!channels->combined_count || channels->rx_count || channels->tx_count ||
	    channels->other_count)
		return -EINVAL;
	if (!adapter)
		return -ENODEV;
	if (adapter->opened.version < HV_NETVSC_V5 ||
	    channels->combined_count > netvsc_queue_limit(adapter))
		return -EINVAL;
	config.queues = channels->combined_count;
	return netvsc_reopen(net, &config, dev->mtu);
}

static void netvsc_fill_ringparam(const struct hv_netvsc_opened *opened,
				  struct ethtool_ringparam *ring)
{
	ring->rx_pending = opened->receive_sections;
	ring->rx_max_pending = opened->most_receive_buffer / opened->receive_section_size;
	ring->tx_pending = opened->send_sections;
	if (opened->send_section_size)
		ring->tx_max_pending = NETVSC_MOST_SEND_BYTES / opened->send_section_size;
}

static void netvsc_get_ringparam(struct net_device *dev, struct ethtool_ringparam *ring,
				 struct kernel_ethtool_ringparam *kernel_ring,
				 struct netlink_ext_ack *extack)
{
	struct netvsc_adapter *adapter = netvsc_adapter_of(netdev_priv(dev));

	if (adapter)
		netvsc_fill_ringparam(&adapter->opened, ring);
}

static int netvsc_set_ringparam(struct net_device *dev, struct ethtool_ringparam *ring,
				struct kernel_ethtool_ringparam *kernel_ring,
				struct netlink_ext_ack *extack)
{
	struct netvsc_net *net = netdev_priv(dev);
	struct netvsc_adapter *adapter = netvsc_adapter_of(net);
	struct netvsc_config config = net->config;
	struct ethtool_ringparam now = {};
	u32 receive, send;

	if (!adapter)
		return -ENODEV;
	netvsc_fill_ringparam(&adapter->opened, &now);
	receive = clamp_t(u32, ring->rx_pending, NETVSC_LEAST_RECEIVE_SECTIONS,
			  now.rx_max_pending);
	send = clamp_t(u32, ring->tx_pending, NETVSC_LEAST_SEND_SECTIONS, now.tx_max_pending);
	if (receive == now.rx_pending && send == now.tx_pending)
		return 0;
	config.receive_bytes = receive * adapter->opened.receive_section_size;
	if (adapter->opened.send_section_size)
		config.send_bytes = send * adapter->opened.send_section_size;
	return netvsc_reopen(net, &config, dev->mtu);
}

#define NETVSC_ADDRESSES (RXH_IP_SRC | RXH_IP_DST)
#define NETVSC_PORTS (RXH_L4_B_0_1 | RXH_L4_B_2_3)

/* 0: a flow whose hash is not to be chosen. */
static u32 netvsc_flow_bit(u32 flow_type)
{
	switch (flow_type) {
	case TCP_V4_FLOW:
		return NETVSC_TCP4;
	case TCP_V6_FLOW:
		return NETVSC_TCP6;
	case UDP_V4_FLOW:
		return NETVSC_UDP4;
	case UDP_V6_FLOW:
		return NETVSC_UDP6;
	default:
		return 0;
	}
}

/* What the hash of a flow is made of, by which a queue is chosen to send it. */
static int netvsc_get_hash_fields(const struct netvsc_net *net, struct ethtool_rxnfc *info)
{
	u32 bit = netvsc_flow_bit(info->flow_type);

	info->data = 0;
	if (bit || info->flow_type == IPV4_FLOW || info->flow_type == IPV6_FLOW)
		info->data = NETVSC_ADDRESSES;
	if (net->port_hash & bit)
		info->data |= NETVSC_PORTS;
	return 0;
}

static int netvsc_set_rxnfc(struct net_device *dev, struct ethtool_rxnfc *info)
{
	struct netvsc_net *net = netdev_priv(dev);
	u32 bit = netvsc_flow_bit(info->flow_type);

	if (info->cmd != ETHTOOL_SRXFH || !bit)
		return -EOPNOTSUPP;
	if (info->data == (NETVSC_ADDRESSES | NETVSC_PORTS))
		WRITE_ONCE(net->port_hash, net->port_hash | bit);
	else if (info->data == NETVSC_ADDRESSES)
		WRITE_ONCE(net->port_hash, net->port_hash & ~bit);
	else
		return -EOPNOTSUPP;
	return 0;
}

static int netvsc_get_rxnfc(struct net_device *dev, struct ethtool_rxnfc *info, u32 *rules)
{
	struct netvsc_adapter *adapter = netvsc_adapter_of(netdev_priv(dev));

	if (!adapter)
		return -ENODEV;
	switch (info->cmd) {
	case ETHTOOL_GRXRINGS:
		info->data = adapter->active;
		return 0;
	case ETHTOOL_GRXFH:
		return netvsc_get_hash_fields(netdev_priv(dev), info);
	default:
		return -EOPNOTSUPP;
	}
}

static u32 netvsc_get_rxfh_key_size(struct net_device *dev)
{
	return HV_NETVSC_RSS_KEY;
}

static u32 netvsc_get_rxfh_indir_size(struct net_device *dev)
{
	struct netvsc_adapter *adapter = netvsc_adapter_of(netdev_priv(dev));

	return adapter ? adapter->facts.rss_entries : 0;
}

static int netvsc_read_rss(struct net_device *dev, u32 *table, u8 *key, u8 *function)
{
	struct netvsc_net *net = netdev_priv(dev);
	u32 entries = netvsc_get_rxfh_indir_size(dev);
	u32 i;

	if (!netvsc_adapter_of(net))
		return -ENODEV;
	if (function)
		*function = ETH_RSS_HASH_TOP;
	for (i = 0; table && i < entries; i++)
		table[i] = net->rss_table[i];
	if (key)
		memcpy(key, net->rss_key, sizeof(net->rss_key));
	return 0;
}

/* The host gets table and key; when it does not want them, the old ones stay. */
static int netvsc_write_rss(struct net_device *dev, const u32 *table, const u8 *key, u8 function)
{
	struct netvsc_net *net = netdev_priv(dev);
	struct netvsc_adapter *adapter = netvsc_adapter_of(net);
	u16 old_table[HV_NETVSC_RSS_ENTRIES];
	u8 old_key[HV_NETVSC_RSS_KEY];
	u32 entries, i;
	int ret;

	if (!adapter)
		return -ENODEV;
	entries = adapter->facts.rss_entries;
	if ((function != ETH_RSS_HASH_NO_CHANGE && function != ETH_RSS_HASH_TOP) || !entries)
		return -EOPNOTSUPP;
	if (!table && !key)
		return 0;
	for (i = 0; table && i < entries; i++) {
		if (table[i] >= adapter->active)
			return -EINVAL;
	}
	memcpy(old_table, net->rss_table, sizeof(old_table));
	memcpy(old_key, net->rss_key, sizeof(old_key));
	for (i = 0; table && i < entries; i++)
		net->rss_table[i] = table[i];
	if (key)
		memcpy(net->rss_key, key, sizeof(net->rss_key));
	ret = netvsc_set_rss(net);
	if (ret) {
		memcpy(net->rss_table, old_table, sizeof(old_table));
		memcpy(net->rss_key, old_key, sizeof(old_key));
		netvsc_set_rss(net);
	}
	return ret;
}

#ifdef HV_RXFH_PARAM
static int netvsc_get_rxfh(struct net_device *dev, struct ethtool_rxfh_param *rxfh)
{
	return netvsc_read_rss(dev, rxfh->indir, rxfh->key, &rxfh->hfunc);
}

static int netvsc_set_rxfh(struct net_device *dev, struct ethtool_rxfh_param *rxfh,
			   struct netlink_ext_ack *extack)
{
	return netvsc_write_rss(dev, rxfh->indir, rxfh->key, rxfh->hfunc);
}
#else
#define netvsc_get_rxfh netvsc_read_rss
#define netvsc_set_rxfh netvsc_write_rss
#endif

/* What an adapter has in place of registers: the host's send table. */
static int netvsc_get_regs_len(struct net_device *dev)
{
	return HV_NETVSC_SEND_TABLE * sizeof(u32);
}

static void netvsc_get_regs(struct net_device *dev, struct ethtool_regs *regs, void *space)
{
	struct netvsc_net *net = netdev_priv(dev);
	u32 *entries = space;
	u32 i;

	regs->version = 0;
	for (i = 0; i < HV_NETVSC_SEND_TABLE; i++)
		entries[i] = READ_ONCE(net->send_table[i]);
}

const struct ethtool_ops netvsc_ethtool_ops = {
	.get_drvinfo = netvsc_get_drvinfo,
	.get_msglevel = netvsc_get_msglevel,
	.set_msglevel = netvsc_set_msglevel,
	.get_regs_len = netvsc_get_regs_len,
	.get_regs = netvsc_get_regs,
	.get_link = ethtool_op_get_link,
	.get_ethtool_stats = netvsc_get_ethtool_stats,
	.get_sset_count = netvsc_get_sset_count,
	.get_strings = netvsc_get_strings,
	.get_channels = netvsc_get_channels,
	.set_channels = netvsc_set_channels,
	.get_ts_info = ethtool_op_get_ts_info,
	.get_rxnfc = netvsc_get_rxnfc,
	.set_rxnfc = netvsc_set_rxnfc,
	.get_rxfh_key_size = netvsc_get_rxfh_key_size,
	.get_rxfh_indir_size = netvsc_get_rxfh_indir_size,
	.get_rxfh = netvsc_get_rxfh,
	.set_rxfh = netvsc_set_rxfh,
	.get_link_ksettings = netvsc_get_link_ksettings,
	.set_link_ksettings = netvsc_set_link_ksettings,
	.get_ringparam = netvsc_get_ringparam,
	.set_ringparam = netvsc_set_ringparam,
};
