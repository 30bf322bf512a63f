// SPDX-License-Identifier: GPL-2.0-only
/* The channels of a device: sub-channels, closing, waiting for what is under way. */
#include <linux/delay.h>
#include <linux/sched/mm.h>

#include "client/hv_client.h"

/* Microseconds between two looks. */
#define HV_DRAIN_FIRST 100
#define HV_DRAIN_MOST 20000

void hv_client_rings(const struct vmbus_channel *vmbus, struct hv_port_rings *rings)
{
	*rings = (struct hv_port_rings){
		.out = vmbus->outbound.ring_buffer,
		.out_bytes = vmbus->outbound.ring_size,
		.in = vmbus->inbound.ring_buffer,
		.in_bytes = vmbus->inbound.ring_size,
		.mirrored = 1,
	};
}

/* The bus has a sub-channel for us. Process context. */
static void hv_client_sub_channel(struct vmbus_channel *vmbus)
{
	struct hv_client *client = hv_get_drvdata(vmbus->primary_channel->device_obj);
	unsigned int noio;
	int ret = 0;

	if (!client)
		return;
	/* As hv_client_work(): who closes the device waits for the lock. */
	noio = memalloc_noio_save();
	mutex_lock(&client->channels_lock);
	if (client->takes_channels)
		ret = client->ops->add_channel(client, vmbus);
	mutex_unlock(&client->channels_lock);
	memalloc_noio_restore(noio);
	if (ret && ret != -ENODEV) /* the host has taken it back */
		dev_warn(&client->hv->device, "a sub-channel stays unused: error %d\n", ret);
}

static void hv_client_set_takes(struct hv_client *client, bool takes)
{
	mutex_lock(&client->channels_lock);
	client->takes_channels = takes;
	mutex_unlock(&client->channels_lock);
	vmbus_set_sc_create_callback(client->hv->channel, takes ? hv_client_sub_channel : NULL);
}

void hv_client_take_channels(struct hv_client *client)
{
	hv_client_set_takes(client, true);
}

void hv_client_take_no_channels(struct hv_client *client)
{
	hv_client_set_takes(client, false);
}

bool hv_client_close_channels(struct hv_client *client)
{
	if (vmbus_disconnect_ring(client->hv->channel))
		return false;
	vmbus_free_ring(client->hv->channel);
	return true;
}

int hv_client_drain(struct hv_client *client, unsigned int seconds,
		    size_t (*in_flight)(const void *context), const void *context)
{
	unsigned int pause = HV_DRAIN_FIRST;
	struct hv_patience wait;

	hv_wait_begin(&wait, seconds);
	while (in_flight(context)) {
		if (hv_life_broken(&client->life) || READ_ONCE(client->hurry))
			return -EIO;
		if (hv_wait_over(&wait))
			return -EBUSY;
		usleep_range(pause, 2 * pause);
		pause = min_t(unsigned int, 2 * pause, HV_DRAIN_MOST);
	}
	return 0;
}
