// SPDX-License-Identifier: GPL-2.0-only
/* The link, as the host tells of it. */
#include <linux/rtnetlink.h>

#include "netvsc_device.h"

/* How long a link is shown to be down when the host has moved the adapter to another network. */
#define NETVSC_LINK_PAUSE (2 * HZ)

/* Shows the stack the link as it is. Under RTNL. */
void netvsc_show_link(struct netvsc_net *net)
{
	if (READ_ONCE(net->link_up) && netvsc_adapter_of(net))
		netif_carrier_on(net->dev);
	else
		netif_carrier_off(net->dev);
}

void netvsc_link_work(struct work_struct *work)
{
	struct netvsc_net *net = container_of(work, struct netvsc_net, link_work.work);

	/* Who holds it may be waiting for us to end. */
	if (!rtnl_trylock()) {
		schedule_delayed_work(&net->link_work, HZ / 50 + 1);
		return;
	}
	if (!netvsc_left(net) && net->dev->reg_state == NETREG_REGISTERED) {
		netvsc_show_link(net);
		if (xchg(&net->notify_peers, false) && netif_carrier_ok(net->dev))
			__netdev_notify_peers(net->dev);
	}
	rtnl_unlock();
}

/* From the poll: what the host has said, enum hv_netvsc_told_kind. */
void netvsc_link_told(struct netvsc_net *net, int told, u32 value)
{
	unsigned long delay = 0;

	switch (told) {
	case HV_NETVSC_TOLD_LINK_UP:
		/* It was up: the way to it has changed. */
		if (net->link_up)
			WRITE_ONCE(net->notify_peers, true);
		WRITE_ONCE(net->link_up, true);
		break;
	case HV_NETVSC_TOLD_LINK_DOWN:
		WRITE_ONCE(net->link_up, false);
		break;
	case HV_NETVSC_TOLD_NETWORK_CHANGED:
		/* Who has an address here is to ask for it again. */
		if (!net->link_up)
			return;
		netif_carrier_off(net->dev);
		delay = NETVSC_LINK_PAUSE;
		break;
	case HV_NETVSC_TOLD_SPEED:
		WRITE_ONCE(net->link_speed, value / 10000);
		return;
	default:
		return;
	}
	schedule_delayed_work(&net->link_work, delay);
}
