// SPDX-License-Identifier: GPL-2.0-only
/* The module's parameters, and what follows from them. */
#include <linux/blk-mq.h>
#include <linux/cpumask.h>
#include <linux/moduleparam.h>

#include "storvsc_device.h"

static int logging_level = STORVSC_LOG_ERROR;
module_param(logging_level, int, 0644);
MODULE_PARM_DESC(logging_level, "Logging level, 0 - None, 1 - Error (default), 2 - Warning.");

static int storvsc_ringbuffer_size = 128 * 1024;
module_param(storvsc_ringbuffer_size, int, 0444);
MODULE_PARM_DESC(storvsc_ringbuffer_size, "Ring buffer size (bytes)");

static unsigned int storvsc_max_hw_queues;
module_param(storvsc_max_hw_queues, uint, 0644);
MODULE_PARM_DESC(storvsc_max_hw_queues, "Maximum number of hardware queues");

static int storvsc_vcpus_per_sub_channel = 4;
module_param(storvsc_vcpus_per_sub_channel, int, 0444);
MODULE_PARM_DESC(storvsc_vcpus_per_sub_channel, "Ratio of VCPUs to subchannels");

static int ring_avail_percent_lowater = 10;
module_param(ring_avail_percent_lowater, int, 0444);
MODULE_PARM_DESC(ring_avail_percent_lowater,
		 "Select a channel if available ring size > this in percent");

int storvsc_ring_bytes;

bool storvsc_logs(enum storvsc_log_level level)
{
	return READ_ONCE(logging_level) >= level;
}

/*
 * Bytes in the ring of a request of 32 pages: descriptor, head and frames of its range, packet,
 * trailer.
 */
#define STORVSC_USUAL_REQUEST (16 + 8 * (HV_STORVSC_RANGE_WORDS + 32) + HV_STORVSC_PACKET_SIZE + 8)

/* Sub-channels that the machine's CPUs can use: those that are offline come back. */
static unsigned int storvsc_useful_sub_channels(bool is_ide)
{
	return is_ide ? 0 : (num_present_cpus() - 1) / storvsc_vcpus_per_sub_channel;
}

/*
 * Commands per hardware queue. Bounded, as their number grows with that of CPUs, and other fields
 * are 16 bits wide.
 */
int storvsc_queue_depth(bool is_ide)
{
	unsigned int per_channel = (storvsc_ring_bytes - HV_HYP_PAGE_SIZE) / STORVSC_USUAL_REQUEST;
	u64 depth = (u64)per_channel * (storvsc_useful_sub_channels(is_ide) + 1) *
		    (100 - ring_avail_percent_lowater) / 100;

	return clamp_t(u64, depth, 1, BLK_MQ_MAX_DEPTH);
}

unsigned int storvsc_hw_queues(bool is_ide)
{
	unsigned int wanted = READ_ONCE(storvsc_max_hw_queues);

	if (is_ide)
		return 1;
	if (wanted > num_present_cpus()) {
		pr_warn("storvsc_max_hw_queues=%u is more than there are CPUs: not limited\n",
			wanted);
		wanted = 0;
	}
	return wanted ?: num_present_cpus();
}

/* At the module's start. */
int storvsc_check_params(void)
{
	if (storvsc_vcpus_per_sub_channel < 1 || ring_avail_percent_lowater < 0 ||
	    ring_avail_percent_lowater > 99 ||
	    storvsc_ringbuffer_size < (int)(2 * HV_HYP_PAGE_SIZE)) {
		pr_err("a parameter is out of its bounds\n");
		return -EINVAL;
	}
	storvsc_ring_bytes = VMBUS_RING_SIZE(storvsc_ringbuffer_size);
	return 0;
}
