// SPDX-License-Identifier: GPL-2.0-only
/* What is copied and staged in a queue is shown to the host. */
#include "netvsc_device.h"

/* Under the queue's lock. What sysfs says of packets that found the ring full. */
HV_HOT void netvsc_count_full(struct netvsc_queue *queue, bool full)
{
	struct vmbus_channel *vmbus = queue->vmbus;

	if (likely(!full && !queue->full))
		return;
	vmbus->out_full_total += full;
	vmbus->out_full_first += full && !queue->full;
	vmbus->out_full_flag = full;
	queue->full = full;
}

/* Shows the host what is copied and staged. Under the queue's lock. Returns enum hv_signal. */
HV_HOT int netvsc_publish_locked(struct netvsc_queue *queue)
{
	return hv_client_count_signal(queue->vmbus, hv_netvsc_publish(queue->core));
}

/* The same without the lock. */
int netvsc_publish(struct netvsc_queue *queue)
{
	unsigned long flags;
	int signal;

	spin_lock_irqsave(&queue->lock, flags);
	signal = netvsc_publish_locked(queue);
	spin_unlock_irqrestore(&queue->lock, flags);
	return signal;
}
