// SPDX-License-Identifier: GPL-2.0-only
/* An adapter that does not work any more: closed, and opened anew when the core says so. */
#include <linux/rtnetlink.h>

#include "netvsc_device.h"

static void netvsc_lock(struct hv_client *client)
{
	rtnl_lock();
}

static void netvsc_unlock(struct hv_client *client)
{
	rtnl_unlock();
}

static void netvsc_close_broken(struct hv_client *client)
{
	struct netvsc_net *net = netvsc_of(client);

	netif_carrier_off(net->dev);
	netif_device_detach(net->dev);
	netvsc_close_adapter(net);
}

static int netvsc_open_again(struct hv_client *client)
{
	struct netvsc_net *net = netvsc_of(client);
	int ret = netvsc_reopen_once(net, &net->config, net->dev->mtu);

	if (!ret)
		netvsc_attach(net);
	return ret;
}

const struct hv_client_ops netvsc_client_ops = {
	.what = "adapter",
	.lock = netvsc_lock,
	.unlock = netvsc_unlock,
	.open = netvsc_open_again,
	.close = netvsc_close_broken,
	.add_channel = netvsc_add_channel,
};

/* Looks while a queue is stopped. */
void netvsc_stall_work(struct work_struct *work)
{
	struct netvsc_net *net = container_of(work, struct netvsc_net, stall_work.work);
	struct netvsc_adapter *adapter;
	bool look_again = false;
	unsigned int i;

	/* Who holds it may be waiting for us to end. */
	if (!rtnl_trylock()) {
		schedule_delayed_work(&net->stall_work, NETVSC_STALL_LOOKS);
		return;
	}
	adapter = netvsc_adapter_of(net);
	if (netvsc_left(net) || !netif_running(net->dev))
		adapter = NULL;
	for (i = 0; adapter && i < adapter->active; i++) {
		struct netvsc_queue *queue = adapter->queues[i];

		if (!netif_tx_queue_stopped(netdev_get_tx_queue(net->dev, i)))
			continue;
		if (hv_netvsc_stalled(&queue->stall, READ_ONCE(queue->stops), hv_now()))
			hv_client_break(&queue->adapter->net->client, "the host completes nothing");
		else
			look_again = true;
	}
	rtnl_unlock();
	if (look_again)
		schedule_delayed_work(&net->stall_work, NETVSC_STALL_LOOKS);
}

/* The host has asked whether we are alive; the last that asked is answered. */
void netvsc_alive_work(struct work_struct *work)
{
	struct netvsc_net *net = container_of(work, struct netvsc_net, alive_work.work);

	/* Who holds it may be waiting for us to end. */
	if (!rtnl_trylock()) {
		schedule_delayed_work(&net->alive_work, HZ / 50 + 1);
		return;
	}
	if (!netvsc_left(net) && netvsc_adapter_of(net))
		netvsc_keep_alive(netvsc_adapter_of(net), READ_ONCE(net->alive_id));
	rtnl_unlock();
}
