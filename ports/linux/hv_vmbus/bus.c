// SPDX-License-Identifier: GPL-2.0-only
/* The bus type: matching, probing, dynamic ids, registration of drivers. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "api_drv.h"

struct dynamic_id {
	struct list_head node;
	struct hv_vmbus_device_id id;
};

/* Handed to a driver that was forced upon a device it has no id for. */
static const struct hv_vmbus_device_id no_id;

static const struct hv_vmbus_device_id *find_static(const struct hv_vmbus_device_id *table,
						    const guid_t *type)
{
	for (; table && !guid_is_null(&table->guid); table++)
		if (guid_equal(&table->guid, type))
			return table;
	return NULL;
}

/* Call with dynids.lock held. */
static struct dynamic_id *find_dynamic(struct hv_driver *drv, const guid_t *type)
{
	struct dynamic_id *dyn;

	list_for_each_entry(dyn, &drv->dynids.list, node)
		if (guid_equal(&dyn->id.guid, type))
			return dyn;
	return NULL;
}

/* > 0: this driver is forced upon the device, 0: another one is, < 0: none is. */
static int forced_driver(struct hv_device *dev, const struct hv_driver *drv)
{
#ifdef HVB_CORE_DRIVER_OVERRIDE
	return device_match_driver_override(&dev->device, &drv->driver);
#else
	if (!dev->driver_override)
		return -1;
	return !strcmp(dev->driver_override, drv->name);
#endif
}

static const struct hv_vmbus_device_id *match_id(struct hv_driver *drv, struct hv_device *dev)
{
	const struct hv_vmbus_device_id *id = NULL;
	int forced = forced_driver(dev, drv);
	struct dynamic_id *dyn;

	if (forced == 0)
		return NULL;

	spin_lock(&drv->dynids.lock);
	dyn = find_dynamic(drv, &dev->dev_type);
	if (dyn)
		id = &dyn->id;
	spin_unlock(&drv->dynids.lock);

	if (!id)
		id = find_static(drv->id_table, &dev->dev_type);
	if (!id && forced > 0)
		id = &no_id;
	return id;
}

static ssize_t new_id_store(struct device_driver *driver, const char *buf, size_t count)
{
	struct hv_driver *drv = drv_to_hv_drv(driver);
	struct dynamic_id *dyn;
	bool known;
	int ret;

	dyn = kzalloc(sizeof(*dyn), GFP_KERNEL);
	if (!dyn)
		return -ENOMEM;
	ret = guid_parse(buf, &dyn->id.guid);
	if (ret) {
		kfree(dyn);
		return ret;
	}

	spin_lock(&drv->dynids.lock);
	known = find_dynamic(drv, &dyn->id.guid);
	if (!known)
		list_add_tail(&dyn->node, &drv->dynids.list);
	spin_unlock(&drv->dynids.lock);
	if (known) {
		kfree(dyn);
		return -EEXIST;
	}

	ret = driver_attach(&drv->driver);
	return ret ? ret : count;
}
static DRIVER_ATTR_WO(new_id);

static ssize_t remove_id_store(struct device_driver *driver, const char *buf, size_t count)
{
	struct hv_driver *drv = drv_to_hv_drv(driver);
	struct dynamic_id *dyn;
	guid_t type;
	int ret;

	ret = guid_parse(buf, &type);
	if (ret)
		return ret;

	spin_lock(&drv->dynids.lock);
	dyn = find_dynamic(drv, &type);
	if (dyn)
		list_del(&dyn->node);
	spin_unlock(&drv->dynids.lock);

	kfree(dyn);
	return dyn ? count : -ENODEV;
}
static DRIVER_ATTR_WO(remove_id);

static struct attribute *hvb_drv_attrs[] = {
	&driver_attr_new_id.attr,
	&driver_attr_remove_id.attr,
	NULL,
};
ATTRIBUTE_GROUPS(hvb_drv);

static ssize_t hibernation_show(HVB_CONST struct bus_type *bus, char *buf)
{
	return sysfs_emit(buf, "%d\n", !!hv_is_hibernation_supported());
}
static BUS_ATTR_RO(hibernation);

static struct attribute *hvb_bus_attrs[] = {
	&bus_attr_hibernation.attr,
	NULL,
};
ATTRIBUTE_GROUPS(hvb_bus);

static int hvb_uevent(HVB_CONST struct device *device, struct kobj_uevent_env *env)
{
	const struct hv_device *dev = device_to_hv_device(device);

	return add_uevent_var(env, "MODALIAS=vmbus:%*phN", UUID_SIZE, &dev->dev_type);
}

static int hvb_match(struct device *device, HVB_CONST struct device_driver *driver)
{
	struct hv_driver *drv = (struct hv_driver *)drv_to_hv_drv(driver);
	struct hv_device *dev = device_to_hv_device(device);

	/* An hv_sock offer's type is that of a service: only the flag tells what it is. */
	if (is_hvsock_channel(dev->channel))
		return drv->hvsock;

	return !!match_id(drv, dev);
}

static int hvb_probe(struct device *device)
{
	struct hv_driver *drv = drv_to_hv_drv(device->driver);
	struct hv_device *dev = device_to_hv_device(device);
	int ret;

	if (!drv->probe) {
		dev_err(device, "driver %s cannot probe\n", drv->name);
		return -ENODEV;
	}
	ret = drv->probe(dev, match_id(drv, dev));
	if (ret)
		pr_err("probe failed for device %s (%d)\n", dev_name(device), ret);
	return ret;
}

static void hvb_remove(struct device *device)
{
	struct hv_driver *drv;

	if (!device->driver)
		return;
	drv = drv_to_hv_drv(device->driver);
	if (drv->remove)
		drv->remove(device_to_hv_device(device));
}

static void hvb_shutdown(struct device *device)
{
	struct hv_driver *drv;

	if (!device->driver)
		return;
	drv = drv_to_hv_drv(device->driver);
	if (drv->shutdown)
		drv->shutdown(device_to_hv_device(device));
}

static int hvb_dma_configure(struct device *device)
{
	hv_setup_dma_ops(device, device_get_dma_attr(hvb_parent) == DEV_DMA_COHERENT);
	return 0;
}

static int __maybe_unused hvb_suspend(struct device *device)
{
	struct hv_driver *drv;

	if (!device->driver)
		return 0;
	drv = drv_to_hv_drv(device->driver);
	return drv->suspend ? drv->suspend(device_to_hv_device(device)) : -EOPNOTSUPP;
}

static int __maybe_unused hvb_resume(struct device *device)
{
	struct hv_driver *drv;

	if (!device->driver)
		return 0;
	drv = drv_to_hv_drv(device->driver);
	return drv->resume ? drv->resume(device_to_hv_device(device)) : -EOPNOTSUPP;
}

/*
 * Only hibernation: in suspend-to-idle the devices stay awake, as they are what
 * wakes a generation 2 machine. The noirq phase, because that is when PCI
 * pass-through devices, which hang on one of ours, are resumed.
 */
static const struct dev_pm_ops hvb_dev_pm = {
#ifdef CONFIG_PM_SLEEP
	.freeze_noirq = hvb_suspend,
	.thaw_noirq = hvb_resume,
	.poweroff_noirq = hvb_suspend,
	.restore_noirq = hvb_resume,
#endif
};

HVB_CONST struct bus_type hvb_bus_type = {
	.name = "vmbus",
#ifdef HVB_CORE_DRIVER_OVERRIDE
	.driver_override = true,
#endif
	.match = hvb_match,
	.shutdown = hvb_shutdown,
	.remove = hvb_remove,
	.probe = hvb_probe,
	.uevent = hvb_uevent,
	.dma_configure = hvb_dma_configure,
	.dev_groups = hvb_dev_groups,
	.drv_groups = hvb_drv_groups,
	.bus_groups = hvb_bus_groups,
	.pm = &hvb_dev_pm,
};

/**
 * __vmbus_driver_register() - register a driver of VMBus devices
 * @hv_driver: the driver; its name, id_table and functions are set
 * @owner: the module it is in
 * @mod_name: the name of that module
 *
 * Context: process.
 * Return: 0, or -ENODEV where there is no VMBus, or driver_register()'s error.
 */
int __vmbus_driver_register(struct hv_driver *hv_driver, struct module *owner, const char *mod_name)
{
	pr_info("registering driver %s\n", hv_driver->name);

	if (!hvb_parent)
		return -ENODEV;

	hv_driver->driver.name = hv_driver->name;
	hv_driver->driver.owner = owner;
	hv_driver->driver.mod_name = mod_name;
	hv_driver->driver.bus = &hvb_bus_type;
	spin_lock_init(&hv_driver->dynids.lock);
	INIT_LIST_HEAD(&hv_driver->dynids.list);

	return driver_register(&hv_driver->driver);
}
EXPORT_SYMBOL_GPL(__vmbus_driver_register);

/**
 * vmbus_driver_unregister() - take a driver back
 * @hv_driver: what was registered
 *
 * Context: process; its devices are removed before this returns.
 */
void vmbus_driver_unregister(struct hv_driver *hv_driver)
{
	struct dynamic_id *dyn, *next;

	pr_info("unregistering driver %s\n", hv_driver->name);

	if (!hvb_parent)
		return;

	driver_unregister(&hv_driver->driver);
	list_for_each_entry_safe(dyn, next, &hv_driver->dynids.list, node)
		kfree(dyn);
	INIT_LIST_HEAD(&hv_driver->dynids.list);
}
EXPORT_SYMBOL_GPL(vmbus_driver_unregister);
