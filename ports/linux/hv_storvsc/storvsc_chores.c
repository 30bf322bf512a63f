// SPDX-License-Identifier: GPL-2.0-only
/* Devices come, change and go: what is done about it in process context. */
#include <linux/bitops.h>

#include "storvsc_device.h"

/* How long a device may take to say that it is there. */
#define STORVSC_READY_SECONDS 30

static void storvsc_queue_chores(struct storvsc_device *dev)
{
	if (!READ_ONCE(dev->leaving))
		queue_work(dev->wq, &dev->chores_work);
}

/* The set of devices has changed. Any context. */
void storvsc_want_scan(struct storvsc_device *dev)
{
	set_bit(STORVSC_CHORE_SCAN, &dev->chores);
	storvsc_queue_chores(dev);
}

/*
 * A device has changed or is gone. Any context: nothing is allocated, the wish stands in the device
 * itself.
 */
void storvsc_want_lun(struct storvsc_device *dev, struct scsi_device *sdev,
		      enum storvsc_lun_bits what)
{
	set_bit(what, (unsigned long *)&sdev->hostdata);
	storvsc_queue_chores(dev);
}

/*
 * The host does not say which devices are gone. A command to each makes it say so: the completion
 * marks the device.
 */
static void storvsc_find_gone(struct storvsc_device *dev)
{
	struct scsi_device *sdev;

	mutex_lock(&dev->host->scan_mutex);
	shost_for_each_device(sdev, dev->host)
		scsi_test_unit_ready(sdev, STORVSC_READY_SECONDS * HZ, 1, NULL);
	mutex_unlock(&dev->host->scan_mutex);
}

static void storvsc_tend_luns(struct storvsc_device *dev)
{
	struct scsi_device *sdev;

	shost_for_each_device(sdev, dev->host) {
		unsigned long *wishes = (unsigned long *)&sdev->hostdata;

		if (test_and_clear_bit(STORVSC_LUN_REMOVE, wishes))
			scsi_remove_device(sdev);
		else if (test_and_clear_bit(STORVSC_LUN_RESCAN, wishes))
			scsi_rescan_device(sdev);
	}
}

void storvsc_chores(struct work_struct *work)
{
	struct storvsc_device *dev = container_of(work, struct storvsc_device, chores_work);
	bool scan = test_and_clear_bit(STORVSC_CHORE_SCAN, &dev->chores);

	if (scan)
		storvsc_find_gone(dev);
	storvsc_tend_luns(dev);
	if (scan && !READ_ONCE(dev->leaving))
		scsi_scan_host(dev->host);
}
