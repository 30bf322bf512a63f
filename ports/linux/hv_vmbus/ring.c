// SPDX-License-Identifier: GPL-2.0-only
/*
 * The rings of a channel: mapping, reading packet by packet, and what happens when the
 * host breaks one.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/hyperv.h>
#include <linux/uio.h>
#include <linux/vmalloc.h>
#include <linux/slab.h>
#include <linux/prefetch.h>
#include <linux/io.h>
#include <asm/mshyperv.h>

#include "compat/bus_memory.h"
#include "internal.h"

/*
 * Packets that are not handed out (too big, of no known kind) in one look; the next
 * look goes on.
 */
#define SKIP_AT_ONCE 64

/*
 * What drivers see in the place of a broken ring: always empty, always quiet.
 * The inline functions of linux/hyperv.h read the control page themselves, and
 * with the host's page there a driver's polling might never end.
 */
static struct hv_ring_buffer quiet_ring __aligned(PAGE_SIZE);

void hvb_ring_pre_init(struct vmbus_channel *ch)
{
	spin_lock_init(&ch->inbound.ring_lock);
	spin_lock_init(&ch->outbound.ring_lock);
	mutex_init(&ch->inbound.ring_buffer_mutex);
	mutex_init(&ch->outbound.ring_buffer_mutex);
}

/* Maps the control page, the data, and the data again: no packet wraps. */
static void *map_twice(struct page *pages, u32 count)
{
	u32 mapped = 2 * count - 1;
	struct page **list;
	void *memory;
	u32 i;

	list = kvmalloc_array(mapped, sizeof(*list), GFP_KERNEL);
	if (!list)
		return NULL;
	for (i = 0; i < mapped; i++)
		list[i] = nth_page(pages, i < count ? i : i - count + 1);
	memory = hvb_vmap(list, mapped);
	kvfree(list);
	return memory;
}

static void describe(struct hv_ring_buffer_info *rbi, void *map, u32 count)
{
	rbi->ring_size = count << PAGE_SHIFT;
	rbi->ring_size_div10_reciprocal = reciprocal_value(rbi->ring_size / 10);
	rbi->ring_datasize = rbi->ring_size - sizeof(struct hv_ring_buffer);
	rbi->priv_read_index = 0;
	rbi->ring_buffer = map;
}

/* Maps both rings and makes them empty. The host must not use them yet. */
int hvb_ring_map(struct vmbus_channel *ch)
{
	struct hvb_channel *bc = hvb_channel_of(ch);
	u32 out_count = ch->ringbuffer_send_offset;
	u32 in_count = ch->ringbuffer_pagecount - out_count;
	int status = HV_NO_MEMORY;
	void *out, *in, *copy;

	BUILD_BUG_ON(sizeof(struct hv_ring_buffer) != PAGE_SIZE);

	/* A channel that was closed and kept its rings is opened again. */
	hvb_ring_unmap(ch);

	out = map_twice(ch->ringbuffer_page, out_count);
	in = map_twice(nth_page(ch->ringbuffer_page, out_count), in_count);
	copy = kvzalloc(ch->max_pkt_size, GFP_KERNEL);
	if (!out || !in || !copy)
		goto fail;
	status = hv_vmbus_writer_create(&bc->writer, out, (size_t)out_count << PAGE_SHIFT);
	if (!status)
		status = hv_vmbus_reader_create(&bc->reader, in, (size_t)in_count << PAGE_SHIFT);
	if (status)
		goto fail;

	bc->out_broken = false;
	bc->in_broken = false;
	bc->out_map = out;
	bc->in_map = in;
	ch->out_full_flag = false;
	ch->inbound.pkt_buffer = copy;
	ch->inbound.pkt_buffer_size = ch->max_pkt_size;
	describe(&ch->outbound, out, out_count);
	describe(&ch->inbound, in, in_count);
	return 0;

fail:
	vunmap(out);
	vunmap(in);
	kvfree(copy);
	return hvb_errno(status);
}

/* Nobody sends or receives any more. Safe to call when nothing is mapped. */
void hvb_ring_unmap(struct vmbus_channel *ch)
{
	struct hvb_channel *bc = hvb_channel_of(ch);
	unsigned long flags;
	void *out, *in;

	spin_lock_irqsave(&ch->outbound.ring_lock, flags);
	out = bc->out_map;
	in = bc->in_map;
	bc->out_map = NULL;
	bc->in_map = NULL;
	spin_unlock_irqrestore(&ch->outbound.ring_lock, flags);

	/* The mutexes keep readers of sysfs out. */
	mutex_lock(&ch->outbound.ring_buffer_mutex);
	ch->outbound.ring_buffer = NULL;
	mutex_unlock(&ch->outbound.ring_buffer_mutex);
	mutex_lock(&ch->inbound.ring_buffer_mutex);
	ch->inbound.ring_buffer = NULL;
	mutex_unlock(&ch->inbound.ring_buffer_mutex);

	vunmap(out);
	vunmap(in);
	kvfree(ch->inbound.pkt_buffer);
	ch->inbound.pkt_buffer = NULL;
	ch->inbound.pkt_buffer_size = 0;
}

/*
 * The host wrote what cannot be into one of the rings. That direction is dead
 * until the channel is opened anew; everything else goes on.
 */
void hvb_ring_broken(struct vmbus_channel *ch, struct hv_ring_buffer_info *rbi, const char *what)
{
	struct hvb_channel *bc = hvb_channel_of(ch);
	bool *broken = rbi == &ch->outbound ? &bc->out_broken : &bc->in_broken;

	if (xchg(broken, true))
		return;
	pr_err("channel %u: the host broke the ring %s it (%s); it is not used any more\n",
	       ch->offermsg.child_relid, rbi == &ch->outbound ? "to" : "from", what);
	/* Only as long as it is mapped: closing makes it NULL, under the mutex. */
	cmpxchg(&rbi->ring_buffer, rbi == &ch->outbound ? bc->out_map : bc->in_map, &quiet_ring);
}

/**
 * hv_ringbuffer_get_debuginfo() - look at a ring
 * @ring_info: inbound or outbound of a channel
 * @debug_info: a snapshot
 *
 * Return: 0; -EINVAL: not open.
 * Context: process.
 */
int hv_ringbuffer_get_debuginfo(struct hv_ring_buffer_info *ring_info,
				struct hv_ring_buffer_debug_info *debug_info)
{
	struct hv_ring_buffer *ring;
	int ret = -EINVAL;
	u32 used;

	mutex_lock(&ring_info->ring_buffer_mutex);
	ring = READ_ONCE(ring_info->ring_buffer);
	if (ring) {
		debug_info->current_read_index = READ_ONCE(ring->read_index);
		debug_info->current_write_index = READ_ONCE(ring->write_index);
		debug_info->current_interrupt_mask = READ_ONCE(ring->interrupt_mask);
		used = debug_info->current_write_index - debug_info->current_read_index;
		if (debug_info->current_write_index < debug_info->current_read_index)
			used += ring_info->ring_datasize;
		debug_info->bytes_avail_toread = used;
		debug_info->bytes_avail_towrite = ring_info->ring_datasize - used;
		ret = 0;
	}
	mutex_unlock(&ring_info->ring_buffer_mutex);
	return ret;
}
EXPORT_SYMBOL_GPL(hv_ringbuffer_get_debuginfo);

/**
 * hv_ringbuffer_spinlock_busy() - is somebody just sending
 * @channel: open
 *
 * For a panic, where the lock of a stopped CPU is never free again.
 * Return: true: do not send.
 * Context: any.
 */
bool hv_ringbuffer_spinlock_busy(struct vmbus_channel *channel)
{
	return spin_is_locked(&channel->outbound.ring_lock);
}
EXPORT_SYMBOL_GPL(hv_ringbuffer_spinlock_busy);

/**
 * hv_pkt_iter_first() - look at the next packet
 * @channel: open
 *
 * The packet is a private copy and its lengths fit the copy. It stays the next
 * one until __hv_pkt_iter_next().
 * Return: the packet, or NULL when there is none.
 * Context: any; one reader at a time.
 */
HV_HOT struct vmpacket_descriptor *hv_pkt_iter_first(struct vmbus_channel *channel)
{
	struct hvb_channel *bc = hvb_channel_of(channel);
	struct hv_ring_buffer_info *rbi = &channel->inbound;
	int skipped, status;

	if (unlikely(!bc->in_map || bc->in_broken))
		return NULL;

	for (skipped = 0; skipped < SKIP_AT_ONCE; skipped++) {
		status = hv_vmbus_peek(&bc->reader, rbi->pkt_buffer, rbi->pkt_buffer_size);
		switch (status) {
		case HV_OK:
			return rbi->pkt_buffer;
		case HV_RING_EMPTY:
			return NULL;
		case HV_BAD_LENGTH:
		case HV_BAD_VALUE:
			pr_warn_ratelimited("channel %u: packet of the host dropped: %s\n",
					    channel->offermsg.child_relid, hv_status_name(status));
			break;
		default:
			hvb_ring_broken(channel, rbi, hv_status_name(status));
			return NULL;
		}
	}
	return NULL;
}
EXPORT_SYMBOL_GPL(hv_pkt_iter_first);

/**
 * __hv_pkt_iter_next() - step over a packet, look at the one behind it
 * @channel: open
 * @pkt: of hv_pkt_iter_first() or of the last call
 *
 * Return: see hv_pkt_iter_first().
 * Context: see there.
 */
HV_HOT struct vmpacket_descriptor *__hv_pkt_iter_next(struct vmbus_channel *channel,
						      const struct vmpacket_descriptor *pkt)
{
	hv_vmbus_step(&hvb_channel_of(channel)->reader);
	return hv_pkt_iter_first(channel);
}
EXPORT_SYMBOL_GPL(__hv_pkt_iter_next);

/**
 * hv_pkt_iter_close() - give the room of all packets stepped over back to the host
 * @channel: open
 *
 * Signals the host when it waits for just that.
 * Context: see hv_pkt_iter_first().
 */
HV_HOT void hv_pkt_iter_close(struct vmbus_channel *channel)
{
	struct hvb_channel *bc = hvb_channel_of(channel);

	if (unlikely(!bc->in_map || bc->in_broken))
		return;
	if (hv_vmbus_give_back(&bc->reader) == HV_SIGNAL) {
		++channel->intr_in_full;
		vmbus_setevent(channel);
	}
}
EXPORT_SYMBOL_GPL(hv_pkt_iter_close);
