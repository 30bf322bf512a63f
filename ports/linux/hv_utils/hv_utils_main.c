// SPDX-License-Identifier: GPL-2.0-only
/* Integration services: the heartbeat. The host asks, and is answered in the same bytes. */
#include <linux/hyperv.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "compat/driver.h"
#include "core/ic/ic.h"

/* Bytes of each ring's data: as every service of the kernel has them. */
#define UTILS_RING_BYTES VMBUS_RING_SIZE(3 * HV_HYP_PAGE_SIZE)
/* Bytes of the longest message. */
#define UTILS_MESSAGE HV_HYP_PAGE_SIZE
/*
 * Messages answered before others get their turn on this CPU; the bus calls again while there are
 * more.
 */
#define UTILS_BUDGET 16

struct utils_service {
	struct hv_device *hv;
	struct hv_ic_heartbeat core;
	/* The message being answered; the bus calls for one at a time. */
	u8 message[UTILS_MESSAGE];
};

/* From the bus, in a tasklet; one at a time. */
static void utils_on_channel(void *context)
{
	struct utils_service *service = context;
	struct vmbus_channel *channel = service->hv->channel;
	int budget = UTILS_BUDGET;
	u32 length;
	u64 id;

	while (budget-- && !vmbus_recvpacket(channel, service->message, sizeof(service->message),
					     &length, &id) && length) {
		if (!hv_ic_heartbeat_answer(&service->core, service->message, length))
			/* A host that gives no room for the answer misses it. */
			vmbus_sendpacket(channel, service->message, length, id,
					 VM_PKT_DATA_INBAND, 0);
	}
}

static int utils_open(struct utils_service *service)
{
	struct vmbus_channel *channel = service->hv->channel;

	/* A host negotiates anew on each opening. */
	hv_ic_heartbeat_create(&service->core);
	set_channel_read_mode(channel, HV_CALL_BATCHED);
	channel->max_pkt_size = sizeof(struct vmpacket_descriptor) + UTILS_MESSAGE;
	return vmbus_open(channel, UTILS_RING_BYTES, UTILS_RING_BYTES, NULL, 0, utils_on_channel,
			  service);
}

static int utils_probe(struct hv_device *hv, const struct hv_vmbus_device_id *id)
{
	struct utils_service *service;
	int ret;

	service = kzalloc(sizeof(*service), GFP_KERNEL);
	if (!service)
		return -ENOMEM;
	service->hv = hv;
	hv_set_drvdata(hv, service);
	ret = utils_open(service);
	if (!ret)
		return 0;
	hv_set_drvdata(hv, NULL);
	kfree(service);
	return ret;
}

static void utils_remove(struct hv_device *hv)
{
	struct utils_service *service = hv_get_drvdata(hv);

	vmbus_close(hv->channel);
	hv_set_drvdata(hv, NULL);
	kfree(service);
}

HV_DRIVER_REMOVE(utils_driver_remove, utils_remove)

static int utils_suspend(struct hv_device *hv)
{
	vmbus_close(hv->channel);
	return 0;
}

static int utils_resume(struct hv_device *hv)
{
	return utils_open(hv_get_drvdata(hv));
}

static const struct hv_vmbus_device_id utils_ids[] = {
	{ HV_HEART_BEAT_GUID },
	{},
};
MODULE_DEVICE_TABLE(vmbus, utils_ids);

static struct hv_driver utils_driver = {
	.name = KBUILD_MODNAME,
	.id_table = utils_ids,
	.probe = utils_probe,
	.remove = utils_driver_remove,
	.suspend = utils_suspend,
	.resume = utils_resume,
	.driver = {
		.owner = THIS_MODULE,
		.probe_type = PROBE_PREFER_ASYNCHRONOUS,
	},
};

static int __init utils_init(void)
{
	return vmbus_driver_register(&utils_driver);
}

static void __exit utils_exit(void)
{
	vmbus_driver_unregister(&utils_driver);
}

module_init(utils_init);
module_exit(utils_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Microsoft Hyper-V integration services");
MODULE_VERSION(ENLIGHTEN_VERSION);
