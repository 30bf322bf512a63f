// SPDX-License-Identifier: GPL-2.0-only
/* Channels from the offer to the driver's probe. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "api_mgmt.h"

static void offer_work_fn(struct work_struct *work);
static void probe_work_fn(struct work_struct *work);

/* With one reference, the core's. */
struct hvb_channel *hvb_channel_alloc(gfp_t gfp)
{
	struct hvb_channel *bc = kzalloc(sizeof(*bc), gfp);

	if (!bc)
		return NULL;

	spin_lock_init(&bc->ch.sched_lock);
	init_completion(&bc->ch.rescind_event);
	INIT_LIST_HEAD(&bc->ch.listentry);
	INIT_LIST_HEAD(&bc->ch.sc_list);
	tasklet_init(&bc->ch.callback_event, hvb_channel_tasklet, (unsigned long)&bc->ch);
	INIT_WORK(&bc->ch.add_channel_work, probe_work_fn);
	hvb_ring_pre_init(&bc->ch);

	mutex_init(&bc->lock);
	INIT_WORK(&bc->offer_work, offer_work_fn);
	INIT_WORK(&bc->rescind_work, hvb_rescind_work);
	init_completion(&bc->probed);
	init_completion(&bc->rescinded);
	hvb_channel_init_kobj(&bc->ch);
	return bc;
}

/* The last reference is gone. Interrupts may still look at it: RCU. */
void hvb_channel_free(struct vmbus_channel *ch)
{
	struct hvb_channel *bc = hvb_channel_of(ch);

	if (ch->primary_channel)
		kobject_put(&ch->primary_channel->kobj);
	kfree_rcu(bc, ch.rcu);
}

/* Takes over what the offer says. Call with hvb_lock. */
static void adopt_offer(struct vmbus_channel *ch)
{
	struct vmbus_channel_offer_channel *offer = &ch->offermsg;

	BUILD_BUG_ON(sizeof(*offer) - sizeof(offer->header) != 188);

	offer->header.msgtype = CHANNELMSG_OFFERCHANNEL;
	hv_vmbus_offer(&hvb_channel_of(ch)->core, &offer->offer);
	/* There are 4 groups of 32 monitors. */
	if (offer->monitorid >= 128)
		offer->monitor_allocated = 0;
	ch->monitor_grp = offer->monitorid / 32 % 4;
	ch->monitor_bit = offer->monitorid % 32;
	ch->is_dedicated_interrupt = offer->is_dedicated_interrupt;
	ch->sig_event = offer->connection_id;
	ch->device_id = hvb_device_class(ch);
}

/* Call with hvb_lock. Makes it visible to the interrupt handler. */
static void map_relid(struct vmbus_channel *ch)
{
	u32 relid = ch->offermsg.child_relid;

	if (relid >= HVB_MAX_RELIDS)
		return;
	/* With signalled(), which runs without the lock. */
	smp_store_release(&vmbus_connection.channels[relid], ch);
}

/* Call with hvb_lock. */
void hvb_unmap_relid(struct vmbus_channel *ch)
{
	u32 relid = ch->offermsg.child_relid;

	if (relid < HVB_MAX_RELIDS && vmbus_connection.channels[relid] == ch)
		WRITE_ONCE(vmbus_connection.channels[relid], NULL);
}

void hvb_channel_offered(struct vmbus_channel *ch)
{
	struct hvb_channel *bc = hvb_channel_of(ch);

	adopt_offer(ch);
	bc->held = true;
	ch->primary_channel = hv_vmbus_primary(&bc->core);
	if (ch->primary_channel)
		kobject_get(&ch->primary_channel->kobj);
	kobject_get(&ch->kobj);
	map_relid(ch);

	if (vmbus_connection.ignore_any_offer_msg)
		bc->deferred = true;
	else
		queue_work(vmbus_connection.work_queue, &bc->offer_work);
}

void hvb_channel_reattached(struct vmbus_channel *ch)
{
	struct hvb_channel *bc = hvb_channel_of(ch);

	adopt_offer(ch);
	map_relid(ch);
	if (bc->deferred) {
		bc->deferred = false;
		queue_work(vmbus_connection.work_queue, &bc->offer_work);
	}
}

void hvb_channel_rescinded(struct vmbus_channel *ch)
{
	struct hvb_channel *bc = hvb_channel_of(ch);

	WRITE_ONCE(ch->rescind, true);
	if (bc->deferred) {
		bc->deferred = false;
		queue_work(vmbus_connection.work_queue, &bc->offer_work);
	}
	kobject_get(&ch->kobj);
	queue_work(vmbus_connection.rescind_work_queue, &bc->rescind_work);
}

void hvb_channel_freed(struct vmbus_channel *ch)
{
	struct hvb_channel *bc = hvb_channel_of(ch);

	bc->held = false;
	if (bc->deferred) {
		/* Nobody but the interrupt handler has seen it. */
		bc->deferred = false;
		hvb_unmap_relid(ch);
		kobject_put(&ch->kobj);
	}
	/* It may have been the last sub-channel that a primary's release waited for. */
	if (ch->primary_channel && hvb_channel_of(ch->primary_channel)->release_wanted)
		hvb_release_to_core(hvb_channel_of(ch->primary_channel));
	kobject_put(&ch->kobj);
}

/*
 * In the order of the offers, and without waiting for anybody: lists the channel and
 * gives it a CPU.
 */
static void offer_work_fn(struct work_struct *work)
{
	struct hvb_channel *bc = container_of(work, struct hvb_channel, offer_work);
	struct vmbus_channel *ch = &bc->ch;
	struct vmbus_channel *primary = ch->primary_channel;

	/* A CPU that is chosen here must not go before the channel is listed. */
	cpus_read_lock();
	mutex_lock(&vmbus_connection.channel_mutex);

	if (primary && hvb_channel_of(primary)->removed) {
		bool first = hvb_channel_unlink(ch);

		mutex_unlock(&vmbus_connection.channel_mutex);
		cpus_read_unlock();
		WRITE_ONCE(ch->probe_done, true);
		complete_all(&bc->probed);
		if (first)
			hvb_channel_dispose(ch);
		return;
	}

	hvb_channel_place(ch);
	if (primary)
		list_add_tail(&ch->sc_list, &primary->sc_list);
	else
		list_add_tail(&ch->listentry, &vmbus_connection.chn_list);
	bc->listed = true;

	mutex_unlock(&vmbus_connection.channel_mutex);
	cpus_read_unlock();

	kobject_get(&ch->kobj);
	queue_work(primary ? vmbus_connection.handle_sub_chan_wq :
			     vmbus_connection.handle_primary_chan_wq,
		   &ch->add_channel_work);
}

static void probe_sub_channel(struct vmbus_channel *ch)
{
	struct vmbus_channel *primary = ch->primary_channel;
	void (*created)(struct vmbus_channel *new_sc);
	struct hv_device *dev = NULL;
	int ret = -ENODEV;

	mutex_lock(&vmbus_connection.channel_mutex);
	if (primary->device_obj && primary->device_obj->channels_kset) {
		dev = primary->device_obj;
		get_device(&dev->device);
		/* Shown under the mutex: the directory goes under it, too. */
		ret = hvb_channel_add_sysfs(dev, ch);
	}
	mutex_unlock(&vmbus_connection.channel_mutex);

	if (!ret) {
		created = READ_ONCE(primary->sc_creation_callback);
		if (created)
			created(ch);
	} else {
		pr_err_ratelimited("cannot show sub-channel %u: %d\n", ch->offermsg.child_relid,
				   ret);
	}
	if (dev)
		put_device(&dev->device);
}

/* Shows the channel to its driver. This may wait for the host, and for the driver's other locks. */
static void probe_work_fn(struct work_struct *work)
{
	struct vmbus_channel *ch = container_of(work, struct vmbus_channel, add_channel_work);
	struct hvb_channel *bc = hvb_channel_of(ch);

	ch->state = CHANNEL_OPEN_STATE;
	if (!READ_ONCE(ch->rescind)) {
		if (ch->primary_channel)
			probe_sub_channel(ch);
		else if (hvb_device_add(ch))
			pr_err("no device for channel %u\n", ch->offermsg.child_relid);
	}
	WRITE_ONCE(ch->probe_done, true);
	complete_all(&bc->probed);
	kobject_put(&ch->kobj);
}

/**
 * vmbus_set_sc_create_callback() - say who is told of new sub-channels
 * @primary_channel: of the device
 * @sc_cr_cb: called in process context, may open the sub-channel
 */
void vmbus_set_sc_create_callback(struct vmbus_channel *primary_channel,
				  void (*sc_cr_cb)(struct vmbus_channel *new_sc))
{
	primary_channel->sc_creation_callback = sc_cr_cb;
}
EXPORT_SYMBOL_GPL(vmbus_set_sc_create_callback);

/**
 * vmbus_set_chn_rescind_callback() - say who is told of the rescind
 * @channel: the channel
 * @chn_rescind_cb: called in process context, instead of removing the device
 */
void vmbus_set_chn_rescind_callback(struct vmbus_channel *channel,
				    void (*chn_rescind_cb)(struct vmbus_channel *))
{
	channel->chn_rescind_callback = chn_rescind_cb;
}
EXPORT_SYMBOL_GPL(vmbus_set_chn_rescind_callback);
