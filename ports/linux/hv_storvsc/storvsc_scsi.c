// SPDX-License-Identifier: GPL-2.0-only
/* The SCSI layer's callbacks: a command goes out, a completion comes in. */
#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <scsi/scsi.h>
#include <scsi/scsi_dbg.h>
#include <scsi/scsi_devinfo.h>
#include <scsi/scsi_eh.h>
#include <scsi/scsi_tcq.h>

#include "storvsc_device.h"

static u32 storvsc_slot_of(struct storvsc_device *dev, struct scsi_cmnd *cmd)
{
	u32 tag = blk_mq_unique_tag(scsi_cmd_to_rq(cmd));

	return (blk_mq_unique_tag_to_hwq(tag) << dev->slot_shift) | blk_mq_unique_tag_to_tag(tag);
}

static struct scsi_cmnd *storvsc_cmd_of(struct storvsc_device *dev, u32 slot)
{
	u32 queue = slot >> dev->slot_shift;
	u32 tag = slot & ((1U << dev->slot_shift) - 1);

	return scsi_host_find_tag(dev->host, queue << BLK_MQ_UNIQUE_TAG_BITS | tag);
}

static void storvsc_end(struct scsi_cmnd *cmd, int host_byte)
{
	cmd->result = host_byte << 16;
	scsi_set_resid(cmd, scsi_bufflen(cmd));
	scsi_done(cmd);
}

/* A request of which the host will say nothing more. */
void storvsc_fail_slot(struct storvsc_device *dev, u32 slot, int host_byte)
{
	struct scsi_cmnd *cmd = storvsc_cmd_of(dev, slot);

	if (WARN_ON_ONCE(!cmd))
		return;
	scsi_dma_unmap(cmd);
	storvsc_end(cmd, host_byte);
}

static void storvsc_report(struct storvsc_device *dev, struct scsi_cmnd *cmd,
			   const struct hv_storvsc_completion *completion,
			   const struct hv_storvsc_outcome *outcome)
{
	bool trouble = outcome->report == HV_STORVSC_TROUBLE;
	enum storvsc_log_level level = trouble ? STORVSC_LOG_ERROR : STORVSC_LOG_WARN;
	struct scsi_sense_hdr sense;

	storvsc_log(dev, level, "tag#%d cmd 0x%x status: scsi 0x%x srb 0x%x hv 0x%x\n",
		    scsi_cmd_to_rq(cmd)->tag, cmd->cmnd[0], completion->scsi_status,
		    completion->srb_code, completion->nt_status);
	if (storvsc_logs(STORVSC_LOG_WARN) && outcome->sense_length &&
	    scsi_normalize_sense(outcome->sense, outcome->sense_length, &sense))
		scsi_print_sense_hdr(cmd->device, "storvsc", &sense);
}

static void storvsc_chore(struct storvsc_device *dev, struct scsi_cmnd *cmd, u8 chore)
{
	switch (chore) {
	case HV_STORVSC_RESCAN_DEVICE:
		storvsc_want_lun(dev, cmd->device, STORVSC_LUN_RESCAN);
		break;
	case HV_STORVSC_REMOVE_DEVICE:
		storvsc_want_lun(dev, cmd->device, STORVSC_LUN_REMOVE);
		break;
	case HV_STORVSC_RESCAN_HOST:
		storvsc_want_scan(dev);
		break;
	}
}

static int storvsc_host_byte(u8 verdict)
{
	switch (verdict) {
	case HV_STORVSC_DONE:
		return DID_OK;
	case HV_STORVSC_REQUEUE:
		return DID_REQUEUE;
	case HV_STORVSC_NO_DEVICE:
		return DID_NO_CONNECT;
	case HV_STORVSC_PASS_THROUGH:
		return DID_PASSTHROUGH;
	default:
		return DID_ERROR;
	}
}

/* A request has ended. From the channel; the command is ours alone from now on. */
HV_HOT void storvsc_complete(struct storvsc_device *dev, const struct hv_storvsc_event *event)
{
	struct scsi_cmnd *cmd = storvsc_cmd_of(dev, event->slot);
	struct hv_storvsc_outcome outcome;
	u32 length;

	if (WARN_ON_ONCE(!cmd))
		return;
	length = scsi_bufflen(cmd);
	hv_storvsc_judge(cmd->cmnd[0], dev->is_fc, length, cmd->underflow, &event->completion,
			 &outcome);

	scsi_dma_unmap(cmd);
	if (unlikely(outcome.report))
		storvsc_report(dev, cmd, &event->completion, &outcome);
	if (unlikely(outcome.chore))
		storvsc_chore(dev, cmd, outcome.chore);
	if (unlikely(outcome.sense_length))
		memcpy(cmd->sense_buffer, outcome.sense,
		       min_t(u32, outcome.sense_length, SCSI_SENSE_BUFFERSIZE));
	cmd->result = storvsc_host_byte(outcome.verdict) << 16 | outcome.scsi_status;
	scsi_set_resid(cmd, length - outcome.moved);
	scsi_done(cmd);
}

/*
 * The page frames of a mapped command: the first may begin and the last may end within a page,
 * nothing else. Returns their number, 0 when the segments are not so or are too many.
 */
static u32 storvsc_frames(struct storvsc_device *dev, struct scsi_cmnd *cmd, int segments,
			  u64 *frames, u32 *offset)
{
	u32 most = dev->properties.max_transfer / HV_HYP_PAGE_SIZE + 1;
	struct scatterlist *sg;
	u32 count = 0;
	int i;

	for_each_sg(scsi_sglist(cmd), sg, segments, i) {
		dma_addr_t begin = sg_dma_address(sg);
		dma_addr_t end = begin + sg_dma_len(sg);
		u64 frame = begin >> HV_HYP_PAGE_SHIFT;
		u64 behind = HVPFN_UP(end);

		if (i == 0)
			*offset = offset_in_hvpage(begin);
		else if (offset_in_hvpage(begin))
			return 0;
		if (i != segments - 1 && offset_in_hvpage(end))
			return 0;
		if (behind - frame > most - count)
			return 0;
		while (frame < behind)
			frames[count++] = frame++;
	}
	return count;
}

static int storvsc_direction(struct scsi_cmnd *cmd)
{
	switch (cmd->sc_data_direction) {
	case DMA_TO_DEVICE:
		return HV_STORVSC_WRITE;
	case DMA_FROM_DEVICE:
		return HV_STORVSC_READ;
	case DMA_NONE:
		return HV_STORVSC_NO_DATA;
	default:
		return -EINVAL;
	}
}

/*
 * Stages a command in a channel, and with the last of a batch shows the host all of it. Returns
 * enum hv_status.
 */
static HV_HOT int storvsc_stage(struct storvsc_device *dev, struct storvsc_channel *chan,
				struct scsi_cmnd *cmd, struct hv_storvsc_request *request,
				int segments)
{
	int signal = HV_NO_SIGNAL;
	unsigned long flags;
	int ret = HV_OK;

	spin_lock_irqsave(&chan->lock, flags);
	if (segments) {
		request->range = chan->range;
		request->frame_count = storvsc_frames(dev, cmd, segments,
						      chan->range + HV_STORVSC_RANGE_WORDS,
						      &request->offset);
		if (!request->frame_count)
			ret = HV_BAD_VALUE;
	}
	if (ret == HV_OK)
		ret = hv_storvsc_submit(&dev->core, &chan->rings, storvsc_slot_of(dev, cmd),
					request);
	if (ret != HV_OK || cmd->flags & SCMD_LAST)
		signal = hv_client_count_signal(chan->vmbus, hv_storvsc_publish(&chan->rings));
	if (ret == HV_RING_FULL)
		chan->vmbus->out_full_total++;
	spin_unlock_irqrestore(&chan->lock, flags);

	hv_client_signal(chan->vmbus, signal);
	return ret;
}

/* The queue's own channel is full: any other that is not. */
static int storvsc_stage_elsewhere(struct storvsc_device *dev, struct storvsc_channel *full,
				   struct scsi_cmnd *cmd, struct hv_storvsc_request *request,
				   int segments)
{
	unsigned int count = storvsc_channel_count(dev);
	int ret = HV_RING_FULL;
	unsigned int i;

	for (i = 0; ret == HV_RING_FULL && i < count; i++) {
		if (dev->channels[i] == full)
			continue;
		ret = storvsc_stage(dev, dev->channels[i], cmd, request, segments);
		/* The end of the batch is told to the queue's own channel. */
		if (ret == HV_OK)
			storvsc_publish(dev->channels[i]);
	}
	return ret;
}

/* Under RCU. */
static int storvsc_send(struct storvsc_device *dev, struct scsi_cmnd *cmd)
{
	u32 queue = blk_mq_unique_tag_to_hwq(blk_mq_unique_tag(scsi_cmd_to_rq(cmd)));
	struct storvsc_channel *chan = READ_ONCE(dev->map[queue]);
	struct hv_storvsc_request request = {
		.cdb = cmd->cmnd,
		.cdb_length = cmd->cmd_len,
		.direction = storvsc_direction(cmd),
		.tagged = cmd->device->tagged_supported,
		.port = dev->host->host_no,
		.path = cmd->device->channel,
		.target = cmd->device->id,
		.lun = cmd->device->lun,
	};
	int segments;
	int ret;

	if (unlikely(storvsc_direction(cmd) < 0)) {
		ret = HV_BAD_VALUE;
		goto refused;
	}
	segments = scsi_dma_map(cmd);
	if (unlikely(segments < 0)) {
		storvsc_publish(chan);
		return SCSI_MLQUEUE_DEVICE_BUSY;
	}
	if (segments)
		request.length = scsi_bufflen(cmd);

	ret = storvsc_stage(dev, chan, cmd, &request, segments);
	if (unlikely(ret == HV_RING_FULL))
		ret = storvsc_stage_elsewhere(dev, chan, cmd, &request, segments);
	if (likely(ret == HV_OK))
		return 0;

	scsi_dma_unmap(cmd);
	if (ret == HV_RING_FULL)
		return SCSI_MLQUEUE_DEVICE_BUSY;
	if (ret == HV_RING_CORRUPT)
		hv_client_break(&dev->client, HV_CLIENT_RING_BROKEN);
refused:
	if (ret != HV_NOT_SUPPORTED)
		storvsc_log(dev, STORVSC_LOG_ERROR, "cmd 0x%x cannot be sent: %d\n", cmd->cmnd[0],
			    ret);
	storvsc_end(cmd, DID_ERROR);
	storvsc_publish(chan);
	return 0;
}

static HV_HOT int storvsc_queuecommand(struct Scsi_Host *host, struct scsi_cmnd *cmd)
{
	struct storvsc_device *dev = shost_priv(host);
	int ret = 0;

	rcu_read_lock();
	switch (hv_life_state(&dev->client.life)) {
	case HV_LIFE_RUNNING:
		if (likely(!hv_client_rescinded(&dev->client))) {
			ret = storvsc_send(dev, cmd);
			break;
		}
		fallthrough;
	case HV_LIFE_GONE:
		storvsc_end(cmd, DID_NO_CONNECT);
		break;
	default:
		ret = SCSI_MLQUEUE_HOST_BUSY;
		break;
	}
	rcu_read_unlock();
	return ret;
}

/* A batch has ended before its last command came. */
static HV_HOT void storvsc_commit_rqs(struct Scsi_Host *host, u16 queue)
{
	struct storvsc_device *dev = shost_priv(host);

	rcu_read_lock();
	storvsc_publish_all(dev);
	rcu_read_unlock();
}

/*
 * The host answers each command, in the cloud perhaps late, and may write to its pages until it
 * does: there is nothing to do but to wait. A controller that is being taken away waits no longer.
 */
static enum scsi_timeout_action storvsc_eh_timed_out(struct scsi_cmnd *cmd)
{
	struct storvsc_device *dev = shost_priv(cmd->device->host);

	if (READ_ONCE(dev->client.leaving))
		hv_client_break(&dev->client, "the host does not answer");
	else
		storvsc_commit_rqs(dev->host, 0);
	return SCSI_EH_RESET_TIMER;
}

/* A controller that is being closed and opened again: whether it comes to run. */
static bool storvsc_comes_back(struct storvsc_device *dev)
{
	for (;;) {
		switch (hv_life_state(&dev->client.life)) {
		case HV_LIFE_RUNNING:
			return true;
		case HV_LIFE_OPENING:
		case HV_LIFE_BROKEN:
		case HV_LIFE_WAITING:
			msleep(50);
			break;
		default:
			return false;
		}
	}
}

static int storvsc_eh_host_reset(struct scsi_cmnd *cmd)
{
	struct storvsc_device *dev = shost_priv(cmd->device->host);
	int ret = storvsc_reset_bus(dev);

	/* One that was closed has no command left: that is all that is asked here. */
	if (ret && ret != -EBUSY && storvsc_comes_back(dev))
		return SUCCESS;
	if (ret)
		dev_warn(&dev->client.hv->device, "reset failed: error %d\n", ret);
	return ret ? FAILED : SUCCESS;
}

static int storvsc_slave_alloc(struct scsi_device *sdev)
{
	/*
	 * Hosts claim SPC-2 and do more: ask for VPD pages all the same. The DVD answers REPORT
	 * LUNS whatever it claims. Here hostdata is no pointer but the device's chores.
	 */
	sdev->hostdata = NULL;
	sdev->sdev_bflags = BLIST_REPORTLUN2 | BLIST_TRY_VPD_PAGES;
	return 0;
}

static int storvsc_slave_configure(struct scsi_device *sdev)
{
	struct storvsc_device *dev = shost_priv(sdev->host);
	u16 version = dev->properties.version;

	blk_queue_rq_timeout(sdev->request_queue, HV_STORVSC_REQUEST_SECONDS * HZ);
	sdev->no_report_opcodes = 1;
	sdev->no_write_same = 1;

	/* Disks of 2012 and 2012 R2 do SPC-3 and do not say so; from 2016 on WRITE SAME works. */
	if (!strncmp(sdev->vendor, "Msft", 4)) {
		if (version == HV_STORVSC_WIN8 || version == HV_STORVSC_WIN8_1)
			sdev->scsi_level = SCSI_SPC_3;
		if (version >= HV_STORVSC_WIN10)
			sdev->no_write_same = 0;
	}
	return 0;
}

static int storvsc_change_queue_depth(struct scsi_device *sdev, int depth)
{
	return scsi_change_queue_depth(sdev, min(depth, sdev->host->can_queue));
}

/* A geometry for those who still ask for one. */
static int storvsc_bios_param(struct scsi_device *sdev, struct block_device *bdev,
			      sector_t capacity, int *info)
{
	const int heads = 255, sectors = 63;
	sector_t cylinders = capacity;

	sector_div(cylinders, heads * sectors);
	info[0] = heads;
	info[1] = sectors;
	info[2] = min_t(sector_t, cylinders, 0xffff);
	return 0;
}

struct scsi_host_template storvsc_host_template = {
	.module = THIS_MODULE,
	.name = "storvsc_host_t",
	.proc_name = "storvsc_host",
	.queuecommand = storvsc_queuecommand,
	.commit_rqs = storvsc_commit_rqs,
	.eh_timed_out = storvsc_eh_timed_out,
	.eh_host_reset_handler = storvsc_eh_host_reset,
	.slave_alloc = storvsc_slave_alloc,
	.slave_configure = storvsc_slave_configure,
	.change_queue_depth = storvsc_change_queue_depth,
	.bios_param = storvsc_bios_param,
	.can_queue = 1, /* each host has its own */
	.cmd_per_lun = 2048,
	.this_id = -1,
	/* A request is one range of pages: no gaps. */
	.virt_boundary_mask = HV_HYP_PAGE_SIZE - 1,
	/* Newer kernels would have a segment end at 64 KiB. */
	.max_segment_size = UINT_MAX,
	.no_write_same = 1,
	.track_queue_depth = 1,
};
