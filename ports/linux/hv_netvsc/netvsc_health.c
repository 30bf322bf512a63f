// SPDX-License-Identifier: GPL-2.0-only
/* An adapter that does not work any more: closed, and opened anew when the core says so. */
#include <linux/rtnetlink.h>

#include "netvsc_device.h"

/* Any context. Once for each opening, and so is the message. */
void netvsc_break(struct netvsc_queue *queue, const char *why)
{
	struct netvsc_adapter *adapter = queue->adapter;
	struct netvsc_net *net = adapter->net;

	if (!hv_life_broke(&net->life, hv_now()))
		return;
	netdev_err(net->dev, "%s: the adapter is closed\n", why);
	wake_up(&adapter->opened_one);
	schedule_work(&net->broken_work);
}

/* Has the adapter opened again when that is due. Under RTNL. */
void netvsc_plan_recovery(struct netvsc_net *net)
{
	u32 wait = hv_life_due(&net->life, hv_now());

	if (wait != HV_LIFE_NEVER)
		schedule_delayed_work(&net->recover_work, msecs_to_jiffies(wait));
}

void netvsc_broken_work(struct work_struct *work)
{
	struct netvsc_net *net = container_of(work, struct netvsc_net, broken_work);

	rtnl_lock();
	/* It may be another one than that which broke. */
	if (hv_life_state(&net->life) == HV_LIFE_BROKEN && netvsc_adapter_of(net)) {
		netif_carrier_off(net->dev);
		netif_device_detach(net->dev);
		netvsc_close_adapter(net);
		netvsc_plan_recovery(net);
	}
	rtnl_unlock();
}

void netvsc_recover_work(struct work_struct *work)
{
	struct netvsc_net *net = container_of(work, struct netvsc_net, recover_work.work);
	u32 wait;

	rtnl_lock();
	wait = netvsc_going(net) ? HV_LIFE_NEVER : hv_life_due(&net->life, hv_now());
	if (wait == 0 && !netvsc_reopen_once(net, &net->config, net->dev->mtu)) {
		netdev_info(net->dev, "the adapter is open again\n");
		netvsc_attach(net);
	} else if (wait != HV_LIFE_NEVER) {
		netvsc_plan_recovery(net);
	}
	rtnl_unlock();
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
	if (netvsc_left(net) || !netif_running(net->dev))
		adapter = NULL;
	for (i = 0; adapter && i < adapter->active; i++) {
		struct netvsc_queue *queue = adapter->queues[i];

		if (!netif_tx_queue_stopped(netdev_get_tx_queue(net->dev, i)))
			continue;
		if (hv_netvsc_stalled(&queue->stall, READ_ONCE(queue->stops), hv_now()))
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
	if (!netvsc_left(net) && netvsc_adapter_of(net))
		netvsc_keep_alive(netvsc_adapter_of(net), READ_ONCE(net->alive_id));
	rtnl_unlock();
}
