// SPDX-License-Identifier: GPL-2.0-only
/*
 * A controller's life: opened, broken by its host, closed, opened again, gone. The core says what
 * is to be done, and when.
 */
#include <linux/rcupdate.h>

#include "storvsc_device.h"

/*
 * How long a host that has withdrawn a controller gets for what it has already done to reach us.
 * Seconds.
 */
#define STORVSC_GRACE_SECONDS 1

/* Commands wait for it no longer: they go on, or fail. */
static void storvsc_wake(struct storvsc_device *dev)
{
	scsi_unblock_requests(dev->host);
}

/* Any context. Once for each opening, and so is the message. */
void storvsc_break(struct storvsc_device *dev, const char *why)
{
	if (!hv_life_broke(&dev->life, hv_now()))
		return;
	dev_err(&dev->hv->device, "%s: the controller is closed\n", why);
	mod_delayed_work(system_long_wq, &dev->life_work, 0);
}

/* A command that the host had, and of which it will say nothing more. */
static void storvsc_fail_slots(struct storvsc_device *dev, int host_byte)
{
	u32 slots = dev->map_size << dev->slot_shift;
	u32 slot;

	for (slot = 0; slot < slots; slot++) {
		if (hv_storvsc_alive(&dev->core, slot) &&
		    hv_storvsc_cancel(&dev->core, slot) == HV_OK)
			storvsc_fail_slot(dev, slot, host_byte);
	}
}

/*
 * Ends all traffic; behind the change of the state that forbids more. Commands that the host still
 * had are given back once it can write to none of their pages any more, to be sent again if the
 * controller is to live. Under life_lock.
 */
static void storvsc_end_traffic(struct storvsc_device *dev)
{
	bool let_go;

	/* Behind this no submitter is left that has seen the state before. */
	synchronize_rcu();
	if (!hv_life_broken(&dev->life))
		storvsc_drain(dev, STORVSC_GRACE_SECONDS);
	let_go = storvsc_close(dev);
	hv_life_closed(&dev->life, hv_now(), let_go);
	if (let_go)
		storvsc_fail_slots(dev, hv_life_state(&dev->life) == HV_LIFE_GONE ?
					DID_NO_CONNECT : DID_RESET);
	else
		dev_err(&dev->hv->device,
			"the host keeps the rings: %zu commands stay with it for good\n",
			hv_storvsc_in_flight(&dev->core));
	storvsc_wake(dev);
}

/* Ends the controller for good, without asking its host anything more. */
void storvsc_abandon(struct storvsc_device *dev)
{
	mutex_lock(&dev->life_lock);
	hv_life_leave(&dev->life);
	storvsc_end_traffic(dev);
	mutex_unlock(&dev->life_lock);
}

/* The same in order: no command is left and none can come. */
void storvsc_disconnect(struct storvsc_device *dev)
{
	mutex_lock(&dev->life_lock);
	hv_life_leave(&dev->life);
	synchronize_rcu();
	if (!hv_life_broken(&dev->life))
		storvsc_drain(dev, HV_STORVSC_ANSWER_SECONDS);
	storvsc_end_traffic(dev);
	mutex_unlock(&dev->life_lock);
	cancel_delayed_work_sync(&dev->life_work);
}

/* A host that takes less than the one before would refuse what is already cut. */
static int storvsc_limits_hold(struct storvsc_device *dev)
{
	u32 before = dev->max_transfer;

	if (before && dev->properties.max_transfer < before) {
		dev_err(&dev->hv->device, "this host takes smaller transfers than the one before\n");
		return -EOPNOTSUPP;
	}
	if (!before)
		dev->max_transfer = dev->properties.max_transfer;
	return 0;
}

/* Opens the controller, up to where I/O may begin. Under life_lock. */
int storvsc_connect(struct storvsc_device *dev)
{
	int ret;

	if (!hv_life_open(&dev->life, hv_now()))
		return -ENODEV;
	ret = storvsc_open_primary(dev);
	if (!ret)
		ret = storvsc_converse(dev);
	if (!ret)
		ret = storvsc_limits_hold(dev);
	if (!ret)
		ret = storvsc_recognise_all(dev);
	if (!ret && !hv_life_opened(&dev->life, hv_now()))
		ret = -EIO;
	if (ret)
		hv_life_failed(&dev->life, hv_now(), storvsc_close(dev));
	storvsc_wake(dev);
	return ret;
}

/* Has the controller opened again when that is due. Under life_lock. */
static void storvsc_plan(struct storvsc_device *dev)
{
	u32 wait = hv_life_due(&dev->life, hv_now());

	if (wait != HV_LIFE_NEVER)
		mod_delayed_work(system_long_wq, &dev->life_work, msecs_to_jiffies(wait));
}

void storvsc_life_work(struct work_struct *work)
{
	struct storvsc_device *dev = container_of(work, struct storvsc_device, life_work.work);
	enum hv_life_state before;

	mutex_lock(&dev->life_lock);
	before = hv_life_state(&dev->life);
	/* What is to go and does not run is not opened again. */
	if (READ_ONCE(dev->leaving) && before != HV_LIFE_RUNNING)
		hv_life_leave(&dev->life);
	if (before == HV_LIFE_BROKEN)
		storvsc_end_traffic(dev);
	if (hv_life_due(&dev->life, hv_now()) == 0 && !storvsc_connect(dev)) {
		dev_info(&dev->hv->device, "the controller is open again\n");
		storvsc_want_scan(dev);
	}
	if (before != HV_LIFE_GONE && hv_life_state(&dev->life) == HV_LIFE_GONE)
		dev_err(&dev->hv->device, "the controller is given up\n");
	storvsc_plan(dev);
	mutex_unlock(&dev->life_lock);
}

int storvsc_sleep(struct storvsc_device *dev)
{
	int ret;

	mutex_lock(&dev->life_lock);
	hv_life_suspended(&dev->life);
	synchronize_rcu();
	ret = storvsc_drain(dev, HV_STORVSC_ANSWER_SECONDS);
	if (ret == -EBUSY && hv_life_open(&dev->life, hv_now()) &&
	    hv_life_opened(&dev->life, hv_now())) {
		storvsc_wake(dev);
	} else {
		storvsc_end_traffic(dev);
		ret = 0;
	}
	mutex_unlock(&dev->life_lock);
	return ret;
}

/* What does not wake is tried again. */
int storvsc_awake(struct storvsc_device *dev)
{
	int ret;

	mutex_lock(&dev->life_lock);
	ret = storvsc_connect(dev);
	storvsc_plan(dev);
	mutex_unlock(&dev->life_lock);
	return ret;
}
