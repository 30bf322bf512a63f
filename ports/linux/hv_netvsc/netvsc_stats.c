// SPDX-License-Identifier: GPL-2.0-only
/* What is counted, under the names that users know from the in-tree driver. */
#include <linux/cpumask.h>
#include <linux/slab.h>

#include "netvsc_device.h"

static const struct {
	char name[ETH_GSTRING_LEN];
	u16 offset;
} netvsc_stats[] = {
#define NETVSC_STAT(name) { #name, offsetof(struct netvsc_eth_stats, name) }
	NETVSC_STAT(tx_scattered),
	NETVSC_STAT(tx_no_memory),
	NETVSC_STAT(tx_no_space),
	NETVSC_STAT(tx_too_big),
	NETVSC_STAT(tx_busy),
	NETVSC_STAT(tx_send_full),
	NETVSC_STAT(rx_comp_busy),
	NETVSC_STAT(rx_no_memory),
	NETVSC_STAT(stop_queue),
	NETVSC_STAT(wake_queue),
	NETVSC_STAT(vlan_error),
};

static const char * const netvsc_vf_stats[] = {
	"vf_rx_packets", "vf_rx_bytes", "vf_tx_packets", "vf_tx_bytes", "vf_tx_dropped",
};

/* Of each queue. */
static const char * const netvsc_queue_stats[] = {
	"tx_queue_%u_packets", "tx_queue_%u_bytes", "tx_queue_%u_xdp_xmit",
	"rx_queue_%u_packets", "rx_queue_%u_bytes", "rx_queue_%u_xdp_drop",
	"rx_queue_%u_xdp_redirect", "rx_queue_%u_xdp_tx",
};

static const char * const netvsc_cpu_stats[] = {
	"cpu%u_rx_packets", "cpu%u_rx_bytes", "cpu%u_tx_packets", "cpu%u_tx_bytes",
	"cpu%u_vf_rx_packets", "cpu%u_vf_rx_bytes", "cpu%u_vf_tx_packets", "cpu%u_vf_tx_bytes",
};

static struct netvsc_counters netvsc_read(const struct netvsc_counters *counters)
{
	struct netvsc_counters copy;
	unsigned int start;

	do {
		start = u64_stats_fetch_begin(&counters->sync);
		copy = *counters;
	} while (u64_stats_fetch_retry(&counters->sync, start));
	return copy;
}

static struct netvsc_vf_stats netvsc_read_vf(const struct netvsc_net *net, unsigned int cpu)
{
	const struct netvsc_vf_stats *stats = per_cpu_ptr(net->vf_stats, cpu);
	struct netvsc_vf_stats copy;
	unsigned int start;

	do {
		start = u64_stats_fetch_begin(&stats->syncp);
		copy = *stats;
	} while (u64_stats_fetch_retry(&stats->syncp, start));
	return copy;
}

static struct netvsc_vf_stats netvsc_sum_vf(const struct netvsc_net *net)
{
	struct netvsc_vf_stats sum = {};
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		struct netvsc_vf_stats one = netvsc_read_vf(net, cpu);

		sum.rx_packets += one.rx_packets;
		sum.rx_bytes += one.rx_bytes;
		sum.tx_packets += one.tx_packets;
		sum.tx_bytes += one.tx_bytes;
		sum.tx_dropped += one.tx_dropped;
	}
	return sum;
}

int netvsc_get_sset_count(struct net_device *dev, int set)
{
	struct netvsc_net *net = netdev_priv(dev);
	struct netvsc_adapter *adapter = netvsc_adapter_of(net);

	if (!adapter)
		return -ENODEV;
	if (set != ETH_SS_STATS)
		return -EINVAL;
	return ARRAY_SIZE(netvsc_stats) + ARRAY_SIZE(netvsc_vf_stats) +
	       adapter->active * ARRAY_SIZE(netvsc_queue_stats) +
	       num_present_cpus() * ARRAY_SIZE(netvsc_cpu_stats);
}

void netvsc_get_strings(struct net_device *dev, u32 set, u8 *data)
{
	struct netvsc_net *net = netdev_priv(dev);
	struct netvsc_adapter *adapter = netvsc_adapter_of(net);
	unsigned int i, j, cpu;

	if (!adapter || set != ETH_SS_STATS)
		return;
	for (i = 0; i < ARRAY_SIZE(netvsc_stats); i++)
		ethtool_sprintf(&data, "%s", netvsc_stats[i].name);
	for (i = 0; i < ARRAY_SIZE(netvsc_vf_stats); i++)
		ethtool_sprintf(&data, "%s", netvsc_vf_stats[i]);
	for (i = 0; i < adapter->active; i++) {
		for (j = 0; j < ARRAY_SIZE(netvsc_queue_stats); j++)
			ethtool_sprintf(&data, netvsc_queue_stats[j], i);
	}
	for_each_present_cpu(cpu) {
		for (j = 0; j < ARRAY_SIZE(netvsc_cpu_stats); j++)
			ethtool_sprintf(&data, netvsc_cpu_stats[j], cpu);
	}
}

/* What the channels of a CPU have moved, and by it the function. */
static u64 *netvsc_put_cpu(const struct netvsc_adapter *adapter, unsigned int cpu, u64 *data)
{
	struct netvsc_vf_stats vf = netvsc_read_vf(adapter->net, cpu);
	u64 values[ARRAY_SIZE(netvsc_cpu_stats)] = {
		vf.rx_packets, vf.rx_bytes, vf.tx_packets, vf.tx_bytes,
		vf.rx_packets, vf.rx_bytes, vf.tx_packets, vf.tx_bytes,
	};
	unsigned int i;

	for (i = 0; i < adapter->active; i++) {
		const struct netvsc_queue *queue = adapter->queues[i];
		struct netvsc_counters rx = netvsc_read(&queue->rx);
		struct netvsc_counters tx = netvsc_read(&queue->tx);

		if (queue->vmbus->target_cpu != cpu)
			continue;
		values[0] += rx.packets;
		values[1] += rx.bytes;
		values[2] += tx.packets;
		values[3] += tx.bytes;
	}
	memcpy(data, values, sizeof(values));
	return data + ARRAY_SIZE(values);
}

void netvsc_get_ethtool_stats(struct net_device *dev, struct ethtool_stats *stats, u64 *data)
{
	struct netvsc_net *net = netdev_priv(dev);
	struct netvsc_adapter *adapter = netvsc_adapter_of(net);
	struct netvsc_vf_stats vf = netvsc_sum_vf(net);
	unsigned int i, cpu;

	if (!adapter)
		return;
	for (i = 0; i < ARRAY_SIZE(netvsc_stats); i++)
		*data++ = *(unsigned long *)((void *)&net->eth_stats + netvsc_stats[i].offset);
	*data++ = vf.rx_packets;
	*data++ = vf.rx_bytes;
	*data++ = vf.tx_packets;
	*data++ = vf.tx_bytes;
	*data++ = vf.tx_dropped;
	for (i = 0; i < adapter->active; i++) {
		struct netvsc_counters tx = netvsc_read(&adapter->queues[i]->tx);
		struct netvsc_counters rx = netvsc_read(&adapter->queues[i]->rx);
		u64 values[ARRAY_SIZE(netvsc_queue_stats)] = {
			tx.packets, tx.bytes, tx.xdp_xmit, rx.packets, rx.bytes,
			rx.xdp_drop, rx.xdp_redirect, rx.xdp_tx,
		};

		memcpy(data, values, sizeof(values));
		data += ARRAY_SIZE(values);
	}
	for_each_present_cpu(cpu)
		data = netvsc_put_cpu(adapter, cpu, data);
}

/* What the channels have moved, those that are closed now included. Under RCU or RTNL. */
static void netvsc_sum_channels(struct net_device *dev, struct rtnl_link_stats64 *stats)
{
	struct netvsc_net *net = netdev_priv(dev);
	struct netvsc_adapter *adapter;
	unsigned int i;

	stats->rx_packets = net->before.rx_packets;
	stats->rx_bytes = net->before.rx_bytes;
	stats->tx_packets = net->before.tx_packets;
	stats->tx_bytes = net->before.tx_bytes;
	stats->multicast = net->before.multicast;
	stats->rx_dropped = atomic_long_read(&net->rx_dropped);
	stats->rx_errors = atomic_long_read(&net->rx_errors);
	stats->tx_dropped = atomic_long_read(&net->tx_dropped);
	stats->tx_errors = atomic_long_read(&net->tx_errors);

	rcu_read_lock();
	adapter = rcu_dereference(net->adapter);
	for (i = 0; adapter && i < READ_ONCE(adapter->active); i++) {
		struct netvsc_counters tx = netvsc_read(&adapter->queues[i]->tx);
		struct netvsc_counters rx = netvsc_read(&adapter->queues[i]->rx);

		stats->rx_packets += rx.packets;
		stats->rx_bytes += rx.bytes;
		stats->multicast += rx.multicast;
		stats->tx_packets += tx.packets;
		stats->tx_bytes += tx.bytes;
	}
	rcu_read_unlock();
}

void netvsc_get_stats64(struct net_device *dev, struct rtnl_link_stats64 *stats)
{
	struct netvsc_vf_stats vf = netvsc_sum_vf(netdev_priv(dev));

	netvsc_sum_channels(dev, stats);
	stats->rx_packets += vf.rx_packets;
	stats->rx_bytes += vf.rx_bytes;
	stats->tx_packets += vf.tx_packets;
	stats->tx_bytes += vf.tx_bytes;
	stats->tx_dropped += vf.tx_dropped;
}

/* The adapter is about to be closed: what it has moved is kept. */
void netvsc_keep_stats(struct netvsc_net *net)
{
	struct rtnl_link_stats64 now = {};

	netvsc_sum_channels(net->dev, &now);
	net->before.rx_packets = now.rx_packets;
	net->before.rx_bytes = now.rx_bytes;
	net->before.tx_packets = now.tx_packets;
	net->before.tx_bytes = now.tx_bytes;
	net->before.multicast = now.multicast;
}
