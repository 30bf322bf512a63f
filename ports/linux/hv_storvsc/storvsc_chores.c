// SPDX-License-Identifier: GPL-2.0-only
/* Devices come, change and go: what is done about it in process context. */
#include <linux/bitops.h>
#include <linux/slab.h>

#include "storvsc_device.h"

/* How long a device may take to say that it is there. */
#define STORVSC_READY_SECONDS 30

static void storvsc_queue_chores(struct storvsc_device *dev)
{
	if (!READ_ONCE(dev->client.leaving))
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

/* Whether another disk has taken the place of the one that was found there. */
static bool storvsc_is_another(struct scsi_device *sdev)
{
	u8 *page = kzalloc(HV_STORVSC_RECOGNITION_BYTES, GFP_KERNEL);
	const struct scsi_vpd *known;
	bool another = false;

	if (!page)
		return false;
	if (!scsi_get_vpd_page(sdev, 0x83, page, HV_STORVSC_RECOGNITION_BYTES)) {
		rcu_read_lock();
		known = rcu_dereference(sdev->vpd_pg83);
		another = known && hv_storvsc_compare_identity(known->data, known->len, page,
							       HV_STORVSC_RECOGNITION_BYTES) ==
				   HV_STORVSC_OTHER_DISK;
		rcu_read_unlock();
	}
	kfree(page);
	return another;
}

/* What is still to be written is the old disk's, and must not reach the new one. It is to go. */
static void storvsc_replace(struct scsi_device *sdev)
{
	sdev_printk(KERN_NOTICE, sdev, "another disk has taken its place\n");
	mutex_lock(&sdev->state_mutex);
	scsi_device_set_state(sdev, SDEV_OFFLINE);
	mutex_unlock(&sdev->state_mutex);
}

/* What was found out of a device before commands go to it again. */
void storvsc_recognised(struct storvsc_device *dev, struct scsi_device *sdev,
			enum hv_storvsc_recognised verdict)
{
	switch (verdict) {
	case HV_STORVSC_RECOGNISED:
		break;
	case HV_STORVSC_CHANGED:
		storvsc_want_lun(dev, sdev, STORVSC_LUN_RESCAN);
		break;
	case HV_STORVSC_ANOTHER:
		storvsc_replace(sdev);
		fallthrough;
	case HV_STORVSC_NOBODY:
		storvsc_want_lun(dev, sdev, STORVSC_LUN_REMOVE);
		storvsc_want_scan(dev);
		break;
	}
}

/*
 * The host does not say which devices are gone, or others now. A command to each makes it say so:
 * the completion marks the device.
 */
static void storvsc_find_gone(struct storvsc_device *dev)
{
	struct scsi_device *sdev;

	mutex_lock(&dev->host->scan_mutex);
	shost_for_each_device(sdev, dev->host) {
		if (sdev->sdev_state != SDEV_RUNNING)
			continue;
		scsi_test_unit_ready(sdev, STORVSC_READY_SECONDS * HZ, 1, NULL);
		if (storvsc_is_another(sdev)) {
			storvsc_replace(sdev);
			set_bit(STORVSC_LUN_REMOVE, (unsigned long *)&sdev->hostdata);
		}
	}
	mutex_unlock(&dev->host->scan_mutex);
}

/* Returns whether devices were taken away in whose places there are others. */
static bool storvsc_tend_luns(struct storvsc_device *dev)
{
	struct scsi_device *sdev;
	bool replaced = false;

	shost_for_each_device(sdev, dev->host) {
		unsigned long *wishes = (unsigned long *)&sdev->hostdata;

		if (test_and_clear_bit(STORVSC_LUN_REMOVE, wishes)) {
			scsi_remove_device(sdev);
		} else if (sdev->sdev_state == SDEV_RUNNING &&
			   test_and_clear_bit(STORVSC_LUN_RESCAN, wishes)) {
			/* Looked at anew, it would have the other disk's identity. */
			if (storvsc_is_another(sdev)) {
				storvsc_replace(sdev);
				scsi_remove_device(sdev);
				replaced = true;
			} else {
				scsi_rescan_device(sdev);
			}
		}
	}
	return replaced;
}

void storvsc_chores(struct work_struct *work)
{
	struct storvsc_device *dev = container_of(work, struct storvsc_device, chores_work);
	bool scan = test_and_clear_bit(STORVSC_CHORE_SCAN, &dev->chores);

	if (scan)
		storvsc_find_gone(dev);
	if ((storvsc_tend_luns(dev) || scan) && !READ_ONCE(dev->client.leaving))
		scsi_scan_host(dev->host);
}
