// SPDX-License-Identifier: GPL-2.0-only
/* Channels from the rescind to the last reference. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "api_mgmt.h"
#include "ports/linux/patience.h"

/* How long an hv_sock connection that was closed waits for its rescind. */
#define HVSOCK_RESCIND_SECONDS 60

/* No callback of this channel runs any more when this returns, and none will. */
void hvb_reset_callbacks(struct vmbus_channel *ch)
{
	unsigned long flags;

	/* The tasklet reads the callback without the lock: it has to have ended. */
	tasklet_disable(&ch->callback_event);
	spin_lock_irqsave(&ch->sched_lock, flags);
	ch->onchannel_callback = NULL;
	spin_unlock_irqrestore(&ch->sched_lock, flags);
	ch->sc_creation_callback = NULL;
	tasklet_enable(&ch->callback_event);
}

/*
 * The device of a primary channel, with a reference, for the one who is to
 * unregister it; NULL when there is none or somebody does so already. Call with channel_mutex.
 */
static struct hv_device *claim_device(struct vmbus_channel *ch)
{
	struct hvb_channel *bc = hvb_channel_of(ch);

	if (!ch->device_obj || bc->leaving)
		return NULL;
	bc->leaving = true;
	get_device(&ch->device_obj->device);
	return ch->device_obj;
}

static void remove_rescinded_primary(struct vmbus_channel *ch)
{
	struct hv_device *dev = NULL;
	bool first = false;

	/* hv_sock removes its device itself, when user space has closed the connection. */
	if (ch->chn_rescind_callback) {
		ch->chn_rescind_callback(ch);
		return;
	}

	mutex_lock(&vmbus_connection.channel_mutex);
	if (ch->device_obj)
		dev = claim_device(ch);
	else
		first = hvb_channel_unlink(ch);
	mutex_unlock(&vmbus_connection.channel_mutex);
	if (first)
		hvb_channel_dispose(ch);
	if (dev) {
		vmbus_device_unregister(dev);
		put_device(&dev->device);
	}
}

void hvb_rescind_work(struct work_struct *work)
{
	struct hvb_channel *bc = container_of(work, struct hvb_channel, rescind_work);
	struct vmbus_channel *ch = &bc->ch;
	bool first = false;

	hvb_reset_callbacks(ch);
	/* The rescind has ended all that the driver could wait for at the host. */
	wait_for_completion(&bc->probed);

	if (ch->primary_channel) {
		/* An open one is removed by whoever closes it: vmbus_disconnect_ring(). */
		mutex_lock(&bc->lock);
		mutex_lock(&vmbus_connection.channel_mutex);
		if (ch->state != CHANNEL_OPENED_STATE)
			first = hvb_channel_unlink(ch);
		mutex_unlock(&vmbus_connection.channel_mutex);
		mutex_unlock(&bc->lock);
		if (first)
			hvb_channel_dispose(ch);
	} else {
		remove_rescinded_primary(ch);
	}

	complete_all(&bc->rescinded);
	complete(&ch->rescind_event);
	kobject_put(&ch->kobj);
}

/* Call with hvb_lock. */
void hvb_release_to_core(struct hvb_channel *bc)
{
	if (!bc->held)
		return;
	/* The core wants the sub-channels first. */
	bc->release_wanted = hv_vmbus_release(&hvb_bus, &bc->core) == HV_BAD_STATE;
	if (!bc->release_wanted)
		bc->held = false;
}

/*
 * Forgets a channel: nobody finds it any more, and the host gets its relid back.
 * True for the first call, whose caller then has to hvb_channel_dispose() of it,
 * without the mutex. Call with channel_mutex.
 */
bool hvb_channel_unlink(struct vmbus_channel *ch)
{
	struct hvb_channel *bc = hvb_channel_of(ch);
	struct vmbus_channel *primary = ch->primary_channel;
	unsigned long flags;

	lockdep_assert_held(&vmbus_connection.channel_mutex);
	if (bc->removed)
		return false;
	bc->removed = true;
	ch->device_obj = NULL;

	if (bc->listed) {
		list_del_init(primary ? &ch->sc_list : &ch->listentry);
		hvb_cpu_unused(ch);
	}

	flags = hvb_lock();
	hvb_unmap_relid(ch);
	hvb_release_to_core(bc);
	hvb_unlock(flags);
	hvb_kick();
	return true;
}

/*
 * The second half: waits for its tasklet and for readers of its files, which may want
 * channel_mutex.
 */
void hvb_channel_dispose(struct vmbus_channel *ch)
{
	tasklet_kill(&ch->callback_event);
	hvb_channel_remove_sysfs(ch);
	kobject_put(&ch->kobj);
}

/*
 * What was under way is through when this returns. Twice: a rescind waits for the
 * probe, which a rescind may end.
 */
void hvb_flush_queues(void)
{
	int i;

	for (i = 0; i < 2; i++) {
		flush_workqueue(vmbus_connection.work_queue);
		flush_workqueue(vmbus_connection.handle_primary_chan_wq);
		flush_workqueue(vmbus_connection.handle_sub_chan_wq);
		flush_workqueue(vmbus_connection.rescind_work_queue);
	}
}

/* Any channel, sub-channels before their primary, with a reference; NULL when there is none. */
static struct vmbus_channel *any_channel(void)
{
	struct vmbus_channel *ch;

	lockdep_assert_held(&vmbus_connection.channel_mutex);
	ch = list_first_entry_or_null(&vmbus_connection.chn_list, struct vmbus_channel, listentry);
	if (ch && !list_empty(&ch->sc_list))
		ch = list_first_entry(&ch->sc_list, struct vmbus_channel, sc_list);
	if (ch)
		kobject_get(&ch->kobj);
	return ch;
}

/* For unloading: all drivers are gone, so nothing is open. */
void hvb_remove_all(void)
{
	struct vmbus_channel *ch;
	struct hv_device *dev;
	bool first;

	do {
		dev = NULL;
		first = false;
		mutex_lock(&vmbus_connection.channel_mutex);
		ch = any_channel();
		if (ch && ch->device_obj)
			dev = claim_device(ch);
		else if (ch)
			first = hvb_channel_unlink(ch);
		mutex_unlock(&vmbus_connection.channel_mutex);

		if (first)
			hvb_channel_dispose(ch);
		else if (ch && !dev)
			msleep(20);	/* a rescind is about to remove it */
		if (dev) {
			vmbus_device_unregister(dev);
			put_device(&dev->device);
		}
		if (ch)
			kobject_put(&ch->kobj);
	} while (ch);
}

/**
 * vmbus_hvsock_device_unregister() - remove the device of a closed hv_sock connection
 * @channel: of the connection
 *
 * Waits for the rescind, which the host owes us, but not for ever.
 * Context: process.
 */
void vmbus_hvsock_device_unregister(struct vmbus_channel *channel)
{
	struct hv_patience wait;
	struct hv_device *dev;

	if (WARN_ON_ONCE(!is_hvsock_channel(channel)))
		return;

	hv_wait_begin(&wait, HVSOCK_RESCIND_SECONDS);
	while ((!READ_ONCE(channel->probe_done) || !READ_ONCE(channel->rescind)) &&
	       !hv_wait_over(&wait))
		msleep(20);
	if (!READ_ONCE(channel->rescind))
		pr_warn_ratelimited("no rescind of hv_sock channel %u\n",
				    channel->offermsg.child_relid);

	mutex_lock(&vmbus_connection.channel_mutex);
	dev = claim_device(channel);
	mutex_unlock(&vmbus_connection.channel_mutex);
	if (dev) {
		vmbus_device_unregister(dev);
		put_device(&dev->device);
	}
}
EXPORT_SYMBOL_GPL(vmbus_hvsock_device_unregister);
