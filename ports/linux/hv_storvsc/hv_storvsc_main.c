// SPDX-License-Identifier: GPL-2.0-only
/* Hyper-V's synthetic storage controllers: the module and its devices. */
#include <linux/dma-mapping.h>
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "storvsc_device.h"

enum storvsc_kind { STORVSC_SCSI, STORVSC_IDE, STORVSC_FC };

static const struct storvsc_limits {
	unsigned int luns, targets, buses;
} storvsc_limits[] = {
	[STORVSC_SCSI] = { .luns = 255, .targets = 2, .buses = 8 },
	[STORVSC_IDE] = { .luns = 64, .targets = 1, .buses = 1 },
	[STORVSC_FC] = { .luns = 255, .targets = 128, .buses = 8 },
};

static const struct hv_vmbus_device_id storvsc_ids[] = {
	{ HV_SCSI_GUID, .driver_data = STORVSC_SCSI },
	{ HV_IDE_GUID, .driver_data = STORVSC_IDE },
	{ HV_SYNTHFC_GUID, .driver_data = STORVSC_FC },
	{},
};
MODULE_DEVICE_TABLE(vmbus, storvsc_ids);

/* The largest transfer that Fibre Channel adapters of hosts take, whatever they say. Bytes. */
#define STORVSC_FC_MAX_TRANSFER (512U * 1024)

static void storvsc_free(struct storvsc_device *dev)
{
	hv_client_destroy(&dev->client);
	if (dev->wq)
		destroy_workqueue(dev->wq);
	kvfree(dev->slots);
	kfree(dev->map);
	kfree(dev->channels);
	storvsc_free_recognition(dev);
	scsi_host_put(dev->host);
}

/* A controller that has not been opened. */
static struct storvsc_device *storvsc_alloc(struct hv_device *hv, enum storvsc_kind kind)
{
	const struct storvsc_limits *limits = &storvsc_limits[kind];
	struct storvsc_device *dev;
	struct Scsi_Host *host;
	size_t slots;
	int i;

	host = scsi_host_alloc(&storvsc_host_template, sizeof(*dev));
	if (!host)
		return ERR_PTR(-ENOMEM);
	host->max_lun = limits->luns;
	host->max_id = limits->targets;
	host->max_channel = limits->buses - 1;
	host->max_cmd_len = HV_STORVSC_CDB_SIZE;
	host->can_queue = storvsc_queue_depth(kind == STORVSC_IDE);
	host->nr_hw_queues = storvsc_hw_queues(kind == STORVSC_IDE);

	dev = shost_priv(host);
	if (hv_client_create(&dev->client, hv, &storvsc_client_ops)) {
		scsi_host_put(host);
		return ERR_PTR(-ENOMEM);
	}
	hv_storvsc_life_create(&dev->client.life);
	dev->host = host;
	dev->is_fc = kind == STORVSC_FC;
	dev->is_ide = kind == STORVSC_IDE;
	spin_lock_init(&dev->map_lock);
	mutex_init(&dev->lock);
	INIT_WORK(&dev->chores_work, storvsc_chores);
	for (i = 0; i < ARRAY_SIZE(dev->answers); i++)
		hv_answer_create(&dev->answers[i]);

	dev->map_size = host->nr_hw_queues;
	dev->slot_shift = order_base_2(host->can_queue);
	dev->channel_limit = num_possible_cpus();
	slots = ((size_t)dev->map_size << dev->slot_shift) + HV_STORVSC_CONTROL_SLOTS;
	dev->map = kcalloc(dev->map_size, sizeof(*dev->map), GFP_KERNEL);
	dev->channels = kcalloc(dev->channel_limit, sizeof(*dev->channels), GFP_KERNEL);
	dev->slots = kvcalloc(slots, sizeof(*dev->slots), GFP_KERNEL);
	/* Frozen before devices are suspended: what a chore sends would wait for their resume. */
	dev->wq = alloc_ordered_workqueue("storvsc_error_wq_%d", WQ_FREEZABLE, host->host_no);
	if (!dev->map || !dev->channels || !dev->slots || !dev->wq ||
	    storvsc_alloc_recognition(dev) || hv_storvsc_create(&dev->core, dev->slots, slots)) {
		storvsc_free(dev);
		return ERR_PTR(-ENOMEM);
	}
	return dev;
}

/* What the host can do decides how large requests become. */
static void storvsc_limit_transfers(struct storvsc_device *dev)
{
	struct Scsi_Host *host = dev->host;
	u32 bytes = dev->properties.max_transfer;

	if (dev->is_fc)
		bytes = min(bytes, STORVSC_FC_MAX_TRANSFER);
	host->max_sectors = bytes >> SECTOR_SHIFT;
	/* Only the first segment may begin and only the last may end within a page. */
	host->sg_tablesize = bytes / HV_HYP_PAGE_SIZE + 1;
}

/* The target number of an IDE disk stands in the GUID of its channel. */
static int storvsc_ide_target(struct hv_device *hv)
{
	return hv->dev_instance.b[5] << 8 | hv->dev_instance.b[4];
}

/*
 * A host that has withdrawn the controller answers nothing any more: what waits for it must not.
 * Nor is one opened again that is to go.
 */
static void storvsc_begin_removal(struct storvsc_device *dev)
{
	WRITE_ONCE(dev->client.leaving, true);
	if (hv_client_rescinded(&dev->client) ||
	    hv_life_state(&dev->client.life) != HV_LIFE_RUNNING)
		storvsc_abandon(dev);
	cancel_work_sync(&dev->chores_work);
}

static int storvsc_add(struct storvsc_device *dev)
{
	struct Scsi_Host *host = dev->host;
	int ret;

	if (dev->is_fc)
		storvsc_fc_prepare(dev);
	ret = scsi_add_host(host, &dev->client.hv->device);
	if (ret)
		return ret;
	/*
	 * The host orders requests itself, for all its guests: doing so here only costs time. It is
	 * the default with several queues anyway, and who wants another scheduler can choose it.
	 */
	host->tag_set.flags |= BLK_MQ_F_NO_SCHED_BY_DEFAULT;
	/* The block layer has mapped CPUs to queues now. */
	storvsc_rebuild_map(dev);
	if (dev->is_ide)
		ret = scsi_add_device(host, 0, storvsc_ide_target(dev->client.hv), 0);
	else
		scsi_scan_host(host);
	if (!ret && dev->is_fc)
		ret = storvsc_fc_add(dev);
	if (!ret)
		return 0;

	storvsc_begin_removal(dev);
	if (dev->is_fc)
		storvsc_fc_remove(dev);
	scsi_remove_host(host);
	return ret;
}

static int storvsc_probe(struct hv_device *hv, const struct hv_vmbus_device_id *id)
{
	struct storvsc_device *dev;
	int ret;

	dma_set_min_align_mask(&hv->device, HV_HYP_PAGE_SIZE - 1);
	dev = storvsc_alloc(hv, id->driver_data);
	if (IS_ERR(dev))
		return PTR_ERR(dev);
	hv_set_drvdata(hv, &dev->client);
	mutex_lock(&dev->lock);
	ret = storvsc_connect(dev);
	mutex_unlock(&dev->lock);
	if (ret) {
		dev_err(&hv->device, "the host does not open the controller: error %d\n", ret);
		goto free;
	}
	storvsc_limit_transfers(dev);
	ret = storvsc_add(dev);
	if (ret) {
		dev_err(&hv->device, "the controller cannot be added: error %d\n", ret);
		goto disconnect;
	}
	return 0;

disconnect:
	storvsc_disconnect(dev);
free:
	hv_set_drvdata(hv, NULL);
	storvsc_free(dev);
	return ret;
}

static void storvsc_remove(struct hv_device *hv)
{
	struct storvsc_device *dev = storvsc_of(hv_get_drvdata(hv));

	storvsc_begin_removal(dev);
	if (dev->is_fc)
		storvsc_fc_remove(dev);
	scsi_remove_host(dev->host);
	storvsc_disconnect(dev);
	cancel_work_sync(&dev->chores_work);
	hv_set_drvdata(hv, NULL);
	storvsc_free(dev);
}

HV_DRIVER_REMOVE(storvsc_driver_remove, storvsc_remove)

static int storvsc_suspend(struct hv_device *hv)
{
	return storvsc_sleep(storvsc_of(hv_get_drvdata(hv)));
}

static int storvsc_resume(struct hv_device *hv)
{
	return storvsc_awake(storvsc_of(hv_get_drvdata(hv)));
}

static struct hv_driver storvsc_driver = {
	.name = KBUILD_MODNAME,
	.id_table = storvsc_ids,
	.probe = storvsc_probe,
	.remove = storvsc_driver_remove,
	.suspend = storvsc_suspend,
	.resume = storvsc_resume,
	.driver = {
		.owner = THIS_MODULE,
		.probe_type = PROBE_PREFER_ASYNCHRONOUS,
	},
};

static int __init storvsc_init(void)
{
	int ret;

	ret = storvsc_check_params();
	if (ret)
		return ret;
	ret = storvsc_fc_init();
	if (ret)
		return ret;
	ret = vmbus_driver_register(&storvsc_driver);
	if (ret)
		storvsc_fc_exit();
	return ret;
}

static void __exit storvsc_exit(void)
{
	vmbus_driver_unregister(&storvsc_driver);
	storvsc_fc_exit();
}

module_init(storvsc_init);
module_exit(storvsc_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Microsoft Hyper-V virtual storage driver");
MODULE_VERSION(ENLIGHTEN_VERSION);
