// SPDX-License-Identifier: GPL-2.0-only
/* What an interface can do by its host, and what it wants of it. */
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>

#include "netvsc_device.h"

#define NETVSC_OFFLOADS \
	(NETIF_F_RXCSUM | NETIF_F_SG | NETIF_F_RXHASH | NETIF_F_IP_CSUM | NETIF_F_IPV6_CSUM | \
	 NETIF_F_TSO | NETIF_F_TSO6 | NETIF_F_LRO)

/* What the host can do becomes the features of the interface. Under RTNL. */
void netvsc_adopt_features(struct netvsc_net *net)
{
	const struct hv_netvsc_capabilities *host = &netvsc_adapter_of(net)->facts.capabilities;
	struct net_device *dev = net->dev;
	unsigned int most = GSO_LEGACY_MAX_SIZE;
	netdev_features_t found = NETIF_F_RXCSUM | NETIF_F_SG | NETIF_F_RXHASH;

	if (host->tcp4_checksum)
		found |= NETIF_F_IP_CSUM;
	if (host->tcp6_checksum)
		found |= NETIF_F_IPV6_CSUM;
	if (host->large_send4) {
		found |= NETIF_F_TSO;
		most = min(most, host->large_send4);
	}
	if (host->large_send6) {
		found |= NETIF_F_TSO6;
		most = min(most, host->large_send6);
	}
	if (host->rsc)
		found |= NETIF_F_LRO;
	dev->hw_features = (dev->hw_features & ~NETVSC_OFFLOADS) | found;
	/* What this host cannot do, the one before may have. */
	dev->features &= ~NETVSC_OFFLOADS | found;
	netif_set_tso_max_size(dev, most);
}

/* Which frames the host is to pass on. */
static u32 netvsc_filter_of(const struct net_device *dev)
{
	u32 filter = HV_NETVSC_FILTER_DIRECTED;

	if (!netif_running(dev))
		return 0;
	if (dev->flags & IFF_PROMISC)
		return HV_NETVSC_FILTER_PROMISCUOUS;
	if (!netdev_mc_empty(dev) || dev->flags & IFF_ALLMULTI)
		filter |= HV_NETVSC_FILTER_ALL_MULTICAST;
	if (dev->flags & IFF_BROADCAST)
		filter |= HV_NETVSC_FILTER_BROADCAST;
	return filter;
}

/* Under RTNL. */
int netvsc_apply_filter(struct netvsc_net *net)
{
	struct netvsc_adapter *adapter = netvsc_adapter_of(net);
	int ret;

	if (!adapter)
		return -ENODEV;
	ret = netvsc_set_filter(adapter, netvsc_filter_of(net->dev));
	if (ret && !hv_client_going(&net->client))
		netdev_warn(net->dev, "the host does not take the packet filter: error %d\n", ret);
	return ret;
}

void netvsc_filter_work(struct work_struct *work)
{
	struct netvsc_net *net = container_of(work, struct netvsc_net, filter_work);

	rtnl_lock();
	if (!netvsc_left(net))
		netvsc_apply_filter(net);
	rtnl_unlock();
}
