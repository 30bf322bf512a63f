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

static void netvsc_init_traffic(struct netvsc_traffic *traffic)
{
	u64_stats_init(&traffic->rx.sync);
	u64_stats_init(&traffic->tx.sync);
}

int netvsc_create_stats(struct netvsc_net *net)
{
	unsigned int i;

	net->queue_traffic = kcalloc(HV_NETVSC_MOST_QUEUES, sizeof(*net->queue_traffic),
				     GFP_KERNEL);
	net->vf_traffic = alloc_percpu(struct netvsc_traffic);
	if (!net->queue_traffic || !net->vf_traffic) {
		netvsc_destroy_stats(net);
		return -ENOMEM;
	}
	for (i = 0; i < HV_NETVSC_MOST_QUEUES; i++)
		netvsc_init_traffic(&net->queue_traffic[i]);
	for_each_possible_cpu(i)
		netvsc_init_traffic(per_cpu_ptr(net->vf_traffic, i));
	return 0;
}

void netvsc_destroy_stats(struct netvsc_net *net)
{
	free_percpu(net->vf_traffic);
	kfree(net->queue_traffic);
}

/* Adds what was counted to `sum`. */
static void netvsc_sum(const struct netvsc_counters *counters, struct netvsc_counts *sum)
{
	struct netvsc_counts copy;
	unsigned int start;
	unsigned int i;

	do {
		start = u64_stats_fetch_begin(&counters->sync);
		for (i = 0; i < NETVSC_COUNTERS; i++)
			copy.of[i] = u64_stats_read(&counters->of[i]);
	} while (u64_stats_fetch_retry(&counters->sync, start));
	for (i = 0; i < NETVSC_COUNTERS; i++)
		sum->of[i] += copy.of[i];
}

static void netvsc_sum_vf(const struct netvsc_net *net, struct netvsc_counts *rx,
			  struct netvsc_counts *tx)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		netvsc_sum(&per_cpu_ptr(net->vf_traffic, cpu)->rx, rx);
		netvsc_sum(&per_cpu_ptr(net->vf_traffic, cpu)->tx, tx);
	}
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
	const struct netvsc_traffic *vf = per_cpu_ptr(adapter->net->vf_traffic, cpu);
	struct netvsc_counts vf_rx = {}, vf_tx = {}, rx, tx;
	unsigned int i;

	netvsc_sum(&vf->rx, &vf_rx);
	netvsc_sum(&vf->tx, &vf_tx);
	rx = vf_rx;
	tx = vf_tx;
	for (i = 0; i < adapter->active; i++) {
		const struct netvsc_queue *queue = adapter->queues[i];

		if (READ_ONCE(queue->vmbus->target_cpu) != cpu)
			continue;
		netvsc_sum(queue->rx, &rx);
		netvsc_sum(queue->tx, &tx);
	}
	*data++ = rx.of[NETVSC_PACKETS];
	*data++ = rx.of[NETVSC_BYTES];
	*data++ = tx.of[NETVSC_PACKETS];
	*data++ = tx.of[NETVSC_BYTES];
	*data++ = vf_rx.of[NETVSC_PACKETS];
	*data++ = vf_rx.of[NETVSC_BYTES];
	*data++ = vf_tx.of[NETVSC_PACKETS];
	*data++ = vf_tx.of[NETVSC_BYTES];
	return data;
}

static u64 *netvsc_put_queue(const struct netvsc_queue *queue, u64 *data)
{
	struct netvsc_counts rx = {}, tx = {};

	netvsc_sum(queue->rx, &rx);
	netvsc_sum(queue->tx, &tx);
	*data++ = tx.of[NETVSC_PACKETS];
	*data++ = tx.of[NETVSC_BYTES];
	*data++ = tx.of[NETVSC_XDP_XMIT];
	*data++ = rx.of[NETVSC_PACKETS];
	*data++ = rx.of[NETVSC_BYTES];
	*data++ = rx.of[NETVSC_XDP_DROP];
	*data++ = rx.of[NETVSC_XDP_REDIRECT];
	*data++ = rx.of[NETVSC_XDP_TX];
	return data;
}

void netvsc_get_ethtool_stats(struct net_device *dev, struct ethtool_stats *stats, u64 *data)
{
	struct netvsc_net *net = netdev_priv(dev);
	struct netvsc_adapter *adapter = netvsc_adapter_of(net);
	struct netvsc_counts vf_rx = {}, vf_tx = {};
	unsigned int i, cpu;

	if (!adapter)
		return;
	for (i = 0; i < ARRAY_SIZE(netvsc_stats); i++)
		*data++ = atomic_long_read((void *)&net->eth_stats + netvsc_stats[i].offset);
	netvsc_sum_vf(net, &vf_rx, &vf_tx);
	*data++ = vf_rx.of[NETVSC_PACKETS];
	*data++ = vf_rx.of[NETVSC_BYTES];
	*data++ = vf_tx.of[NETVSC_PACKETS];
	*data++ = vf_tx.of[NETVSC_BYTES];
	*data++ = vf_tx.of[NETVSC_DROPPED];
	for (i = 0; i < adapter->active; i++)
		data = netvsc_put_queue(adapter->queues[i], data);
	for_each_present_cpu(cpu)
		data = netvsc_put_cpu(adapter, cpu, data);
}

/* What the channels have moved, those that are closed now included, and the function. */
void netvsc_get_stats64(struct net_device *dev, struct rtnl_link_stats64 *stats)
{
	struct netvsc_net *net = netdev_priv(dev);
	struct netvsc_counts rx = {}, tx = {};
	unsigned int i;

	for (i = 0; i < HV_NETVSC_MOST_QUEUES; i++) {
		netvsc_sum(&net->queue_traffic[i].rx, &rx);
		netvsc_sum(&net->queue_traffic[i].tx, &tx);
	}
	netvsc_sum_vf(net, &rx, &tx);
	stats->rx_packets = rx.of[NETVSC_PACKETS];
	stats->rx_bytes = rx.of[NETVSC_BYTES];
	stats->multicast = rx.of[NETVSC_MULTICAST];
	stats->rx_dropped = atomic_long_read(&net->rx_dropped);
	stats->rx_errors = atomic_long_read(&net->rx_errors);
	stats->tx_packets = tx.of[NETVSC_PACKETS];
	stats->tx_bytes = tx.of[NETVSC_BYTES];
	stats->tx_dropped = atomic_long_read(&net->tx_dropped) + tx.of[NETVSC_DROPPED];
	stats->tx_errors = atomic_long_read(&net->tx_errors);
}
