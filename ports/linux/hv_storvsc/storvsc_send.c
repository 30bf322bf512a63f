// SPDX-License-Identifier: GPL-2.0-only
/* What is staged is shown to the host, and waited for. */
#include <linux/rcupdate.h>

#include "storvsc_device.h"

/* Shows the host all that is staged, by whomever. */
HV_HOT void storvsc_publish(struct storvsc_channel *chan)
{
	unsigned long flags;
	int signal;

	spin_lock_irqsave(&chan->lock, flags);
	signal = hv_client_count_signal(chan->vmbus, hv_storvsc_publish(&chan->rings));
	spin_unlock_irqrestore(&chan->lock, flags);
	hv_client_signal(chan->vmbus, signal);
}

/* Under RCU, or while no channel can be closed. */
void storvsc_publish_all(struct storvsc_device *dev)
{
	unsigned int count = storvsc_channel_count(dev);
	unsigned int i;

	for (i = 0; i < count; i++)
		storvsc_publish(dev->channels[i]);
}

static size_t storvsc_in_flight(const void *context)
{
	const struct storvsc_device *dev = context;

	return hv_storvsc_in_flight(&dev->core);
}

/* Sends what is staged, and waits until the host has nothing of ours: as hv_client_drain(). */
int storvsc_drain(struct storvsc_device *dev, unsigned int seconds)
{
	rcu_read_lock();
	storvsc_publish_all(dev);
	rcu_read_unlock();
	return hv_client_drain(&dev->client, seconds, storvsc_in_flight, dev);
}
