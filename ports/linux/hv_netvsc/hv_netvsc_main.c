// SPDX-License-Identifier: GPL-2.0-only
/* Hyper-V's synthetic network adapters: the module and its devices. */
#include <linux/dma-mapping.h>
#include <linux/etherdevice.h>
#include <linux/module.h>
#include <linux/rtnetlink.h>
#include <linux/sizes.h>

#include "netvsc_device.h"

#define NETVSC_LEAST_RING_PAGES 64

static unsigned int ring_size = 128;
module_param(ring_size, uint, 0444);
MODULE_PARM_DESC(ring_size, "Ring buffer size (# of 4K pages)");

static int debug = -1;
module_param(debug, int, 0444);
MODULE_PARM_DESC(debug, "Debug level (0=none,...,16=all)");

/* Bytes of the buffers as they are shared unless the user wants others. */
#define NETVSC_RECEIVE_BYTES SZ_16M
#define NETVSC_SEND_BYTES SZ_1M

static struct net_device *netvsc_alloc(struct hv_device *hv)
{
	struct net_device *dev;
	struct netvsc_net *net;

	dev = alloc_etherdev_mq(sizeof(*net), HV_NETVSC_MOST_QUEUES);
	if (!dev)
		return NULL;
	SET_NETDEV_DEV(dev, &hv->device);
	dev->netdev_ops = &netvsc_netdev_ops;
	dev->ethtool_ops = &netvsc_ethtool_ops;
	dev->features = NETIF_F_LRO;
	netif_carrier_off(dev);

	net = netdev_priv(dev);
	if (hv_client_create(&net->client, hv, &netvsc_client_ops)) {
		free_netdev(dev);
		return NULL;
	}
	hv_life_create(&net->client.life);
	net->dev = dev;
	net->msg_enable = netif_msg_init(debug, NETIF_MSG_DRV | NETIF_MSG_PROBE | NETIF_MSG_LINK |
					 NETIF_MSG_IFUP | NETIF_MSG_IFDOWN | NETIF_MSG_TX_ERR);
	net->port_hash = NETVSC_ALL_FLOWS;
	net->config.queues = NETVSC_DEFAULT_QUEUES;
	net->config.receive_bytes = NETVSC_RECEIVE_BYTES;
	net->config.send_bytes = NETVSC_SEND_BYTES;
	netdev_rss_key_fill(net->rss_key, sizeof(net->rss_key));
	INIT_DELAYED_WORK(&net->link_work, netvsc_link_work);
	INIT_DELAYED_WORK(&net->queues_work, netvsc_queues_work);
	INIT_WORK(&net->filter_work, netvsc_filter_work);
	INIT_DELAYED_WORK(&net->vf_setup_work, netvsc_vf_setup_work);
	INIT_WORK(&net->vf_work, netvsc_vf_work);
	INIT_DELAYED_WORK(&net->stall_work, netvsc_stall_work);
	INIT_DELAYED_WORK(&net->alive_work, netvsc_alive_work);
	hv_netvsc_function_create(&net->function);
	if (netvsc_create_stats(net)) {
		hv_client_destroy(&net->client);
		free_netdev(dev);
		return NULL;
	}
	return dev;
}

/* A leaving adapter is closed, its works start none any more. Not under RTNL: works wait for it. */
static void netvsc_free(struct netvsc_net *net)
{
	cancel_delayed_work_sync(&net->link_work);
	cancel_delayed_work_sync(&net->queues_work);
	cancel_delayed_work_sync(&net->vf_setup_work);
	cancel_work_sync(&net->vf_work);
	cancel_work_sync(&net->filter_work);
	hv_client_destroy(&net->client);
	cancel_delayed_work_sync(&net->stall_work);
	cancel_delayed_work_sync(&net->alive_work);
	hv_set_drvdata(net->client.hv, NULL);
	netvsc_destroy_stats(net);
	free_netdev(net->dev);
}

static int netvsc_register(struct netvsc_net *net)
{
	const struct netvsc_adapter *adapter = netvsc_adapter_of(net);
	struct net_device *dev = net->dev;
	int ret;

	eth_hw_addr_set(dev, adapter->facts.mac);
	dev->features = dev->hw_features | NETIF_F_HIGHDMA | NETIF_F_HW_VLAN_CTAG_TX |
			NETIF_F_HW_VLAN_CTAG_RX;
	dev->vlan_features = dev->features;
	netdev_lockdep_set_classes(dev);
	dev->min_mtu = HV_NETVSC_LEAST_MTU;
	dev->max_mtu = adapter->opened.version >= HV_NETVSC_V2 ? HV_NETVSC_MOST_MTU : ETH_DATA_LEN;
#ifdef HV_XDP_FEATURES
	dev->xdp_features = NETDEV_XDP_ACT_BASIC | NETDEV_XDP_ACT_REDIRECT |
			    NETDEV_XDP_ACT_NDO_XMIT;
#endif
	netvsc_vf_list(net);
	ret = register_netdevice(dev);
	if (ret)
		netvsc_vf_unlist(net);
	return ret;
}

static int netvsc_probe(struct hv_device *hv, const struct hv_vmbus_device_id *id)
{
	struct net_device *dev = netvsc_alloc(hv);
	struct netvsc_net *net;
	int ret;

	if (!dev)
		return -ENOMEM;
	net = netdev_priv(dev);
	hv_set_drvdata(hv, &net->client);
	dma_set_min_align_mask(&hv->device, HV_HYP_PAGE_SIZE - 1);

	/*
	 * Nothing that waits for the host under this lock waits for a new device: sub-channels come
	 * to those that are there, and are put to use by work of their own.
	 */
	rtnl_lock();
	netif_set_real_num_tx_queues(dev, 1);
	netif_set_real_num_rx_queues(dev, 1);
	ret = netvsc_open_adapter(net);
	if (ret) {
		dev_err(&hv->device, "the host does not open the adapter: error %d\n", ret);
		goto free;
	}
	ret = netvsc_register(net);
	if (ret) {
		dev_err(&hv->device, "the interface cannot be registered: error %d\n", ret);
		goto close;
	}
	netvsc_show_link(net);
	rtnl_unlock();
	/* The first look; a late sub-channel has another. */
	schedule_delayed_work(&net->queues_work, 0);
	return 0;

close:
	netvsc_close_adapter(net);
free:
	hv_life_leave(&net->client.life);
	rtnl_unlock();
	netvsc_free(net);
	return ret;
}

static void netvsc_remove(struct hv_device *hv)
{
	struct hv_client *client = hv_get_drvdata(hv);
	struct netvsc_net *net;

	if (!client)
		return;
	net = netvsc_of(client);
	/* Who holds RTNL now gives up. We then close the adapter and tell the host all of it. */
	hv_client_lock_soon(client);
	hv_life_leave(&net->client.life);
	netvsc_vf_unlist(net);
	unregister_netdevice(net->dev);
	netvsc_close_adapter(net);
	rtnl_unlock();
	netvsc_free(net);
}

HV_DRIVER_REMOVE(netvsc_driver_remove, netvsc_remove)

static int netvsc_suspend(struct hv_device *hv)
{
	struct netvsc_net *net = netvsc_of(hv_get_drvdata(hv));

	rtnl_lock();
	netif_device_detach(net->dev);
	netvsc_close_adapter(net);
	hv_netvsc_function_forget(&net->function);
	hv_life_suspended(&net->client.life);
	rtnl_unlock();
	return 0;
}

static int netvsc_resume(struct hv_device *hv)
{
	struct netvsc_net *net = netvsc_of(hv_get_drvdata(hv));
	int ret;

	rtnl_lock();
	ret = netvsc_open_adapter(net);
	if (!ret) {
		netvsc_use_queues(net);
		netvsc_attach(net);
	} else {
		netif_carrier_off(net->dev);
		hv_client_plan(&net->client);
	}
	rtnl_unlock();
	return ret;
}

static const struct hv_vmbus_device_id netvsc_ids[] = {
	{ HV_NIC_GUID, },
	{},
};
MODULE_DEVICE_TABLE(vmbus, netvsc_ids);

static struct hv_driver netvsc_driver = {
	.name = KBUILD_MODNAME,
	.id_table = netvsc_ids,
	.probe = netvsc_probe,
	.remove = netvsc_driver_remove,
	.suspend = netvsc_suspend,
	.resume = netvsc_resume,
	.driver = {
		.owner = THIS_MODULE,
		.probe_type = PROBE_FORCE_SYNCHRONOUS,
	},
};

static int __init netvsc_init(void)
{
	int ret;

	if (ring_size < NETVSC_LEAST_RING_PAGES) {
		ring_size = NETVSC_LEAST_RING_PAGES;
		pr_info("ring_size is now %u, the least there may be\n", ring_size);
	}
	netvsc_ring_bytes = VMBUS_RING_SIZE(ring_size * HV_HYP_PAGE_SIZE);
	/* Before the first adapter, so that no interface is missed. */
	ret = register_netdevice_notifier(&netvsc_vf_notifier);
	if (ret)
		return ret;
	ret = vmbus_driver_register(&netvsc_driver);
	if (ret)
		unregister_netdevice_notifier(&netvsc_vf_notifier);
	return ret;
}

static void __exit netvsc_exit(void)
{
	vmbus_driver_unregister(&netvsc_driver);
	unregister_netdevice_notifier(&netvsc_vf_notifier);
}

module_init(netvsc_init);
module_exit(netvsc_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Microsoft Hyper-V network driver");
MODULE_VERSION(ENLIGHTEN_VERSION);
