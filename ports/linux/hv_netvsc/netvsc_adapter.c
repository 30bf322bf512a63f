// SPDX-License-Identifier: GPL-2.0-only
/* An adapter as a whole: opened, closed, opened anew; and which of its queues are used. */
#include <linux/cpumask.h>
#include <linux/dma-mapping.h>
#include <linux/etherdevice.h>
#include <linux/jiffies.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "netvsc_device.h"

/* How long sub-channels may take until the adapter goes on with those that are there. */
#define NETVSC_CHANNELS_SECONDS 10

static struct netvsc_adapter *netvsc_alloc_adapter(struct netvsc_net *net)
{
	struct netvsc_adapter *adapter = kzalloc(sizeof(*adapter), GFP_KERNEL);

	if (!adapter)
		return NULL;
	adapter->page = (void *)get_zeroed_page(GFP_KERNEL);
	if (!adapter->page) {
		kfree(adapter);
		return NULL;
	}
	adapter->net = net;
	adapter->granted = 1;
	adapter->active = 1;
	adapter->wanted = 1;
	init_waitqueue_head(&adapter->opened_one);
	hv_answer_create(&adapter->setup);
	init_completion(&adapter->request_done);
	mutex_init(&adapter->request_lock);
	hv_netvsc_conversation_create(&adapter->conversation);
	return adapter;
}

/*
 * Closes what is open of it. No sender knows the adapter any more. Returns whether the host has let
 * go of the rings.
 */
static bool netvsc_destroy_adapter(struct netvsc_adapter *adapter)
{
	struct netvsc_net *net = adapter->net;
	bool let_go = netvsc_close_channels(adapter);

	netvsc_unmap_page(adapter);
	netvsc_unshare_buffer(net, &adapter->send);
	netvsc_unshare_buffer(net, &adapter->receive);
	free_page((unsigned long)adapter->page);
	kfree(adapter);
	return let_go;
}

/* Who sends by which queue, before the host says otherwise. */
static void netvsc_default_tables(struct netvsc_net *net, unsigned int queues)
{
	unsigned int entries = netvsc_adapter_of(net)->facts.rss_entries;
	bool usable = netif_is_rxfh_configured(net->dev);
	unsigned int i;

	for (i = 0; i < entries; i++)
		usable = usable && net->rss_table[i] < queues;
	for (i = 0; i < entries && !usable; i++)
		net->rss_table[i] = ethtool_rxfh_indir_default(i, queues);
}

int netvsc_set_rss(struct netvsc_net *net)
{
	struct netvsc_adapter *adapter = netvsc_adapter_of(net);
	int ret;

	/* Hosts want it off before they change it. */
	netvsc_set_rss_once(adapter, true);
	ret = netvsc_set_rss_once(adapter, false);
	if (ret && !hv_client_going(&net->client))
		netdev_warn(net->dev, "the host does not spread frames over queues: error %d\n",
			    ret);
	return ret;
}

/* Queues [0, result) are open. */
static unsigned int netvsc_open_queues(struct netvsc_adapter *adapter)
{
	unsigned int count;

	for (count = 0; count < adapter->wanted; count++) {
		/* Pairs with netvsc_open_channel(). */
		struct netvsc_queue *queue = smp_load_acquire(&adapter->queues[count]);

		/* Pairs with netvsc_start_polling(). */
		if (!queue || !smp_load_acquire(&queue->ready))
			break;
	}
	return count;
}

/* Puts the queues to use that are open now. */
void netvsc_use_queues(struct netvsc_net *net)
{
	struct netvsc_adapter *adapter = netvsc_adapter_of(net);
	unsigned int count;

	if (!adapter)
		return;
	count = min(netvsc_open_queues(adapter), adapter->granted);
	if (count == 0)
		return;
	netvsc_default_tables(net, count);
	if (count > 1)
		netvsc_set_rss(net);
	netif_set_real_num_tx_queues(net->dev, count);
	netif_set_real_num_rx_queues(net->dev, count);
	WRITE_ONCE(adapter->active, count);
}

/* Behind the probe, and whenever a sub-channel has come. */
void netvsc_queues_work(struct work_struct *work)
{
	struct netvsc_net *net = container_of(work, struct netvsc_net, queues_work.work);
	struct netvsc_adapter *adapter;

	/* Who holds it may be waiting for us to end. */
	if (!rtnl_trylock()) {
		schedule_delayed_work(&net->queues_work, HZ / 50 + 1);
		return;
	}
	adapter = netvsc_adapter_of(net);
	if (adapter && !netvsc_left(net) && netvsc_open_queues(adapter) != adapter->active)
		netvsc_use_queues(net);
	rtnl_unlock();
}

/* What host and machine allow now: CPUs may have been added. */
unsigned int netvsc_queue_limit(const struct netvsc_adapter *adapter)
{
	return hv_netvsc_queue_limit(&adapter->facts, num_present_cpus());
}

/* Asks for the channels that the configuration wants. With one the adapter works, too. */
static void netvsc_more_channels(struct netvsc_adapter *adapter)
{
	int ret;

	adapter->wanted = clamp(adapter->net->config.queues, 1U, netvsc_queue_limit(adapter));
	netvsc_ready_channel(adapter->queues[0]);
	if (adapter->wanted == 1)
		return;
	netvsc_allow_sub_channels(adapter);
	ret = netvsc_ask_sub_channels(adapter, adapter->wanted - 1);
	if (ret >= 0)
		adapter->granted = 1 + ret;
	else if (!hv_client_going(&adapter->net->client))
		netdev_warn(adapter->net->dev, "no sub-channels: error %d\n", ret);
}

/* At each opening the host takes the adapter's own address: it is told of another each time. */
static void netvsc_tell_mac(struct netvsc_adapter *adapter)
{
	struct net_device *dev = adapter->net->dev;
	int ret;

	if (!is_valid_ether_addr(dev->dev_addr) ||
	    ether_addr_equal(dev->dev_addr, adapter->facts.mac))
		return;
	ret = netvsc_set_mac(adapter, dev->dev_addr);
	if (ret && !hv_client_going(&adapter->net->client))
		netdev_warn(dev, "the host does not take the address %pM: error %d\n",
			    dev->dev_addr, ret);
}

/* Opens the adapter up to where frames can go; who calls shows it to the stack. */
int netvsc_open_adapter(struct netvsc_net *net)
{
	struct netvsc_adapter *adapter;
	struct netvsc_queue *queue;
	int ret;

	if (!hv_life_open(&net->client.life, hv_now()))
		return -ENODEV;
	adapter = netvsc_alloc_adapter(net);
	if (!adapter) {
		hv_life_failed(&net->client.life, hv_now(), true);
		return -ENOMEM;
	}
	queue = netvsc_open_channel(adapter, net->client.hv->channel, 0);
	ret = PTR_ERR_OR_ZERO(queue);
	if (!ret)
		ret = netvsc_converse(adapter);
	if (!ret) {
		net->link_up = adapter->facts.link_up;
		net->link_speed = adapter->facts.link_speed / 10000;
		if (adapter->facts.most_mtu < net->dev->mtu)
			net->dev->mtu = adapter->facts.most_mtu;
		netvsc_tell_mac(adapter);
		netvsc_more_channels(adapter);
		if (!hv_life_opened(&net->client.life, hv_now()))
			ret = -EIO;
	}
	if (ret) {
		hv_life_failed(&net->client.life, hv_now(), netvsc_destroy_adapter(adapter));
		return ret;
	}
	hv_netvsc_function_opened(&net->function, adapter->opened.version, netvsc_must_map());
	rcu_assign_pointer(net->adapter, adapter);
	netvsc_adopt_features(net);
	return 0;
}

/* Nothing is sent or received when this returns. Does nothing the second time. */
void netvsc_close_adapter(struct netvsc_net *net)
{
	struct netvsc_adapter *adapter = netvsc_adapter_of(net);

	if (!adapter)
		return;
	netif_tx_disable(net->dev);
	hv_netvsc_function_closed(&net->function);
	RCU_INIT_POINTER(net->adapter, NULL);
	/* Behind this no sender holds it. */
	synchronize_net();

	if (!hv_client_rescinded(&net->client) && !hv_life_broken(&net->client.life)) {
		netvsc_set_filter(adapter, 0);
		/* Behind the halt the host refuses frames. */
		netvsc_drain(adapter);
		netvsc_halt(adapter);
		netvsc_drain(adapter);
		netvsc_revoke(adapter);
		/* Older hosts want their buffers back before the channel closes, newer behind. */
		if (vmbus_proto_version < VERSION_WIN10) {
			netvsc_take_back(net, &adapter->receive);
			netvsc_take_back(net, &adapter->send);
		}
	}
	hv_life_closed(&net->client.life, hv_now(), netvsc_destroy_adapter(adapter));
}

/* Opens the adapter otherwise than it was, and waits for its channels. It is closed. */
int netvsc_reopen_once(struct netvsc_net *net, const struct netvsc_config *config,
		       unsigned int mtu)
{
	struct netvsc_adapter *adapter;
	struct hv_patience wait;
	int ret;

	net->config = *config;
	WRITE_ONCE(net->dev->mtu, mtu);
	ret = netvsc_open_adapter(net);
	if (ret)
		return ret;
	adapter = netvsc_adapter_of(net);
	hv_wait_begin(&wait, NETVSC_CHANNELS_SECONDS);
	while (!wait_event_timeout(adapter->opened_one,
				   READ_ONCE(adapter->open) >= adapter->granted ||
				   hv_client_hopeless(&net->client), HZ / 2) &&
	       !hv_wait_over(&wait))
		;
	netvsc_use_queues(net);
	return 0;
}

/* Shows the stack an adapter that was opened anew. */
void netvsc_attach(struct netvsc_net *net)
{
	if (netif_running(net->dev))
		netvsc_apply_filter(net);
	netvsc_vf_settle(net);
	netif_device_attach(net->dev);
	netvsc_show_link(net);
}

/* Closes the adapter and opens it otherwise; as it was, when that fails. */
int netvsc_reopen(struct netvsc_net *net, const struct netvsc_config *config, unsigned int mtu)
{
	struct netvsc_config before = net->config;
	unsigned int mtu_before = net->dev->mtu;
	int ret;

	if (netvsc_left(net) || hv_client_going(&net->client))
		return -ENODEV;
	netif_device_detach(net->dev);
	netvsc_close_adapter(net);
	ret = netvsc_reopen_once(net, config, mtu);
	if (ret && netvsc_reopen_once(net, &before, mtu_before)) {
		if (!hv_client_going(&net->client))
			netdev_err(net->dev, "the adapter does not open: it is tried again\n");
		netif_carrier_off(net->dev);
		hv_client_plan(&net->client);
		return ret;
	}
	netvsc_attach(net);
	return ret;
}
