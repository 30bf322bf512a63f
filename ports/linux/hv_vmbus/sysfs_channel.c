// SPDX-License-Identifier: GPL-2.0-only
/* The attributes of each channel: /sys/bus/vmbus/devices/GUID/channels/RELID/. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "api_drv.h"

struct channel_attribute {
	struct attribute attr;
	ssize_t (*show)(struct vmbus_channel *ch, char *buf);
	ssize_t (*store)(struct vmbus_channel *ch, const char *buf, size_t count);
};

static ssize_t attribute_show(struct kobject *kobj, struct attribute *attr, char *buf)
{
	const struct channel_attribute *ca = container_of(attr, struct channel_attribute, attr);

	return ca->show ? ca->show(container_of(kobj, struct vmbus_channel, kobj), buf) : -EIO;
}

static ssize_t attribute_store(struct kobject *kobj, struct attribute *attr, const char *buf,
			       size_t count)
{
	const struct channel_attribute *ca = container_of(attr, struct channel_attribute, attr);

	return ca->store ? ca->store(container_of(kobj, struct vmbus_channel, kobj), buf, count) :
			   -EIO;
}

static const struct sysfs_ops hvb_channel_sysfs_ops = {
	.show = attribute_show,
	.store = attribute_store,
};

#define CHANNEL_NUMBER(NAME, FORMAT, EXPRESSION)			\
static ssize_t NAME##_show(struct vmbus_channel *ch, char *buf)	\
{									\
	return sysfs_emit(buf, FORMAT, EXPRESSION);			\
}									\
static struct channel_attribute channel_attr_##NAME = __ATTR_RO(NAME)

CHANNEL_NUMBER(pending, "%d\n", hvb_monitor_pending(ch, HVB_CLIENT));
CHANNEL_NUMBER(latency, "%d\n", hvb_monitor_latency(ch, HVB_CLIENT));
CHANNEL_NUMBER(monitor_id, "%u\n", ch->offermsg.monitorid);
CHANNEL_NUMBER(interrupts, "%llu\n", ch->interrupts);
CHANNEL_NUMBER(events, "%llu\n", ch->sig_events);
CHANNEL_NUMBER(intr_in_full, "%llu\n", ch->intr_in_full);
CHANNEL_NUMBER(intr_out_empty, "%llu\n", ch->intr_out_empty);
CHANNEL_NUMBER(out_full_first, "%llu\n", ch->out_full_first);
CHANNEL_NUMBER(out_full_total, "%llu\n", ch->out_full_total);
CHANNEL_NUMBER(subchannel_id, "%u\n", ch->offermsg.offer.sub_channel_index);

/*
 * RING sees the channel as `ch`, EXPRESSION the ring as `rbi`; it is mapped as long as
 * the mutex is held.
 */
#define RING_NUMBER(NAME, RING, EXPRESSION)				\
static ssize_t NAME##_show(struct vmbus_channel *ch, char *buf)	\
{									\
	struct hv_ring_buffer_info *rbi = (RING);			\
	ssize_t ret = -EINVAL;						\
									\
	mutex_lock(&rbi->ring_buffer_mutex);				\
	if (rbi->ring_buffer)						\
		ret = sysfs_emit(buf, "%u\n", EXPRESSION);		\
	mutex_unlock(&rbi->ring_buffer_mutex);				\
	return ret;							\
}									\
static struct channel_attribute channel_attr_##NAME = __ATTR_RO(NAME)

RING_NUMBER(out_mask, &ch->outbound, READ_ONCE(rbi->ring_buffer->interrupt_mask));
RING_NUMBER(in_mask, &ch->inbound, READ_ONCE(rbi->ring_buffer->interrupt_mask));
RING_NUMBER(read_avail, &ch->inbound, hv_get_bytes_to_read(rbi));
RING_NUMBER(write_avail, &ch->outbound, hv_get_bytes_to_write(rbi));

static ssize_t cpu_show(struct vmbus_channel *ch, char *buf)
{
	return sysfs_emit(buf, "%u\n", READ_ONCE(ch->target_cpu));
}

static ssize_t cpu_store(struct vmbus_channel *ch, const char *buf, size_t count)
{
	unsigned int cpu;
	int ret;

	if (vmbus_proto_version < VERSION_WIN10_V4_1 || kstrtouint(buf, 10, &cpu))
		return -EIO;
	if (cpu >= nr_cpu_ids || !cpumask_test_cpu(cpu, housekeeping_cpumask(HK_TYPE_MANAGED_IRQ)))
		return -EINVAL;

	cpus_read_lock();
	ret = cpu_online(cpu) ? hvb_channel_move(ch, cpu) : -EINVAL;
	cpus_read_unlock();
	return ret ? ret : count;
}

static struct channel_attribute channel_attr_cpu = __ATTR_RW(cpu);

static struct attribute *hvb_channel_attrs[] = {
	&channel_attr_out_mask.attr,
	&channel_attr_in_mask.attr,
	&channel_attr_read_avail.attr,
	&channel_attr_write_avail.attr,
	&channel_attr_cpu.attr,
	&channel_attr_pending.attr,
	&channel_attr_latency.attr,
	&channel_attr_interrupts.attr,
	&channel_attr_events.attr,
	&channel_attr_intr_in_full.attr,
	&channel_attr_intr_out_empty.attr,
	&channel_attr_out_full_first.attr,
	&channel_attr_out_full_total.attr,
	&channel_attr_monitor_id.attr,
	&channel_attr_subchannel_id.attr,
	NULL,
};

static umode_t channel_attr_visible(struct kobject *kobj, struct attribute *attr, int index)
{
	const struct vmbus_channel *ch = container_of(kobj, struct vmbus_channel, kobj);

	if (!ch->offermsg.monitor_allocated &&
	    (attr == &channel_attr_pending.attr || attr == &channel_attr_latency.attr ||
	     attr == &channel_attr_monitor_id.attr))
		return 0;
	return attr->mode;
}

#ifdef HVB_HAVE_RING_SYSFS
static int ring_mmap(struct file *file, struct kobject *kobj, struct bin_attribute *attr,
		     struct vm_area_struct *vma)
{
	struct vmbus_channel *ch = container_of(kobj, struct vmbus_channel, kobj);
	int (*mmap_fn)(struct vmbus_channel *ch, struct vm_area_struct *vma);

	mmap_fn = READ_ONCE(ch->mmap_ring_buffer);
	return mmap_fn ? mmap_fn(ch, vma) : -ENODEV;
}

static struct bin_attribute channel_attr_ring = {
	.attr = { .name = "ring", .mode = 0600 },
	.mmap = ring_mmap,
};

static struct bin_attribute *hvb_channel_bin_attrs[] = {
	&channel_attr_ring,
	NULL,
};

static umode_t channel_ring_visible(struct kobject *kobj, struct bin_attribute *attr, int index)
{
	const struct vmbus_channel *ch = container_of(kobj, struct vmbus_channel, kobj);

	attr->size = ch->ringbuffer_pagecount << PAGE_SHIFT;
	return ch->ring_sysfs_visible ? attr->attr.mode : 0;
}
#endif

static const struct attribute_group hvb_channel_group = {
	.attrs = hvb_channel_attrs,
	.is_visible = channel_attr_visible,
#ifdef HVB_HAVE_RING_SYSFS
	.bin_attrs = hvb_channel_bin_attrs,
	.is_bin_visible = channel_ring_visible,
#endif
};

static void channel_release(struct kobject *kobj)
{
	hvb_channel_free(container_of(kobj, struct vmbus_channel, kobj));
}

static struct kobj_type hvb_channel_type = {
	.sysfs_ops = &hvb_channel_sysfs_ops,
	.release = channel_release,
};

/* Gives the channel its first reference; kobject_put() is how it ends. */
void hvb_channel_init_kobj(struct vmbus_channel *ch)
{
	kobject_init(&ch->kobj, &hvb_channel_type);
}

/*
 * Shows the channel under its device. On failure nothing is left behind but the
 * reference of before.
 */
int hvb_channel_add_sysfs(struct hv_device *dev, struct vmbus_channel *ch)
{
	int ret;

	ch->kobj.kset = dev->channels_kset;
	ret = kobject_add(&ch->kobj, NULL, "%u", ch->offermsg.child_relid);
	if (ret)
		return ret;

	ret = sysfs_create_group(&ch->kobj, &hvb_channel_group);
	if (ret) {
		dev_err(&dev->device, "cannot show channel %u: %d\n", ch->offermsg.child_relid,
			ret);
		kobject_del(&ch->kobj);
		return ret;
	}
	kobject_uevent(&ch->kobj, KOBJ_ADD);
	hvb_channel_of(ch)->shown = true;
	return 0;
}

void hvb_channel_remove_sysfs(struct vmbus_channel *ch)
{
	if (!hvb_channel_of(ch)->shown)
		return;
	hvb_channel_of(ch)->shown = false;
	sysfs_remove_group(&ch->kobj, &hvb_channel_group);
	kobject_del(&ch->kobj);
}

#ifdef HVB_HAVE_RING_SYSFS
/**
 * hv_create_ring_sysfs() - show the file "ring" of a channel, which user space maps
 * @channel: an open channel
 * @hv_mmap_ring_buffer: maps both rings
 *
 * Return: 0 or the error of sysfs.
 */
int hv_create_ring_sysfs(struct vmbus_channel *channel,
			 int (*hv_mmap_ring_buffer)(struct vmbus_channel *channel,
						    struct vm_area_struct *vma))
{
	channel->mmap_ring_buffer = hv_mmap_ring_buffer;
	channel->ring_sysfs_visible = true;
	return sysfs_update_group(&channel->kobj, &hvb_channel_group);
}
EXPORT_SYMBOL_GPL(hv_create_ring_sysfs);

/**
 * hv_remove_ring_sysfs() - hide the file "ring" again
 * @channel: of an earlier hv_create_ring_sysfs()
 *
 * Return: 0 or the error of sysfs.
 */
int hv_remove_ring_sysfs(struct vmbus_channel *channel)
{
	int ret;

	channel->ring_sysfs_visible = false;
	ret = sysfs_update_group(&channel->kobj, &hvb_channel_group);
	channel->mmap_ring_buffer = NULL;
	return ret;
}
EXPORT_SYMBOL_GPL(hv_remove_ring_sysfs);
#endif
