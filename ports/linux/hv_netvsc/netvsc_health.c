// SPDX-License-Identifier: GPL-2.0-only
/* An adapter that does not work any more: closed, and opened anew when the core says so. */
#include <linux/ktime.h>
#include <linux/rtnetlink.h>

#include "netvsc_device.h"

/* What the core measures by. Milliseconds. */
u64 netvsc_now(void)
{
	return ktime_to_ms(ktime_get());
}

/* Any context. Once for each adapter, and so is the message. */
void netvsc_break(struct netvsc_queue *queue, const char *why)
{
	struct netvsc_adapter *adapter = queue->adapter;

	if (xchg(&adapter->broken, true))
		return;
	netdev_err(adapter->net->dev, "%s: the adapter is closed\n", why);
	wake_up(&adapter->opened_one);
	schedule_work(&adapter->net->broken_work);
}

/* There is no adapter, and there should be: the next try is due. Under RTNL. */
void netvsc_recover(struct netvsc_net *net)
{
	u32 wait = hv_netvsc_recovery_broke(&net->recovery, netvsc_now());

	net->recovering = true;
	schedule_delayed_work(&net->recover_work, msecs_to_jiffies(wait));
}

void netvsc_broken_work(struct work_struct *work)
{
	struct netvsc_net *net = container_of(work, struct netvsc_net, broken_work);
	struct netvsc_adapter *adapter;

	rtnl_lock();
	adapter = netvsc_adapter_of(net);
	/* It may be another one than that which broke. */
	if (!net->leaving && adapter && READ_ONCE(adapter->broken)) {
		netif_carrier_off(net->dev);
		netif_device_detach(net->dev);
		netvsc_close_adapter(net);
		netvsc_recover(net);
	}
	rtnl_unlock();
}

void netvsc_recover_work(struct work_struct *work)
{
	struct netvsc_net *net = container_of(work, struct netvsc_net, recover_work.work);

	rtnl_lock();
	if (!net->recovering || net->leaving || netvsc_going(net))
		goto unlock;
	net->recovering = false;
	if (netvsc_reopen_once(net, &net->config, net->dev->mtu)) {
		netvsc_recover(net);
		goto unlock;
	}
	netdev_info(net->dev, "the adapter is open again\n");
	netvsc_attach(net);
unlock:
	rtnl_unlock();
}

/* Whether a queue is stopped for so long that the host has forgotten all that it had of it. */
static bool netvsc_stalled(struct netvsc_queue *queue)
{
	u32 stops = READ_ONCE(queue->stops);

	if (queue->stop_seen == stops)
		return hv_wait_over(&queue->stall);
	queue->stop_seen = stops;
	hv_wait_begin(&queue->stall, HV_NETVSC_STALL_SECONDS);
	return false;
}

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
	if (net->leaving || !netif_running(net->dev))
		adapter = NULL;
	for (i = 0; adapter && i < adapter->active; i++) {
		struct netvsc_queue *queue = adapter->queues[i];

		if (!netif_tx_queue_stopped(netdev_get_tx_queue(net->dev, i)))
			continue;
		if (netvsc_stalled(queue))
			netvsc_break(queue, "the host completes nothing");
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
	if (!net->leaving && netvsc_adapter_of(net))
		netvsc_keep_alive(netvsc_adapter_of(net), READ_ONCE(net->alive_id));
	rtnl_unlock();
}
