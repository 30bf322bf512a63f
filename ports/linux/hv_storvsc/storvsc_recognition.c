// SPDX-License-Identifier: GPL-2.0-only
/* Whether the disks of a controller that is opened again are those that were known. */
#include <linux/blkdev.h>
#include <linux/dma-mapping.h>
#include <linux/slab.h>

#include "storvsc_device.h"

int storvsc_alloc_recognition(struct storvsc_device *dev)
{
	struct storvsc_recognition *recognition = &dev->recognition;

	recognition->page = (void *)get_zeroed_page(GFP_KERNEL);
	if (!recognition->page)
		return -ENOMEM;
	recognition->address = dma_map_single(&dev->client.hv->device, recognition->page,
					      HV_HYP_PAGE_SIZE, DMA_FROM_DEVICE);
	if (!dma_mapping_error(&dev->client.hv->device, recognition->address))
		return 0;
	free_page((unsigned long)recognition->page);
	recognition->page = NULL;
	return -ENOMEM;
}

/* What the host may still write to is lost. */
void storvsc_free_recognition(struct storvsc_device *dev)
{
	struct storvsc_recognition *recognition = &dev->recognition;

	if (!recognition->page || dev->kept)
		return;
	dma_unmap_single(&dev->client.hv->device, recognition->address, HV_HYP_PAGE_SIZE,
			 DMA_FROM_DEVICE);
	free_page((unsigned long)recognition->page);
}

/* The bytes of a disk as it was known; 0: it has no size. */
static u64 storvsc_known_bytes(struct scsi_device *sdev)
{
	struct gendisk *disk;
	u64 bytes = 0;

	/* Its driver may be just coming, waiting for commands, or going. */
	if (sdev->type != TYPE_DISK || !device_trylock(&sdev->sdev_gendev))
		return 0;
	disk = sdev->request_queue->disk;
	if (disk && dev_get_drvdata(&sdev->sdev_gendev))
		bytes = get_capacity(disk) << SECTOR_SHIFT;
	device_unlock(&sdev->sdev_gendev);
	return bytes;
}

/* Fills `identity` with page 83h as it was known. Returns its bytes. */
static size_t storvsc_known_identity(struct scsi_device *sdev, u8 *identity)
{
	const struct scsi_vpd *known;
	size_t bytes = 0;

	rcu_read_lock();
	known = rcu_dereference(sdev->vpd_pg83);
	if (known) {
		bytes = min_t(size_t, known->len, HV_STORVSC_RECOGNITION_BYTES);
		memcpy(identity, known->data, bytes);
	}
	rcu_read_unlock();
	return bytes;
}

static int storvsc_recognise(struct storvsc_device *dev, struct scsi_device *sdev)
{
	struct hv_storvsc_recognition recognition;
	struct hv_storvsc_known known = {
		.port = dev->host->host_no,
		.path = sdev->channel,
		.target = sdev->id,
		.lun = sdev->lun,
		.bytes = storvsc_known_bytes(sdev),
		.identity = dev->recognition.known,
		.identity_length = storvsc_known_identity(sdev, dev->recognition.known),
	};
	int ret;

	hv_storvsc_recognition_create(&recognition, &known);
	while (!hv_storvsc_recognition_done(&recognition)) {
		ret = storvsc_ask_recognition(dev, &recognition);
		if (ret)
			return ret;
	}
	storvsc_recognised(dev, sdev, hv_storvsc_recognition_verdict(&recognition));
	return 0;
}

/* Before commands go to them again. Under the lock. */
int storvsc_recognise_all(struct storvsc_device *dev)
{
	struct scsi_device *sdev;
	int ret = 0;

	shost_for_each_device(sdev, dev->host) {
		if (!ret)
			ret = storvsc_recognise(dev, sdev);
	}
	return ret;
}
