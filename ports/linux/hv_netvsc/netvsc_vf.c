// SPDX-License-Identifier: GPL-2.0-only
/* The virtual function of an adapter: its interface is joined to ours, and carries our frames. */
#include <linux/bpf.h>
#include <linux/etherdevice.h>
#include <linux/if_arp.h>
#include <linux/if_macvlan.h>
#include <linux/if_vlan.h>
#include <linux/module.h>
#include <linux/netpoll.h>
#include <linux/pci.h>
#include <net/net_namespace.h>
#include <net/sch_generic.h>

#include "netvsc_device.h"

/* Between joining an interface and taking it over: who names interfaces wants it down. */
#define NETVSC_VF_PAUSE (HZ / 10)

static bool vf_stand_in;
module_param(vf_stand_in, bool, 0644);
MODULE_PARM_DESC(vf_stand_in,
		 "Take interfaces of no device for virtual functions by address alone (for tests)");

/* Of all adapters that are registered; under RTNL. */
static LIST_HEAD(netvsc_nets);

/* What an interface looks like to the core. False: it is nobody's function. */
static bool netvsc_vf_describe(const struct net_device *dev, struct hv_netvsc_candidate *candidate)
{
	struct device *parent = dev->dev.parent;

	if (dev->netdev_ops == &netvsc_netdev_ops || dev->type != ARPHRD_ETHER ||
	    dev->addr_len != ETH_ALEN || is_vlan_dev(dev) || netif_is_bond_master(dev) ||
	    netif_is_bridge_master(dev) || netif_is_macvlan(dev))
		return false;
	memset(candidate, 0, sizeof(*candidate));
	ether_addr_copy(candidate->permanent, dev->perm_addr);
	ether_addr_copy(candidate->address, dev->dev_addr);
	candidate->stand_in = !parent && READ_ONCE(vf_stand_in);
	/* The bus of virtual PCI names the slot by the serial. */
	if (parent && dev_is_pci(parent) && to_pci_dev(parent)->slot)
		candidate->has_serial = !kstrtou32(pci_slot_name(to_pci_dev(parent)->slot), 10,
						   &candidate->serial);
	return true;
}

/* The adapter whose function the interface is, and that has none yet. */
static struct netvsc_net *netvsc_vf_owner(const struct net_device *vf)
{
	struct hv_netvsc_candidate candidate;
	struct netvsc_net *net, *owner = NULL;
	int best = HV_NETVSC_NO_MATCH;

	if (!netvsc_vf_describe(vf, &candidate))
		return NULL;
	list_for_each_entry(net, &netvsc_nets, vf_list) {
		int match = hv_netvsc_function_match(&net->function, &candidate);

		if (netvsc_left(net) || match <= best)
			continue;
		best = match;
		owner = net;
	}
	return owner;
}

/* The adapter that the interface is joined to. */
static struct netvsc_net *netvsc_vf_master(struct net_device *vf)
{
	struct net_device *dev = netdev_master_upper_dev_get(vf);

	return dev && dev->netdev_ops == &netvsc_netdev_ops ? netdev_priv(dev) : NULL;
}

/* Whether a frame may go by the function now, and by which interface. Under RCU. */
struct net_device *netvsc_vf_carrying(struct netvsc_net *net)
{
	struct net_device *vf = rcu_dereference(net->vf);

	if (likely(!vf) || !hv_netvsc_function_carries(&net->function) || !netif_running(vf) ||
	    !netif_carrier_ok(vf) || !READ_ONCE(net->vf_linked) || netpoll_tx_running(net->dev))
		return NULL;
	return vf;
}

/* The function runs the program, too, when it runs any. */
int netvsc_vf_set_xdp(struct net_device *vf, struct bpf_prog *prog, struct netlink_ext_ack *extack)
{
	struct netdev_bpf bpf = { .command = XDP_SETUP_PROG, .prog = prog, .extack = extack };
	int ret;

	if (!vf || !vf->netdev_ops->ndo_bpf)
		return 0;
	if (prog)
		bpf_prog_inc(prog);
	ret = vf->netdev_ops->ndo_bpf(vf, &bpf);
	if (ret && prog)
		bpf_prog_put(prog);
	return ret;
}

/* The function's own choice, which it makes again when it is given the frame. Under RCU. */
u16 netvsc_vf_select_queue(struct net_device *vf, struct sk_buff *skb)
{
	if (vf->real_num_tx_queues == 1)
		return 0;
	if (vf->netdev_ops->ndo_select_queue)
		return vf->netdev_ops->ndo_select_queue(vf, skb, NULL);
	return netdev_pick_tx(vf, skb, NULL);
}

/* Under RCU. The frame is done with. */
void netvsc_vf_xmit(struct netvsc_net *net, struct net_device *vf, struct sk_buff *skb)
{
	struct netvsc_counters *tx;
	unsigned int length = skb->len;
	int ret;

	skb->dev = vf;
	/* Our queue is not one of its; it chooses. */
	skb_set_queue_mapping(skb, 0);
	ret = dev_queue_xmit(skb);
	tx = &this_cpu_ptr(net->vf_traffic)->tx;
	u64_stats_update_begin(&tx->sync);
	if (likely(ret == NET_XMIT_SUCCESS || ret == NET_XMIT_CN)) {
		u64_stats_inc(&tx->of[NETVSC_PACKETS]);
		u64_stats_add(&tx->of[NETVSC_BYTES], length);
	} else {
		u64_stats_inc(&tx->of[NETVSC_DROPPED]);
	}
	u64_stats_update_end(&tx->sync);
}

/* What the function receives is received by the adapter. */
static rx_handler_result_t netvsc_vf_receive(struct sk_buff **pskb)
{
	struct sk_buff *skb = skb_share_check(*pskb, GFP_ATOMIC);
	struct netvsc_counters *rx;
	struct net_device *dev;

	if (unlikely(!skb))
		return RX_HANDLER_CONSUMED;
	*pskb = skb;
	dev = rcu_dereference(skb->dev->rx_handler_data);
	skb->dev = dev;
	rx = &this_cpu_ptr(((struct netvsc_net *)netdev_priv(dev))->vf_traffic)->rx;
	u64_stats_update_begin(&rx->sync);
	u64_stats_inc(&rx->of[NETVSC_PACKETS]);
	u64_stats_add(&rx->of[NETVSC_BYTES], skb->len);
	u64_stats_update_end(&rx->sync);
	return RX_HANDLER_ANOTHER;
}

/*
 * Frames go by the function now. Of a burst that began before, the last frames may have gone so
 * already, and nobody else shows the host the ones before them. Under RTNL.
 */
static void netvsc_vf_flush(struct netvsc_net *net)
{
	struct netvsc_adapter *adapter = netvsc_adapter_of(net);
	u32 i;

	if (!adapter)
		return;
	/* Behind this, each burst that began before has ended. */
	synchronize_net();
	for (i = 0; i < adapter->active; i++)
		hv_client_signal(adapter->queues[i]->vmbus, netvsc_publish(adapter->queues[i]));
}

/*
 * Tells the host of the data path until there is nothing to tell. Comes behind whatever may have
 * turned frames to the function. Under RTNL; waits for the host.
 */
void netvsc_vf_settle(struct netvsc_net *net)
{
	struct netvsc_adapter *adapter = netvsc_adapter_of(net);
	int ret;

	do {
		ret = adapter ? netvsc_switch_path(adapter) : 0;
		if (ret > 0)
			netdev_info(net->dev, "frames go by the %s\n",
				    hv_netvsc_function_carries(&net->function) ?
				    "virtual function" : "channels");
	} while (ret > 0);
	if (ret && !hv_client_going(&net->client))
		netdev_err(net->dev, "the data path is not switched: error %d\n", ret);
	if (hv_netvsc_function_carries(&net->function))
		netvsc_vf_flush(net);
}

/* It is going down, or away: what is sent from here on goes by the channels. Under RTNL. */
static void netvsc_vf_down(struct netvsc_net *net)
{
	hv_netvsc_function_down(&net->function);
	/* Behind this no sender goes to it any more. */
	synchronize_net();
	netvsc_vf_settle(net);
}

static void netvsc_vf_look_up(struct netvsc_net *net, const struct net_device *vf)
{
	if (!netif_running(vf)) {
		netvsc_vf_down(net);
		return;
	}
	/* The stack gives it its queues a while after the link, and drops frames until then. */
	WRITE_ONCE(net->vf_linked, netif_carrier_ok(vf) && !qdisc_tx_is_noop(vf));
	hv_netvsc_function_up(&net->function);
	netvsc_vf_settle(net);
}

/* Our flags are its own, too. `by`: 1 or -1. */
static void netvsc_vf_lend_flags(struct net_device *vf, int flags, int by)
{
	if (flags & IFF_PROMISC)
		dev_set_promiscuity(vf, by);
	if (flags & IFF_ALLMULTI)
		dev_set_allmulti(vf, by);
}

void netvsc_change_rx_flags(struct net_device *dev, int change)
{
	struct netvsc_net *net = netdev_priv(dev);
	struct net_device *vf = rtnl_dereference(net->vf);

	if (!vf)
		return;
	netvsc_vf_lend_flags(vf, change & dev->flags, 1);
	netvsc_vf_lend_flags(vf, change & ~dev->flags, -1);
}

/* Of what it can be told, it is to have what we have. */
void netvsc_vf_set_features(struct net_device *vf, netdev_features_t features)
{
	vf->wanted_features = features & vf->hw_features;
	netdev_update_features(vf);
}

static int netvsc_vf_join(struct netvsc_net *net, struct net_device *vf)
{
	struct net_device *dev = net->dev;
	int ret = netdev_rx_handler_register(vf, netvsc_vf_receive, dev);

	if (ret)
		return ret;
	ret = netdev_master_upper_dev_link(vf, dev, NULL, NULL, NULL);
	if (ret) {
		netdev_rx_handler_unregister(vf);
		return ret;
	}
	/* Without addresses of its own. */
	vf->flags |= IFF_SLAVE;
	vf->priv_flags |= HV_NO_ADDRCONF;
	dev_hold(vf);
	rcu_assign_pointer(net->vf, vf);
	hv_netvsc_function_joined(&net->function);
	call_netdevice_notifiers(NETDEV_JOIN, vf);

	if (dev->needed_headroom < vf->needed_headroom)
		dev->needed_headroom = vf->needed_headroom;
	netvsc_vf_set_features(vf, dev->features);
	netvsc_vf_lend_flags(vf, dev->flags, 1);
	if (netvsc_vf_set_xdp(vf, rtnl_dereference(net->xdp_prog), NULL))
		netdev_warn(vf, "it does not take the XDP program\n");
	netdev_info(vf, "joined to %s\n", dev->name);
	net->vf_fresh = true;
	schedule_delayed_work(&net->vf_setup_work, NETVSC_VF_PAUSE);
	return 0;
}

/* Under RTNL. Does nothing without a function. */
void netvsc_vf_leave(struct netvsc_net *net)
{
	struct net_device *vf = rtnl_dereference(net->vf);
	struct net_device *dev = net->dev;

	if (!vf)
		return;
	netvsc_vf_down(net);
	hv_netvsc_function_left(&net->function);
	RCU_INIT_POINTER(net->vf, NULL);
	netvsc_vf_set_xdp(vf, NULL, NULL);
	netvsc_vf_lend_flags(vf, dev->flags, -1);
	dev_uc_unsync(vf, dev);
	dev_mc_unsync(vf, dev);
	/* It waits for who has seen net->vf, too. */
	netdev_rx_handler_unregister(vf);
	netdev_upper_dev_unlink(vf, dev);
	vf->flags &= ~IFF_SLAVE;
	vf->priv_flags &= ~(u64)HV_NO_ADDRCONF;
	dev->needed_headroom = 0;
	netdev_info(dev, "%s left\n", vf->name);
	dev_put(vf);
}

/* Makes the interface, once, what ours is. Under RTNL. */
static void netvsc_vf_take_over(struct netvsc_net *net)
{
	struct net_device *vf = rtnl_dereference(net->vf);
	struct net_device *dev = net->dev;

	if (!vf || !net->vf_fresh)
		return;
	net->vf_fresh = false;
	if (dev_set_mtu(vf, dev->mtu))
		netdev_warn(vf, "it does not take an MTU of %u\n", dev->mtu);
	netif_addr_lock_bh(dev);
	dev_uc_sync(vf, dev);
	dev_mc_sync(vf, dev);
	netif_addr_unlock_bh(dev);
	if (netif_running(dev) && dev_open(vf, NULL))
		netdev_warn(vf, "it does not open\n");
	/* It may have been open before, and then says nothing of it. */
	netvsc_vf_look_up(net, vf);
}

void netvsc_vf_setup_work(struct work_struct *work)
{
	struct netvsc_net *net = container_of(work, struct netvsc_net, vf_setup_work.work);

	rtnl_lock();
	if (!netvsc_left(net))
		netvsc_vf_take_over(net);
	rtnl_unlock();
}

/* The function of an adapter that has none, wherever it is. */
static struct net_device *netvsc_vf_find(struct netvsc_net *net)
{
	struct net_device *dev, *found = NULL;
	struct net *space;

	down_read(&net_rwsem);
	for_each_net(space) {
		for_each_netdev(space, dev) {
			if (!found && netvsc_vf_owner(dev) == net)
				found = dev;
		}
	}
	up_read(&net_rwsem);
	return found;
}

/*
 * Looks for the function among the interfaces that are there, and fetches it from another
 * namespace. Never in a notifier: who goes through a namespace's interfaces would lose its way.
 */
static void netvsc_vf_look(struct netvsc_net *net)
{
	struct net_device *vf = rtnl_dereference(net->vf);
	int ret = 0;

	if (!vf)
		vf = netvsc_vf_find(net);
	if (!vf)
		return;
	/* Having come here, it is joined by its registration. */
	if (!net_eq(dev_net(vf), dev_net(net->dev)))
		ret = dev_change_net_namespace(vf, dev_net(net->dev), "eth%d");
	else if (!rtnl_dereference(net->vf))
		ret = netvsc_vf_join(net, vf);
	if (ret)
		netdev_err(net->dev, "%s is not joined: error %d\n", vf->name, ret);
}

/* Something has happened that is not dealt with where it was seen. */
void netvsc_vf_work(struct work_struct *work)
{
	struct netvsc_net *net = container_of(work, struct netvsc_net, vf_work);

	rtnl_lock();
	if (!netvsc_left(net) && net->dev->reg_state == NETREG_REGISTERED) {
		netvsc_vf_look(net);
		netvsc_vf_settle(net);
	}
	rtnl_unlock();
}

/* From the poll: the host has given the adapter a function, or taken it back. */
void netvsc_vf_told(struct netvsc_net *net, bool allocated, u32 serial)
{
	hv_netvsc_function_associated(&net->function, allocated, serial);
	if (net_ratelimit())
		netdev_info(net->dev, "virtual function in slot %u: %s\n", serial,
			    allocated ? "there" : "gone");
	schedule_work(&net->vf_work);
}

/* Under RTNL, before and behind the registration of the interface. */
void netvsc_vf_list(struct netvsc_net *net)
{
	hv_netvsc_function_adopt(&net->function, net->dev->dev_addr);
	list_add(&net->vf_list, &netvsc_nets);
}

void netvsc_vf_unlist(struct netvsc_net *net)
{
	netvsc_vf_leave(net);
	list_del(&net->vf_list);
}

static void netvsc_vf_registered(struct net_device *vf)
{
	struct netvsc_net *net = netvsc_vf_owner(vf);

	if (!net)
		return;
	if (!net_eq(dev_net(vf), dev_net(net->dev)))
		schedule_work(&net->vf_work);
	else if (netvsc_vf_join(net, vf))
		netdev_err(vf, "it is not joined to %s\n", net->dev->name);
}

static int netvsc_vf_event(struct notifier_block *block, unsigned long event, void *info)
{
	struct net_device *dev = netdev_notifier_info_to_dev(info);
	struct netvsc_net *net;

	if (dev->netdev_ops == &netvsc_netdev_ops) {
		/* It has come, perhaps from another namespace. */
		if (event == NETDEV_REGISTER)
			schedule_work(&((struct netvsc_net *)netdev_priv(dev))->vf_work);
		return NOTIFY_DONE;
	}
	switch (event) {
	case NETDEV_POST_INIT:
		if (netvsc_vf_owner(dev))
			dev->flags |= IFF_SLAVE;
		return NOTIFY_DONE;
	case NETDEV_REGISTER:
		netvsc_vf_registered(dev);
		return NOTIFY_DONE;
	default:
		break;
	}
	net = netvsc_vf_master(dev);
	if (!net)
		return NOTIFY_DONE;
	switch (event) {
	case NETDEV_UP:
	case NETDEV_DOWN:
	case NETDEV_CHANGE:
		netvsc_vf_look_up(net, dev);
		break;
	case NETDEV_GOING_DOWN:
		netvsc_vf_down(net);
		break;
	case NETDEV_UNREGISTER:
		netvsc_vf_leave(net);
		break;
	default:
		break;
	}
	return NOTIFY_DONE;
}

struct notifier_block netvsc_vf_notifier = {
	.notifier_call = netvsc_vf_event,
};
