// SPDX-License-Identifier: GPL-2.0-only
/* The device of a primary channel: from its creation to its release. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "api_drv.h"

static void forget_channel(struct vmbus_channel *channel)
{
	bool first;

	mutex_lock(&vmbus_connection.channel_mutex);
	first = hvb_channel_unlink(channel);
	mutex_unlock(&vmbus_connection.channel_mutex);
	if (first)
		hvb_channel_dispose(channel);
}

static void hvb_device_release(struct device *device)
{
	struct hv_device *dev = device_to_hv_device(device);

	forget_channel(dev->channel);
#ifndef HVB_CORE_DRIVER_OVERRIDE
	kfree(dev->driver_override);
#endif
	kfree(dev);
}

/*
 * Between the appearance of the device and its binding to a driver: the
 * channels have to be there when the driver's probe looks for them.
 */
static int hvb_device_appears(struct notifier_block *block, unsigned long event, void *data)
{
	struct hv_device *dev = device_to_hv_device((struct device *)data);

	if (event != BUS_NOTIFY_ADD_DEVICE)
		return NOTIFY_DONE;

	dev->channels_kset = kset_create_and_add("channels", NULL, &dev->device.kobj);
	if (!dev->channels_kset)
		return NOTIFY_DONE;
	if (hvb_channel_add_sysfs(dev, dev->channel)) {
		kset_unregister(dev->channels_kset);
		dev->channels_kset = NULL;
	}
	return NOTIFY_OK;
}

struct notifier_block hvb_device_notifier = {
	.notifier_call = hvb_device_appears,
};

/*
 * Makes the device of a primary channel and registers it, which binds a driver.
 * From the moment this was called the channel belongs to the device: it is
 * removed with it, on failure as well.
 */
int hvb_device_add(struct vmbus_channel *channel)
{
	struct hv_device *dev;
	int ret;

	dev = kzalloc(sizeof(*dev), GFP_KERNEL);
	if (!dev) {
		forget_channel(channel);
		return -ENOMEM;
	}

	dev->channel = channel;
	dev->dev_type = channel->offermsg.offer.if_type;
	dev->dev_instance = channel->offermsg.offer.if_instance;
	dev->vendor_id = PCI_VENDOR_ID_MICROSOFT;
	dev->device_id = channel->device_id;
	dev->device.bus = &hvb_bus_type;
	dev->device.parent = hvb_parent;
	dev->device.release = hvb_device_release;
	dev->device.dma_parms = &dev->dma_parms;
	dev->device.dma_mask = &dev->dma_mask;

	device_initialize(&dev->device);
	channel->device_obj = dev;
	dma_set_mask(&dev->device, DMA_BIT_MASK(64));

	ret = dev_set_name(&dev->device, "%pUl", &dev->dev_instance);
	if (ret)
		goto put;

	ret = device_add(&dev->device);
	if (ret) {
		pr_err("cannot add device %s: %d\n", dev_name(&dev->device), ret);
		goto put;
	}

	if (!dev->channels_kset) {
		device_unregister(&dev->device);
		return -ENOMEM;
	}
	return 0;

put:
	put_device(&dev->device);
	return ret;
}

/*
 * Removes a device whose channel is gone: unbinds the driver, and with the last
 * reference the channel goes too.
 */
void vmbus_device_unregister(struct hv_device *device_obj)
{
	struct kset *kset;

	pr_debug("child device %s unregistered\n", dev_name(&device_obj->device));

	/* New sub-channels look for it under the mutex. */
	mutex_lock(&vmbus_connection.channel_mutex);
	kset = device_obj->channels_kset;
	device_obj->channels_kset = NULL;
	mutex_unlock(&vmbus_connection.channel_mutex);
	if (kset)
		kset_unregister(kset);
	device_unregister(&device_obj->device);
}
EXPORT_SYMBOL_GPL(vmbus_device_unregister);
