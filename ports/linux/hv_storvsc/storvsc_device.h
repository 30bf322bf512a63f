/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ENLIGHTEN_STORVSC_DEVICE_H
#define ENLIGHTEN_STORVSC_DEVICE_H

#include <linux/blk-mq.h>
#include <linux/completion.h>
#include <linux/hyperv.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <scsi/scsi_cmnd.h>
#include <scsi/scsi_device.h>
#include <scsi/scsi_host.h>

#include "client/hv_client.h"
#include "compat/scsi.h"
#include "core/storvsc/storvsc.h"

enum storvsc_log_level { STORVSC_LOG_NONE, STORVSC_LOG_ERROR, STORVSC_LOG_WARN };

struct storvsc_device;

/* One open channel. */
struct storvsc_channel {
	struct storvsc_device *dev;
	struct vmbus_channel *vmbus;
	struct storvsc_channel *next;	/* of all channels opened */
	bool ready;			/* rings are known: packets may be read */
	u64 *range;			/* page frames of the request being sent, under lock */
	struct hv_storvsc_channel rings;
	/* Serialises sending. Receiving is serialised by the bus. */
	spinlock_t lock ____cacheline_aligned_in_smp;
};

/* What is needed to look whether a disk is the one that was known. The host writes to `page`. */
struct storvsc_recognition {
	u8 known[HV_STORVSC_RECOGNITION_BYTES];
	void *page;
	dma_addr_t address;
};

enum storvsc_chore_bits { STORVSC_CHORE_SCAN };
enum storvsc_lun_bits { STORVSC_LUN_RESCAN, STORVSC_LUN_REMOVE };

/* One controller; lives in its Scsi_Host. */
struct storvsc_device {
	struct hv_client client;
	struct Scsi_Host *host;
	bool is_fc;
	bool is_ide;
	bool kept;			/* the host has not let go of the rings */

	struct mutex lock;		/* the client's: of opening and closing; outermost */
	struct storvsc_recognition recognition;
	u32 max_transfer;		/* what requests are cut to; bytes */

	struct hv_storvsc core;
	struct hv_storvsc_slot *slots;
	u32 slot_shift;			/* a hardware queue has 1 << slot_shift slots */
	struct hv_storvsc_properties properties;
	struct hv_answer answers[HV_STORVSC_CONTROL_SLOTS];

	/* By hardware queue; read under RCU, written under map_lock. */
	struct storvsc_channel **map;
	unsigned int map_size;
	/*
	 * Usable channels [0, channel_count); the first is the primary one. Written under map_lock.
	 */
	struct storvsc_channel **channels;
	unsigned int channel_count;
	unsigned int channel_limit;
	spinlock_t map_lock;		/* of map and channels */
	struct storvsc_channel *opened;	/* all of them; written under channels_lock or the lock */

	struct workqueue_struct *wq;
	struct work_struct chores_work;
	unsigned long chores;		/* enum storvsc_chore_bits */

	struct fc_rport *rport;
};

static inline struct storvsc_device *storvsc_of(struct hv_client *client)
{
	return container_of(client, struct storvsc_device, client);
}

/* How many of dev->channels may be used. */
static inline unsigned int storvsc_channel_count(const struct storvsc_device *dev)
{
	/* Pairs with storvsc_use_channel(): the pointers are there before the count says so. */
	return smp_load_acquire(&dev->channel_count);
}

/* storvsc_params.c */
extern int storvsc_ring_bytes;
int storvsc_check_params(void);
bool storvsc_logs(enum storvsc_log_level level);
int storvsc_queue_depth(bool is_ide);
unsigned int storvsc_hw_queues(bool is_ide);

#define storvsc_log(dev, level, fmt, ...)						\
do {											\
	if (storvsc_logs(level))							\
		dev_warn_ratelimited(&(dev)->client.hv->device, fmt, ##__VA_ARGS__);		\
} while (0)

/* storvsc_send.c: what is staged is shown to the host, and waited for */
void storvsc_publish(struct storvsc_channel *chan);
void storvsc_publish_all(struct storvsc_device *dev);
int storvsc_drain(struct storvsc_device *dev, unsigned int seconds);

/* storvsc_channel.c: channels, and what comes through them */
int storvsc_open_primary(struct storvsc_device *dev);
int storvsc_ready_primary(struct storvsc_device *dev);
int storvsc_add_channel(struct hv_client *client, struct vmbus_channel *vmbus);
bool storvsc_rings_are_whole(struct storvsc_device *dev);
bool storvsc_close(struct storvsc_device *dev);
void storvsc_rebuild_map(struct storvsc_device *dev);

/* storvsc_life.c: opened, broken, opened again, gone */
extern const struct hv_client_ops storvsc_client_ops;
int storvsc_connect(struct storvsc_device *dev);
void storvsc_abandon(struct storvsc_device *dev);
void storvsc_disconnect(struct storvsc_device *dev);
int storvsc_sleep(struct storvsc_device *dev);
int storvsc_awake(struct storvsc_device *dev);

/* storvsc_dialogue.c: what is asked and answered one by one */
int storvsc_converse(struct storvsc_device *dev, struct hv_storvsc_handshake *handshake);
int storvsc_ask_sub_channels(struct storvsc_device *dev, struct hv_storvsc_handshake *handshake);
int storvsc_reset_bus(struct storvsc_device *dev);
void storvsc_forget_reset(struct storvsc_device *dev);
int storvsc_ask_recognition(struct storvsc_device *dev,
			    struct hv_storvsc_recognition *recognition);

/* storvsc_recognition.c: whether the disks are those that were known */
int storvsc_alloc_recognition(struct storvsc_device *dev);
void storvsc_free_recognition(struct storvsc_device *dev);
int storvsc_recognise_all(struct storvsc_device *dev);

/* storvsc_scsi.c: the SCSI layer's callbacks */
extern struct scsi_host_template storvsc_host_template;
void storvsc_complete(struct storvsc_device *dev, const struct hv_storvsc_event *event);
void storvsc_fail_slot(struct storvsc_device *dev, u32 slot, int host_byte);

/* storvsc_chores.c: devices come, change and go */
void storvsc_chores(struct work_struct *work);
void storvsc_want_scan(struct storvsc_device *dev);
void storvsc_want_lun(struct storvsc_device *dev, struct scsi_device *sdev,
		      enum storvsc_lun_bits what);
void storvsc_recognised(struct storvsc_device *dev, struct scsi_device *sdev,
			enum hv_storvsc_recognised verdict);

/* storvsc_fc.c: Fibre Channel attributes */
int storvsc_fc_init(void);
void storvsc_fc_exit(void);
void storvsc_fc_prepare(struct storvsc_device *dev);
int storvsc_fc_add(struct storvsc_device *dev);
void storvsc_fc_remove(struct storvsc_device *dev);
void storvsc_fc_names(struct storvsc_device *dev, u64 node_name, u64 port_name);

#endif
