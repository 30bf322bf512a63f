// SPDX-License-Identifier: GPL-2.0-only
/* Channels of a controller: opening and closing, which queue uses which, receiving. */
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/topology.h>

#include "storvsc_device.h"

/*
 * Packets handled before others get their turn on this CPU; the bus calls again while there are
 * more.
 */
#define STORVSC_RECEIVE_BUDGET 256

/* The largest packet that hosts send: a descriptor and a storvsc packet. */
#define STORVSC_MAX_RECEIVED (sizeof(struct vmpacket_descriptor) + HV_STORVSC_PACKET_SIZE)

/* From the channel: the packet lasts until the next one is received. */
static void storvsc_take_answer(struct storvsc_device *dev,
				const struct hv_storvsc_event *event)
{
	u32 first = hv_storvsc_control_slot(&dev->core, HV_STORVSC_DIALOGUE);

	hv_answer_take(&dev->answers[event->slot - first], event->packet, event->packet_length);
}

static void storvsc_event(struct storvsc_device *dev, const struct hv_storvsc_event *event)
{
	switch (event->kind) {
	case HV_STORVSC_COMPLETED:
		storvsc_complete(dev, event);
		break;
	case HV_STORVSC_ANSWERED:
		storvsc_take_answer(dev, event);
		break;
	case HV_STORVSC_DEVICES_CHANGED:
		storvsc_want_scan(dev);
		break;
	case HV_STORVSC_NAMES_CHANGED:
		storvsc_fc_names(dev, event->node_name, event->port_name);
		break;
	}
}

/* From the bus, in a tasklet; one at a time per channel. */
static HV_HOT void storvsc_on_channel(void *context)
{
	struct storvsc_channel *chan = context;
	struct storvsc_device *dev = chan->dev;
	struct hv_storvsc_event event;
	int budget = STORVSC_RECEIVE_BUDGET;
	int ret;

	/* Pairs with storvsc_open_channel(): the rings are set up before. */
	if (!smp_load_acquire(&chan->ready))
		return;

	while (budget--) {
		ret = hv_storvsc_receive(&dev->core, &chan->rings, &event);
		if (ret == HV_RING_EMPTY)
			break;
		if (ret == HV_RING_CORRUPT) {
			WRITE_ONCE(chan->ready, false);
			hv_client_break(&dev->client, HV_CLIENT_RING_BROKEN);
			return;
		}
		if (ret == HV_OK)
			storvsc_event(dev, &event);
		else
			storvsc_log(dev, STORVSC_LOG_ERROR, "packet refused: %d\n", ret);
	}
	hv_client_gave_back(chan->vmbus, hv_storvsc_give_back(&chan->rings));
}

/* It may move at any time. */
static u32 storvsc_channel_cpu(const struct storvsc_channel *chan)
{
	return READ_ONCE(chan->vmbus->target_cpu);
}

/*
 * Which channel a CPU sends through: its own, which spares the interrupt a trip to another CPU;
 * else one of its node, the CPUs taking turns; else any.
 */
static struct storvsc_channel *storvsc_pick(struct storvsc_device *dev, unsigned int cpu,
					    unsigned int count)
{
	int node = cpu_to_node(cpu);
	unsigned int near = 0, turn = 0, i;
	unsigned int other;

	for (i = 0; i < count; i++) {
		if (storvsc_channel_cpu(dev->channels[i]) == cpu)
			return dev->channels[i];
		if (cpu_to_node(storvsc_channel_cpu(dev->channels[i])) == node)
			near++;
	}
	if (!near)
		return dev->channels[cpu % count];

	for_each_present_cpu(other) {
		if (other >= cpu)
			break;
		if (cpu_to_node(other) == node)
			turn++;
	}
	turn %= near;
	for (i = 0; i < count; i++) {
		if (cpu_to_node(storvsc_channel_cpu(dev->channels[i])) == node && turn-- == 0)
			return dev->channels[i];
	}
	return dev->channels[0];
}

/* The CPU that mostly feeds a hardware queue. */
static unsigned int storvsc_cpu_of(struct storvsc_device *dev, unsigned int queue)
{
	struct blk_mq_queue_map *map = &dev->host->tag_set.map[HCTX_TYPE_DEFAULT];
	unsigned int cpu;

	if (map->mq_map) {
		for_each_possible_cpu(cpu) {
			if (map->mq_map[cpu] == queue)
				return cpu;
		}
	}
	return queue % nr_cpu_ids;
}

/*
 * Chooses anew for all queues. Requests that were staged by the old choice and wait for the last of
 * their batch are sent: the block layer gives a batch within one RCU section. Process context.
 */
void storvsc_rebuild_map(struct storvsc_device *dev)
{
	unsigned long flags;
	unsigned int queue;

	spin_lock_irqsave(&dev->map_lock, flags);
	for (queue = 0; dev->channel_count && queue < dev->map_size; queue++) {
		struct storvsc_channel *chan =
			storvsc_pick(dev, storvsc_cpu_of(dev, queue), dev->channel_count);

		WRITE_ONCE(dev->map[queue], chan);
	}
	spin_unlock_irqrestore(&dev->map_lock, flags);

	synchronize_rcu();
	rcu_read_lock();
	storvsc_publish_all(dev);
	rcu_read_unlock();
}

static void storvsc_target_cpu_changed(struct vmbus_channel *vmbus, u32 old, u32 new)
{
	struct vmbus_channel *primary = vmbus->primary_channel ?: vmbus;
	struct hv_client *client = hv_get_drvdata(primary->device_obj);

	if (client)
		storvsc_rebuild_map(storvsc_of(client));
}

/* Bytes of the user data that hosts expect of an opening: an empty set of channel properties. */
#define STORVSC_OPEN_DATA 24

/*
 * A channel that could not be made usable stays listed: its closing comes with the primary
 * channel's.
 */
static struct storvsc_channel *storvsc_open_channel(struct storvsc_device *dev,
						    struct vmbus_channel *vmbus)
{
	u8 user_data[STORVSC_OPEN_DATA] = {};
	struct storvsc_channel *chan;
	struct hv_port_rings rings;
	int ret;

	chan = kzalloc(sizeof(*chan), GFP_KERNEL);
	if (!chan)
		return ERR_PTR(-ENOMEM);
	chan->dev = dev;
	chan->vmbus = vmbus;
	spin_lock_init(&chan->lock);

	vmbus->max_pkt_size = STORVSC_MAX_RECEIVED;
	ret = vmbus_open(vmbus, storvsc_ring_bytes, storvsc_ring_bytes, user_data,
			 sizeof(user_data), storvsc_on_channel, chan);
	if (ret) {
		kfree(chan);
		return ERR_PTR(ret);
	}
	chan->next = dev->opened;
	dev->opened = chan;

	hv_client_rings(vmbus, &rings);
	ret = hv_status_errno(hv_storvsc_channel_create(&chan->rings, &rings));
	if (ret)
		return ERR_PTR(ret);
	/* Pairs with storvsc_on_channel(). */
	smp_store_release(&chan->ready, true);
	return chan;
}

/* From now on requests may go through the channel. */
static int storvsc_use_channel(struct storvsc_device *dev, struct storvsc_channel *chan)
{
	u32 frames = dev->properties.max_transfer / HV_HYP_PAGE_SIZE + 1;
	unsigned long flags;

	chan->range = kvmalloc_array(HV_STORVSC_RANGE_WORDS + frames, sizeof(u64), GFP_KERNEL);
	if (!chan->range)
		return -ENOMEM;

	spin_lock_irqsave(&dev->map_lock, flags);
	dev->channels[dev->channel_count] = chan;
	/* Pairs with storvsc_channel_count(). */
	smp_store_release(&dev->channel_count, dev->channel_count + 1);
	spin_unlock_irqrestore(&dev->map_lock, flags);

	chan->vmbus->change_target_cpu_callback = storvsc_target_cpu_changed;
	storvsc_rebuild_map(dev);
	return 0;
}

int storvsc_add_channel(struct hv_client *client, struct vmbus_channel *vmbus)
{
	struct storvsc_device *dev = storvsc_of(client);
	struct storvsc_channel *chan;

	if (dev->channel_count >= dev->channel_limit)
		return 0;
	chan = storvsc_open_channel(dev, vmbus);
	return IS_ERR(chan) ? PTR_ERR(chan) : storvsc_use_channel(dev, chan);
}

/* Opens the primary channel, for the dialogue at first. No sub-channel is taken yet. */
int storvsc_open_primary(struct storvsc_device *dev)
{
	return PTR_ERR_OR_ZERO(storvsc_open_channel(dev, dev->client.hv->channel));
}

/* The dialogue has said what the host can do. */
int storvsc_ready_primary(struct storvsc_device *dev)
{
	return storvsc_use_channel(dev, dev->opened);
}

/* Of all channels that are open. Under the lock. */
bool storvsc_rings_are_whole(struct storvsc_device *dev)
{
	unsigned int count = storvsc_channel_count(dev);
	unsigned int i;

	for (i = 0; i < count; i++) {
		if (!READ_ONCE(dev->channels[i]->ready))
			return false;
	}
	return true;
}

/*
 * Closes all channels. No submitter is left: the state has been changed. Returns whether the host
 * has let go of the rings, and so of all that was sent by them. Process context; the second time
 * it does nothing, and says the same.
 */
bool storvsc_close(struct storvsc_device *dev)
{
	struct storvsc_channel *chan;
	unsigned long flags;

	hv_client_take_no_channels(&dev->client);
	spin_lock_irqsave(&dev->map_lock, flags);
	dev->channel_count = 0;
	memset(dev->map, 0, dev->map_size * sizeof(*dev->map));
	spin_unlock_irqrestore(&dev->map_lock, flags);
	/* Whoever publishes what is staged looks at the channels under RCU. */
	synchronize_rcu();

	if (dev->opened && !hv_client_close_channels(&dev->client))
		dev->kept = true;
	while (dev->opened) {
		chan = dev->opened;
		dev->opened = chan->next;
		kvfree(chan->range);
		kfree(chan);
	}
	return !dev->kept;
}
