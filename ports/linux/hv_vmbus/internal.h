/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of this module share. Who owns what, and the order of locks: README.md. */
#ifndef HV_VMBUS_INTERNAL_H
#define HV_VMBUS_INTERNAL_H

#include "abi.h"
#include "compat/bus.h"
#include "core/vmbus/vmbus.h"
#include "trace.h"

#define HVB_MAX_RELIDS HV_EVENT_FLAGS_COUNT

/* Messages of the host come here, and so do channels that need no spreading. */
#define HVB_CONNECT_CPU 0
#define HVB_SINT 2

/* Which of vmbus_connection.monitor_pages. */
#define HVB_SERVER 0
#define HVB_CLIENT 1

/*
 * A channel: what modules see, first, so that one pointer is the other, and what is ours.
 * References are those of ch.kobj: one is the core's from donation to
 * ChannelFreed, one the lists' from ChannelOffered to hvb_channel_unlink().
 */
struct hvb_channel {
	struct vmbus_channel ch;
	struct hv_vmbus_channel core;
	struct hv_vmbus_writer writer;
	struct hv_vmbus_reader reader;
	/* Our mappings; ch.outbound.ring_buffer points elsewhere once a ring is broken. */
	void *out_map;
	void *in_map;
	/* Serialises open, close and move. Inside it: channel_mutex, hvb_lock. */
	struct mutex lock;
	struct work_struct offer_work;
	struct work_struct rescind_work;
	struct completion probed;	/* the driver, if any, has seen it */
	struct completion rescinded;	/* rescind_work is through with it */
	bool shown;			/* in sysfs */
	bool listed;			/* under channel_mutex */
	bool leaving;			/* under channel_mutex: somebody unregisters its device */
	bool removed;			/* under channel_mutex: hvb_channel_unlink() was here */
	bool held;			/* under hvb_lock: the core waits for our release */
	bool deferred;			/* under hvb_lock: until reattached after hibernation */
	bool release_wanted;		/* under hvb_lock: behind the last sub-channel */
	bool out_broken;
	bool in_broken;
};

static inline struct hvb_channel *hvb_channel_of(const struct vmbus_channel *ch)
{
	return container_of(ch, struct hvb_channel, ch);
}

/* Input of HVCALL_POST_MESSAGE; source: TLFS. */
struct hv_input_post_message {
	union hv_connection_id connectionid;
	u32 reserved;
	u32 message_type;
	u32 payload_size;
	u64 payload[HV_MESSAGE_PAYLOAD_QWORD_COUNT];
};

/* One wait for an answer of the host. */
struct hvb_request {
	struct hv_vmbus_request core;
	struct completion done;
	int status;
	u32 host_status;
};

struct hvb_gpadl {
	struct hv_vmbus_gpadl core;
	struct list_head node;
	u64 *frames;
	u32 handle;
	bool abandoned;	/* under hvb_lock: freed when the host has let go */
};

/* main.c */
extern struct device *hvb_parent;
int hvb_errno(int status);

/* bus.c, device.c, sysfs_*.c */
extern HVB_CONST struct bus_type hvb_bus_type;
extern struct notifier_block hvb_device_notifier;
extern const struct attribute_group *hvb_dev_groups[];
int hvb_device_add(struct vmbus_channel *channel);
void hvb_channel_init_kobj(struct vmbus_channel *ch);
int hvb_channel_add_sysfs(struct hv_device *dev, struct vmbus_channel *ch);
void hvb_channel_remove_sysfs(struct vmbus_channel *ch);

/* post.c: hvb_lock() guards the core. */
extern bool hvb_core_ready;
extern struct hv_vmbus hvb_bus;
unsigned long hvb_lock(void);
void hvb_unlock(unsigned long flags);
u64 hvb_now(void);
void hvb_request_init(struct hvb_request *request);
int hvb_request_wait(struct hvb_request *request, int refused);
void hvb_post_all(void);
void hvb_stop_expiry(void);
int hvb_post_raw(u32 connection_id, const void *message, size_t size, bool may_sleep);

/* contact.c */
int hvb_connect(void);
int hvb_reconnect(void);
void hvb_disconnect(void);
int hvb_unload(bool keep);
void hvb_unload_crash(void);

/* messages.c */
void hvb_message_tasklet(unsigned long data);
void hvb_kick(void);
void hvb_donate_spares(void);
void hvb_take_spares_back(void);
void hvb_wait_for_offers(void);

/* offers.c */
struct hvb_channel *hvb_channel_alloc(gfp_t gfp);
void hvb_channel_free(struct vmbus_channel *ch);
void hvb_unmap_relid(struct vmbus_channel *ch);
/* Events of the core; with hvb_lock. */
void hvb_channel_offered(struct vmbus_channel *ch);
void hvb_channel_rescinded(struct vmbus_channel *ch);
void hvb_channel_reattached(struct vmbus_channel *ch);
void hvb_channel_freed(struct vmbus_channel *ch);

/* removal.c */
void hvb_release_to_core(struct hvb_channel *bc);
void hvb_rescind_work(struct work_struct *work);
bool hvb_channel_unlink(struct vmbus_channel *ch);
void hvb_channel_dispose(struct vmbus_channel *ch);
void hvb_flush_queues(void);
void hvb_remove_all(void);
void hvb_reset_callbacks(struct vmbus_channel *ch);

/* classes.c */
size_t hvb_safe_classes(guid_t *list);
u16 hvb_device_class(const struct vmbus_channel *ch);
bool hvb_is_perf_channel(const struct vmbus_channel *ch);

/* cpus.c */
int hvb_cpus_init(void);
void hvb_cpus_exit(void);
void hvb_channel_place(struct vmbus_channel *ch);
void hvb_cpu_unused(struct vmbus_channel *ch);
int hvb_channel_move(struct vmbus_channel *ch, unsigned int cpu);
int hvb_cpu_evacuate(unsigned int cpu);

/* ring.c */
void hvb_ring_pre_init(struct vmbus_channel *ch);
int hvb_ring_map(struct vmbus_channel *ch);
void hvb_ring_unmap(struct vmbus_channel *ch);
void hvb_ring_broken(struct vmbus_channel *ch, struct hv_ring_buffer_info *rbi, const char *what);

/* gpadl.c */
struct hvb_gpadl *hvb_gpadl_find(u32 handle);
void hvb_gpadl_released(struct hvb_gpadl *g);
void hvb_gpadl_forget_all(void);

/* rqstor.c */
int hvb_rqstor_alloc(struct vmbus_channel *ch);
void hvb_rqstor_free(struct vmbus_channel *ch);

/* signal.c */
u32 hvb_monitor_pending(const struct vmbus_channel *ch, int page);
u32 hvb_monitor_latency(const struct vmbus_channel *ch, int page);
u32 hvb_monitor_conn_id(const struct vmbus_channel *ch, int page);

/* synic.c, isr.c */
struct hvb_cpu {
	void *message_page;
	void *event_page;
	void *post_page;
	struct tasklet_struct messages;
	bool timer_messages;	/* written on this CPU alone: they are its clock */
};

extern struct hvb_cpu __percpu *hvb_cpus;
int hvb_synic_alloc(void);
void hvb_synic_free(void);
void hvb_synic_enable(unsigned int cpu);
void hvb_synic_disable(unsigned int cpu);
int hvb_synic_online(unsigned int cpu);
int hvb_synic_offline(unsigned int cpu);
struct hv_message *hvb_message_slot(unsigned int cpu);
void hvb_isr(void);
void hvb_channel_tasklet(unsigned long data);
void hvb_isr_events(struct hvb_cpu *cpu);
int hvb_isr_setup(void);
void hvb_isr_teardown(void);

/* isr_thread.c: for PREEMPT_RT alone */
int hvb_isr_thread_start(void);
void hvb_isr_thread_stop(void);
void hvb_isr_thread_wake(void);

/* timer.c */
void hvb_timers_start(void);
void hvb_timers_hand_back(void);
void hvb_timers_end(void);
void hvb_timer_stop(void);

/* mmio.c */
int hvb_mmio_init(struct acpi_device *device);
void hvb_mmio_exit(void);

/* power.c */
extern const struct dev_pm_ops hvb_bus_pm;
extern int hvb_cpuhp_state;
void hvb_power_init(void);
void hvb_power_exit(void);

#ifdef HVB_HAVE_RING_SYSFS
int hv_create_ring_sysfs(struct vmbus_channel *channel,
			 int (*hv_mmap_ring_buffer)(struct vmbus_channel *channel,
						    struct vm_area_struct *vma));
int hv_remove_ring_sysfs(struct vmbus_channel *channel);
#endif

#endif
