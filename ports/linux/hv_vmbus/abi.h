/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Types that modules built against the in-tree bus know by layout and by CRC:
 * vmbus_connection is an exported variable (uio_hv_generic maps its pages and
 * takes its mutex), so the names and the order of its fields are interface.
 * Do not touch them; what we keep for ourselves is in internal.h.
 */
#ifndef HV_VMBUS_ABI_H
#define HV_VMBUS_ABI_H

#include <linux/list.h>
#include <linux/bitops.h>
#include <asm/sync_bitops.h>
#include <asm/hyperv-tlfs.h>
#include <linux/atomic.h>
#include <linux/hyperv.h>
#include <linux/interrupt.h>
#include <linux/tracepoint.h>

/* The monitor pages, 4 groups of 32 triggers: TLFS, monitored notifications. */
union hv_monitor_trigger_group {
	u64 as_uint64;
	struct {
		u32 pending;
		u32 armed;
	};
};

struct hv_monitor_parameter {
	union hv_connection_id connectionid;
	u16 flagnumber;
	u16 rsvdz;
};

union hv_monitor_trigger_state {
	u32 asu32;

	struct {
		u32 group_enable:4;
		u32 rsvdz:28;
	};
};

struct hv_monitor_page {
	union hv_monitor_trigger_state trigger_state;
	u32 rsvdz1;

	union hv_monitor_trigger_group trigger_group[4];
	u64 rsvdz2[3];

	s32 next_checktime[4][32];

	u16 latency[4][32];
	u64 rsvdz3[32];

	struct hv_monitor_parameter parameter[4][32];

	u8 rsvdz4[1984];
};

enum vmbus_connect_state {
	DISCONNECTED,
	CONNECTING,
	CONNECTED,
	DISCONNECTING
};

struct vmbus_connection {
	u32 msg_conn_id;

	atomic_t offer_in_progress;

	enum vmbus_connect_state conn_state;

	atomic_t next_gpadl_handle;

	struct completion  unload_event;
	/* One page: the first half for the host's flags, the second for ours. */
	void *int_page;
	void *send_int_page;
	void *recv_int_page;

	/* [0]: host to guest, [1]: guest to host. */
	struct hv_monitor_page *monitor_pages[2];
	struct list_head chn_msg_list;
	/* hvb_lock(). */
	spinlock_t channelmsg_lock;

	/* Primary channels. */
	struct list_head chn_list;
	/* Guards the lists of channels, and which CPU each one interrupts. */
	struct mutex channel_mutex;

	/* By relid; read under RCU. */
	struct vmbus_channel **channels;

	struct workqueue_struct *work_queue;
	struct workqueue_struct *handle_primary_chan_wq;
	struct workqueue_struct *handle_sub_chan_wq;
	struct workqueue_struct *rescind_work_queue;

	bool ignore_any_offer_msg;

	atomic_t nr_chan_close_on_suspend;
	struct completion ready_for_suspend_event;

	atomic_t nr_chan_fixup_on_resume;
	struct completion ready_for_resume_event;
};

extern struct vmbus_connection vmbus_connection;
extern const struct vmbus_device vmbus_devs[];

void vmbus_device_unregister(struct hv_device *device_obj);

#endif
