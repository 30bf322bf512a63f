// SPDX-License-Identifier: GPL-2.0-only
/* The attributes of a device, as its primary channel shows itself: /sys/bus/vmbus/devices/GUID/. */

#include "internal.h"

/* Shows one number about the primary channel; EXPRESSION sees it as `ch`. */
#define CHANNEL_NUMBER(NAME, FORMAT, EXPRESSION)				\
static ssize_t NAME##_show(struct device *device, struct device_attribute *attr, char *buf) \
{										\
	struct vmbus_channel *ch = device_to_hv_device(device)->channel;	\
										\
	if (!ch)								\
		return -ENODEV;							\
	return sysfs_emit(buf, FORMAT, EXPRESSION);				\
}										\
static DEVICE_ATTR_RO(NAME)

CHANNEL_NUMBER(id, "%d\n", ch->offermsg.child_relid);
CHANNEL_NUMBER(state, "%d\n", ch->state);
CHANNEL_NUMBER(monitor_id, "%d\n", ch->offermsg.monitorid);
CHANNEL_NUMBER(class_id, "{%pUl}\n", &ch->offermsg.offer.if_type);
CHANNEL_NUMBER(device_id, "{%pUl}\n", &ch->offermsg.offer.if_instance);
#ifdef CONFIG_NUMA
CHANNEL_NUMBER(numa_node, "%d\n", cpu_to_node(READ_ONCE(ch->target_cpu)));
#endif
CHANNEL_NUMBER(server_monitor_pending, "%d\n", hvb_monitor_pending(ch, HVB_SERVER));
CHANNEL_NUMBER(client_monitor_pending, "%d\n", hvb_monitor_pending(ch, HVB_CLIENT));
CHANNEL_NUMBER(server_monitor_latency, "%d\n", hvb_monitor_latency(ch, HVB_SERVER));
CHANNEL_NUMBER(client_monitor_latency, "%d\n", hvb_monitor_latency(ch, HVB_CLIENT));
CHANNEL_NUMBER(server_monitor_conn_id, "%d\n", hvb_monitor_conn_id(ch, HVB_SERVER));
CHANNEL_NUMBER(client_monitor_conn_id, "%d\n", hvb_monitor_conn_id(ch, HVB_CLIENT));

/* Shows one FIELD of the snapshot of a RING of `ch`; -EINVAL when it is not open. */
#define RING_NUMBER(NAME, RING, FIELD)						\
static ssize_t NAME##_show(struct device *device, struct device_attribute *attr, char *buf) \
{										\
	struct vmbus_channel *ch = device_to_hv_device(device)->channel;	\
	struct hv_ring_buffer_debug_info info;					\
	int ret;								\
										\
	if (!ch)								\
		return -ENODEV;							\
	ret = hv_ringbuffer_get_debuginfo(RING, &info);			\
	if (ret < 0)								\
		return ret;							\
	return sysfs_emit(buf, "%d\n", info.FIELD);				\
}										\
static DEVICE_ATTR_RO(NAME)

RING_NUMBER(out_intr_mask, &ch->outbound, current_interrupt_mask);
RING_NUMBER(out_read_index, &ch->outbound, current_read_index);
RING_NUMBER(out_write_index, &ch->outbound, current_write_index);
RING_NUMBER(out_read_bytes_avail, &ch->outbound, bytes_avail_toread);
RING_NUMBER(out_write_bytes_avail, &ch->outbound, bytes_avail_towrite);
RING_NUMBER(in_intr_mask, &ch->inbound, current_interrupt_mask);
RING_NUMBER(in_read_index, &ch->inbound, current_read_index);
RING_NUMBER(in_write_index, &ch->inbound, current_write_index);
RING_NUMBER(in_read_bytes_avail, &ch->inbound, bytes_avail_toread);
RING_NUMBER(in_write_bytes_avail, &ch->inbound, bytes_avail_towrite);

static ssize_t modalias_show(struct device *device, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "vmbus:%*phN\n", UUID_SIZE, &device_to_hv_device(device)->dev_type);
}
static DEVICE_ATTR_RO(modalias);

static ssize_t vendor_show(struct device *device, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "0x%x\n", device_to_hv_device(device)->vendor_id);
}
static DEVICE_ATTR_RO(vendor);

static ssize_t device_show(struct device *device, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "0x%x\n", device_to_hv_device(device)->device_id);
}
static DEVICE_ATTR_RO(device);

/* A line "relid:cpu" per channel, the primary first. */
static ssize_t channel_vp_mapping_show(struct device *device, struct device_attribute *attr,
				       char *buf)
{
	struct vmbus_channel *ch = device_to_hv_device(device)->channel;
	struct vmbus_channel *sub;
	int len;

	if (!ch)
		return -ENODEV;

	mutex_lock(&vmbus_connection.channel_mutex);
	len = sysfs_emit(buf, "%u:%u\n", ch->offermsg.child_relid, READ_ONCE(ch->target_cpu));
	list_for_each_entry(sub, &ch->sc_list, sc_list)
		len += sysfs_emit_at(buf, len, "%u:%u\n", sub->offermsg.child_relid,
				     READ_ONCE(sub->target_cpu));
	mutex_unlock(&vmbus_connection.channel_mutex);
	return len;
}
static DEVICE_ATTR_RO(channel_vp_mapping);

#ifndef HVB_CORE_DRIVER_OVERRIDE
static ssize_t driver_override_show(struct device *device, struct device_attribute *attr, char *buf)
{
	ssize_t len;

	device_lock(device);
	len = sysfs_emit(buf, "%s\n", device_to_hv_device(device)->driver_override);
	device_unlock(device);
	return len;
}

static ssize_t driver_override_store(struct device *device, struct device_attribute *attr,
				     const char *buf, size_t count)
{
	int ret = driver_set_override(device, &device_to_hv_device(device)->driver_override, buf,
				      count);

	return ret ? ret : count;
}
static DEVICE_ATTR_RW(driver_override);
#endif

static struct attribute *hvb_dev_attrs[] = {
	&dev_attr_id.attr,
	&dev_attr_state.attr,
	&dev_attr_class_id.attr,
	&dev_attr_device_id.attr,
	&dev_attr_modalias.attr,
#ifdef CONFIG_NUMA
	&dev_attr_numa_node.attr,
#endif
	&dev_attr_out_intr_mask.attr,
	&dev_attr_out_read_index.attr,
	&dev_attr_out_write_index.attr,
	&dev_attr_out_read_bytes_avail.attr,
	&dev_attr_out_write_bytes_avail.attr,
	&dev_attr_in_intr_mask.attr,
	&dev_attr_in_read_index.attr,
	&dev_attr_in_write_index.attr,
	&dev_attr_in_read_bytes_avail.attr,
	&dev_attr_in_write_bytes_avail.attr,
	&dev_attr_channel_vp_mapping.attr,
	&dev_attr_vendor.attr,
	&dev_attr_device.attr,
#ifndef HVB_CORE_DRIVER_OVERRIDE
	&dev_attr_driver_override.attr,
#endif
	NULL,
};

static const struct attribute_group hvb_dev_group = {
	.attrs = hvb_dev_attrs,
};

/* Only of channels that signal through the monitor pages. */
static struct attribute *hvb_dev_monitor_attrs[] = {
	&dev_attr_monitor_id.attr,
	&dev_attr_server_monitor_pending.attr,
	&dev_attr_client_monitor_pending.attr,
	&dev_attr_server_monitor_latency.attr,
	&dev_attr_client_monitor_latency.attr,
	&dev_attr_server_monitor_conn_id.attr,
	&dev_attr_client_monitor_conn_id.attr,
	NULL,
};

static umode_t hvb_dev_monitor_visible(struct kobject *kobj, struct attribute *attr, int index)
{
	const struct hv_device *dev = device_to_hv_device(kobj_to_dev(kobj));

	return dev->channel->offermsg.monitor_allocated ? attr->mode : 0;
}

static const struct attribute_group hvb_dev_monitor_group = {
	.attrs = hvb_dev_monitor_attrs,
	.is_visible = hvb_dev_monitor_visible,
};

const struct attribute_group *hvb_dev_groups[] = {
	&hvb_dev_group,
	&hvb_dev_monitor_group,
	NULL,
};
