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

/* Commands that the host had, and of which it will say nothing more. */
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
 * The host may still write to the memory of the commands that it has, so they never end. The
 * mid-layer remembers that we were busy, and holds new commands back until an old one ends: that is
 * reset, so that they come and fail.
 */
static void storvsc_keep(struct storvsc_device *dev)
{
	dev_err(&dev->client.hv->device,
		"the host keeps the rings: %zu commands stay with it for good\n",
		hv_storvsc_in_flight(&dev->core));
	atomic_set(&dev->host->host_blocked, 0);
}

/*
 * Ends all traffic; behind the change of the state that forbids more. Commands that the host still
 * had are given back once it can write to none of their pages any more, to be sent again if the
 * controller is to live. Under the lock.
 */
static void storvsc_end_traffic(struct storvsc_device *dev)
{
	bool let_go;

	/* Behind this no submitter is left that has seen the state before. */
	synchronize_rcu();
	storvsc_drain(dev, STORVSC_GRACE_SECONDS);
	let_go = storvsc_close(dev);
	storvsc_forget_reset(dev);
	hv_life_closed(&dev->client.life, hv_now(), let_go);
	if (let_go)
		storvsc_fail_slots(dev, hv_life_state(&dev->client.life) == HV_LIFE_GONE ?
					DID_NO_CONNECT : DID_RESET);
	else
		storvsc_keep(dev);
	storvsc_wake(dev);
}

/* Ends the controller for good, without asking its host anything more. */
void storvsc_abandon(struct storvsc_device *dev)
{
	hv_client_lock_soon(&dev->client);
	hv_life_leave(&dev->client.life);
	storvsc_end_traffic(dev);
	mutex_unlock(&dev->lock);
}

/* The same in order: no command is left and none can come. */
void storvsc_disconnect(struct storvsc_device *dev)
{
	mutex_lock(&dev->lock);
	hv_life_leave(&dev->client.life);
	synchronize_rcu();
	storvsc_drain(dev, HV_STORVSC_ANSWER_SECONDS);
	storvsc_end_traffic(dev);
	mutex_unlock(&dev->lock);
}

/* A host that takes less than the one before would refuse what is already cut. */
static int storvsc_limits_hold(struct storvsc_device *dev)
{
	u32 before = dev->max_transfer;

	if (before && dev->properties.max_transfer < before) {
		dev_err(&dev->client.hv->device,
			"this host takes smaller transfers than the one before\n");
		return -EOPNOTSUPP;
	}
	if (!before)
		dev->max_transfer = dev->properties.max_transfer;
	return 0;
}

/* Opens the controller, up to where I/O may begin. Under the lock. */
int storvsc_connect(struct storvsc_device *dev)
{
	struct hv_storvsc_handshake handshake;
	int ret;

	if (!hv_life_open(&dev->client.life, hv_now()))
		return -ENODEV;
	ret = storvsc_open_primary(dev);
	if (!ret)
		ret = storvsc_converse(dev, &handshake);
	if (!ret)
		ret = storvsc_limits_hold(dev);
	if (!ret)
		ret = storvsc_ready_primary(dev);
	if (!ret)
		ret = storvsc_ask_sub_channels(dev, &handshake);
	if (!ret)
		ret = storvsc_recognise_all(dev);
	if (!ret && !hv_life_opened(&dev->client.life, hv_now()))
		ret = -EIO;
	if (ret)
		hv_life_failed(&dev->client.life, hv_now(), storvsc_close(dev));
	storvsc_wake(dev);
	return ret;
}

static void storvsc_lock(struct hv_client *client)
{
	mutex_lock(&storvsc_of(client)->lock);
}

static void storvsc_unlock(struct hv_client *client)
{
	mutex_unlock(&storvsc_of(client)->lock);
}

static void storvsc_close_broken(struct hv_client *client)
{
	storvsc_end_traffic(storvsc_of(client));
}

static int storvsc_open_again(struct hv_client *client)
{
	int ret = storvsc_connect(storvsc_of(client));

	/* There may be others now. */
	if (!ret)
		storvsc_want_scan(storvsc_of(client));
	return ret;
}

const struct hv_client_ops storvsc_client_ops = {
	.what = "controller",
	.lock = storvsc_lock,
	.unlock = storvsc_unlock,
	.open = storvsc_open_again,
	.close = storvsc_close_broken,
	.add_channel = storvsc_add_channel,
};

int storvsc_sleep(struct storvsc_device *dev)
{
	int ret;

	mutex_lock(&dev->lock);
	hv_life_suspended(&dev->client.life);
	synchronize_rcu();
	ret = storvsc_drain(dev, HV_STORVSC_ANSWER_SECONDS);
	if (ret == -EBUSY && hv_life_open(&dev->client.life, hv_now()) &&
	    hv_life_opened(&dev->client.life, hv_now())) {
		/* Nobody was told of a ring that broke meanwhile. */
		if (!storvsc_rings_are_whole(dev))
			hv_client_break(&dev->client, HV_CLIENT_RING_BROKEN);
		storvsc_wake(dev);
	} else {
		storvsc_end_traffic(dev);
		ret = 0;
	}
	mutex_unlock(&dev->lock);
	return ret;
}

/* What does not wake is tried again. */
int storvsc_awake(struct storvsc_device *dev)
{
	int ret;

	mutex_lock(&dev->lock);
	ret = storvsc_open_again(&dev->client);
	hv_client_plan(&dev->client);
	mutex_unlock(&dev->lock);
	return ret;
}
