// SPDX-License-Identifier: GPL-2.0-only
/* Which CPU a channel interrupts, and how that changes. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpu.h>
#include <linux/module.h>
#include <linux/sched/isolation.h>
#include <linux/slab.h>
#include <asm/mshyperv.h>

#include "internal.h"

/* Performance channels on each CPU, and the node that got the last one; under channel_mutex. */
static u32 *perf_channels;
static int last_node;

int hvb_cpus_init(void)
{
	perf_channels = kcalloc(nr_cpu_ids, sizeof(*perf_channels), GFP_KERNEL);
	return perf_channels ? 0 : -ENOMEM;
}

void hvb_cpus_exit(void)
{
	kfree(perf_channels);
	perf_channels = NULL;
}

/* Another channel of the same device interrupts this CPU. */
static bool used_by_sibling(const struct vmbus_channel *ch, unsigned int cpu)
{
	struct vmbus_channel *primary = ch->primary_channel;
	struct vmbus_channel *sub;

	if (!primary)
		return false;
	if (primary->target_cpu == cpu)
		return true;
	list_for_each_entry(sub, &primary->sc_list, sc_list)
		if (sub != ch && sub->target_cpu == cpu)
			return true;
	return false;
}

/* How many nodes it is from the one that was served last; all equal on a machine with one node. */
static u32 node_distance_from_last(unsigned int cpu)
{
	int distance = max(cpu_to_node(cpu), 0) - last_node - 1;

	return distance < 0 ? distance + nr_node_ids : distance;
}

/*
 * The best CPU for a channel: first one that serves no sibling, then the one
 * with the fewest channels, then on the node whose turn it is.
 * not_this: is about to go offline, or nr_cpu_ids.
 */
static unsigned int best_cpu(const struct vmbus_channel *ch, unsigned int not_this)
{
	const struct cpumask *allowed = housekeeping_cpumask(HK_TYPE_MANAGED_IRQ);
	unsigned int best = nr_cpu_ids;
	u64 best_cost = U64_MAX;
	unsigned int cpu;

	for_each_cpu_and(cpu, allowed, cpu_online_mask) {
		u64 cost;

		if (cpu == not_this)
			continue;
		cost = (u64)used_by_sibling(ch, cpu) << 63 | (u64)perf_channels[cpu] << 16 |
		       node_distance_from_last(cpu);
		if (cost < best_cost) {
			best_cost = cost;
			best = cpu;
		}
	}
	return best < nr_cpu_ids ? best : HVB_CONNECT_CPU;
}

/* Chooses the CPU of a new channel. Call with channel_mutex, and no CPU may come or go. */
void hvb_channel_place(struct vmbus_channel *ch)
{
	lockdep_assert_held(&vmbus_connection.channel_mutex);

	ch->target_cpu = HVB_CONNECT_CPU;
	if (!hvb_is_perf_channel(ch))
		return;
	ch->target_cpu = best_cpu(ch, nr_cpu_ids);
	last_node = max(cpu_to_node(ch->target_cpu), 0);
	perf_channels[ch->target_cpu]++;
}

/* The channel is gone. Call with channel_mutex. */
void hvb_cpu_unused(struct vmbus_channel *ch)
{
	lockdep_assert_held(&vmbus_connection.channel_mutex);

	if (hvb_is_perf_channel(ch) && perf_channels[ch->target_cpu])
		perf_channels[ch->target_cpu]--;
}

/* Call with the channel's lock. */
static void now_on(struct vmbus_channel *ch, unsigned int cpu)
{
	unsigned int old;

	mutex_lock(&vmbus_connection.channel_mutex);
	old = ch->target_cpu;
	WRITE_ONCE(ch->target_cpu, cpu);
	if (hvb_is_perf_channel(ch)) {
		if (perf_channels[old])
			perf_channels[old]--;
		perf_channels[cpu]++;
	}
	if (ch->change_target_cpu_callback)
		ch->change_target_cpu_callback(ch, old, cpu);
	mutex_unlock(&vmbus_connection.channel_mutex);
}

/*
 * Moves an open channel's interrupts to another CPU, which is online. Before 5.3
 * the host does not say when it has done so: interrupts may come to the old one for a while.
 * Call with cpus_read_lock(). -EIO: not open, or the host refused.
 */
int hvb_channel_move(struct vmbus_channel *ch, unsigned int cpu)
{
	struct hvb_channel *bc = hvb_channel_of(ch);
	int ret = 0;

	mutex_lock(&bc->lock);
	if (ch->state != CHANNEL_OPENED_STATE)
		ret = -EIO;
	else if (ch->target_cpu != cpu &&
		 vmbus_send_modifychannel(ch, hv_cpu_number_to_vp_number(cpu)))
		ret = -EIO;
	else if (ch->target_cpu != cpu)
		now_on(ch, cpu);
	mutex_unlock(&bc->lock);
	return ret;
}

/* Some channel that interrupts this CPU, with a reference, or NULL. */
static struct vmbus_channel *channel_on(unsigned int cpu)
{
	struct vmbus_channel *found = NULL;
	struct vmbus_channel *ch;
	struct vmbus_channel *sub;

	mutex_lock(&vmbus_connection.channel_mutex);
	list_for_each_entry(ch, &vmbus_connection.chn_list, listentry) {
		if (ch->target_cpu == cpu)
			found = ch;
		list_for_each_entry(sub, &ch->sc_list, sc_list)
			if (sub->target_cpu == cpu)
				found = sub;
		if (found)
			break;
	}
	if (found)
		kobject_get(&found->kobj);
	mutex_unlock(&vmbus_connection.channel_mutex);
	return found;
}

/*
 * Moves all channels away from a CPU that is about to go. In its hotplug
 * callback, so nothing else moves a CPU. -EBUSY: a channel cannot leave.
 */
int hvb_cpu_evacuate(unsigned int cpu)
{
	struct vmbus_channel *ch;
	unsigned int other;
	int ret = 0;

	while (!ret && (ch = channel_on(cpu))) {
		struct hvb_channel *bc = hvb_channel_of(ch);

		mutex_lock(&bc->lock);
		mutex_lock(&vmbus_connection.channel_mutex);
		other = best_cpu(ch, cpu);
		mutex_unlock(&vmbus_connection.channel_mutex);

		if (other == cpu)
			ret = -EBUSY;
		else if (ch->state == CHANNEL_OPENED_STATE &&
			 vmbus_send_modifychannel(ch, hv_cpu_number_to_vp_number(other)) &&
			 !READ_ONCE(ch->rescind))
			ret = -EBUSY;
		else
			now_on(ch, other);
		mutex_unlock(&bc->lock);
		kobject_put(&ch->kobj);
	}
	return ret;
}
