// SPDX-License-Identifier: GPL-2.0-only
/* The connection to the host: from the first contact to the unload. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kernel.h>
#include <linux/sched.h>
#include <linux/wait.h>
#include <linux/delay.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <linux/hyperv.h>
#include <linux/export.h>
#include <linux/io.h>
#include <linux/set_memory.h>
#include <asm/mshyperv.h>

#include "internal.h"

/* How long a dying kernel waits for the host, which may first write dirty data back. */
#define CRASH_WAIT_MS (100 * 1000)
#define CRASH_STEP_MS 10

/* Who moves a channel holds a mutex of many. */
#define MODIFY_LIMIT_MS (10 * 1000)

struct vmbus_connection vmbus_connection = {
	.conn_state = DISCONNECTED,
	.next_gpadl_handle = ATOMIC_INIT(0xE1E10),
	.unload_event = COMPLETION_INITIALIZER(vmbus_connection.unload_event),
	.ready_for_suspend_event = COMPLETION_INITIALIZER(vmbus_connection.ready_for_suspend_event),
	.ready_for_resume_event = COMPLETION_INITIALIZER(vmbus_connection.ready_for_resume_event),
	.channelmsg_lock = __SPIN_LOCK_UNLOCKED(vmbus_connection.channelmsg_lock),
	.chn_msg_list = LIST_HEAD_INIT(vmbus_connection.chn_msg_list),
	.chn_list = LIST_HEAD_INIT(vmbus_connection.chn_list),
	.channel_mutex = __MUTEX_INITIALIZER(vmbus_connection.channel_mutex),
};
EXPORT_SYMBOL_GPL(vmbus_connection);

/* As negotiated, 0 before. */
__u32 vmbus_proto_version;
EXPORT_SYMBOL_GPL(vmbus_proto_version);

static uint max_version = VERSION_WIN10_V5_3;
module_param(max_version, uint, 0444);
MODULE_PARM_DESC(max_version, "Maximal VMBus protocol version which can be negotiated");

static void set_state(enum vmbus_connect_state state)
{
	WRITE_ONCE(vmbus_connection.conn_state, state);
}

static int alloc_monitor_page(struct hv_monitor_page **page)
{
	void *memory = (void *)__get_free_page(GFP_KERNEL);

	if (!memory)
		return -ENOMEM;
	/* A page whose encryption state is unknown is never given back. */
	if (set_memory_decrypted((unsigned long)memory, 1))
		return -ENOMEM;
	memset(memory, 0, HV_HYP_PAGE_SIZE);
	*page = memory;
	return 0;
}

static void free_monitor_page(struct hv_monitor_page **page)
{
	if (*page && !set_memory_encrypted((unsigned long)*page, 1))
		free_page((unsigned long)*page);
	*page = NULL;
}

static void drop_queues(void)
{
	struct workqueue_struct **queues[] = {
		/* Each feeds those behind it. */
		&vmbus_connection.work_queue,
		&vmbus_connection.handle_primary_chan_wq,
		&vmbus_connection.handle_sub_chan_wq,
		&vmbus_connection.rescind_work_queue,
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(queues); i++) {
		if (*queues[i])
			destroy_workqueue(*queues[i]);
		*queues[i] = NULL;
	}
}

static void drop_pages(void)
{
	free_page((unsigned long)vmbus_connection.int_page);
	vmbus_connection.int_page = NULL;
	free_monitor_page(&vmbus_connection.monitor_pages[0]);
	free_monitor_page(&vmbus_connection.monitor_pages[1]);
	kfree(vmbus_connection.channels);
	vmbus_connection.channels = NULL;
}

static int alloc_pages_and_queues(void)
{
	/*
	 * Offers and rescinds are sorted in order, shortly; whatever may wait has a queue of
	 * its own kind.
	 */
	vmbus_connection.work_queue = alloc_ordered_workqueue("hv_vmbus_con", 0);
	vmbus_connection.rescind_work_queue = alloc_workqueue("hv_vmbus_rescind", WQ_UNBOUND, 0);
	vmbus_connection.handle_primary_chan_wq = alloc_ordered_workqueue("hv_pri_chan", 0);
	vmbus_connection.handle_sub_chan_wq = alloc_ordered_workqueue("hv_sub_chan", 0);
	if (!vmbus_connection.work_queue || !vmbus_connection.rescind_work_queue ||
	    !vmbus_connection.handle_primary_chan_wq || !vmbus_connection.handle_sub_chan_wq)
		return -ENOMEM;

	vmbus_connection.channels =
		kcalloc(HVB_MAX_RELIDS, sizeof(*vmbus_connection.channels), GFP_KERNEL);
	vmbus_connection.int_page = (void *)get_zeroed_page(GFP_KERNEL);
	if (!vmbus_connection.channels || !vmbus_connection.int_page)
		return -ENOMEM;
	vmbus_connection.recv_int_page = vmbus_connection.int_page;
	vmbus_connection.send_int_page = vmbus_connection.int_page + HV_HYP_PAGE_SIZE / 2;

	return alloc_monitor_page(&vmbus_connection.monitor_pages[0]) ?:
	       alloc_monitor_page(&vmbus_connection.monitor_pages[1]);
}

/*
 * Agrees with the host on a version. hvb_disconnect() comes after it in any case.
 * Process context.
 */
int hvb_connect(void)
{
	/* The core looks at them for as long as it is there. */
	static guid_t safe_classes[HV_UNKNOWN];
	struct hv_vmbus_config config = {
		.max_version = max_version,
		.message_vp = hv_cpu_number_to_vp_number(HVB_CONNECT_CPU),
		.message_vtl = hvb_vtl(),
		.isolated = hv_is_isolation_supported(),
		.safe_classes = safe_classes,
		.safe_class_count = hvb_safe_classes(safe_classes),
		.modify_limit = MODIFY_LIMIT_MS,
	};
	struct hvb_request request;
	unsigned long flags;
	int status, ret;

	set_state(CONNECTING);
	ret = alloc_pages_and_queues();
	if (ret)
		goto fail;

	config.interrupt_page = virt_to_phys(vmbus_connection.int_page);
	config.monitor_page1 = virt_to_phys(vmbus_connection.monitor_pages[0]) |
			       ms_hyperv.shared_gpa_boundary;
	config.monitor_page2 = virt_to_phys(vmbus_connection.monitor_pages[1]) |
			       ms_hyperv.shared_gpa_boundary;

	hvb_request_init(&request);
	flags = hvb_lock();
	hv_vmbus_create(&hvb_bus, &config);
	hvb_core_ready = true;
	status = hv_vmbus_connect(&hvb_bus, &request.core, &request, hvb_now());
	hvb_unlock(flags);
	ret = status ? hvb_errno(status) : hvb_request_wait(&request, -ECONNREFUSED);
	if (ret)
		goto fail;

	vmbus_proto_version = hv_vmbus_version(&hvb_bus);
	vmbus_connection.msg_conn_id = hv_vmbus_connection_id(&hvb_bus);
	set_state(CONNECTED);
	pr_info("Vmbus version:%d.%d\n", vmbus_proto_version >> 16, vmbus_proto_version & 0xFFFF);
	return 0;

fail:
	pr_err("Unable to connect to host (%d)\n", ret);
	set_state(DISCONNECTED);
	return ret;
}

/* After hvb_unload(true): the same version, and the channels of before. */
int hvb_reconnect(void)
{
	struct hvb_request request;
	unsigned long flags;
	int status, ret;

	hvb_request_init(&request);
	set_state(CONNECTED);
	flags = hvb_lock();
	status = hv_vmbus_resume(&hvb_bus, &request.core, &request, hvb_now());
	hvb_unlock(flags);
	ret = status ? hvb_errno(status) : hvb_request_wait(&request, -ECONNREFUSED);
	vmbus_connection.msg_conn_id = hv_vmbus_connection_id(&hvb_bus);
	if (ret)
		set_state(DISCONNECTED);
	return ret;
}

/*
 * Tells the host that it is over and waits until it is, or for the time limit. keep:
 * hvb_reconnect() will follow.
 */
int hvb_unload(bool keep)
{
	struct hvb_request request;
	unsigned long flags;
	int status;

	if (xchg(&vmbus_connection.conn_state, DISCONNECTED) == DISCONNECTED)
		return 0;

	hvb_request_init(&request);
	flags = hvb_lock();
	status = hv_vmbus_unload(&hvb_bus, keep, &request.core, &request, hvb_now());
	hvb_unlock(flags);
	return status ? hvb_errno(status) : hvb_request_wait(&request, -EIO);
}

/*
 * Frees all that hvb_connect() made, also when it failed. Unloaded; no interrupts, so
 * nobody looks at it any more.
 */
void hvb_disconnect(void)
{
	drop_queues();
	if (hvb_core_ready) {
		hvb_core_ready = false;
		hvb_stop_expiry();
		hvb_take_spares_back();
		hvb_gpadl_forget_all();
		hv_vmbus_destroy(&hvb_bus);
	}
	drop_pages();
}

static bool unload_response_seen(void)
{
	bool seen = false;
	int cpu;

	for_each_possible_cpu(cpu) {
		struct hv_message *slot = hvb_message_slot(cpu);
		struct hv_message copy;

		if (!slot || READ_ONCE(slot->header.message_type) == HVMSG_NONE)
			continue;
		memcpy(&copy, slot, sizeof(copy));
		if (hv_vmbus_is_unload_response(copy.u.payload,
						min_t(size_t, copy.header.payload_size,
						      HV_MESSAGE_PAYLOAD_BYTE_COUNT)))
			seen = true;
		vmbus_signal_eom(slot, copy.header.message_type);
	}
	return seen;
}

/*
 * For a dying kernel: this CPU alone, nothing else runs, nothing may sleep. The
 * answer comes to whichever CPU made contact, so all message pages are looked at.
 */
void hvb_unload_crash(void)
{
	u8 message[sizeof(struct vmbus_channel_message_header)];
	unsigned int waited;
	size_t size;

	if (xchg(&vmbus_connection.conn_state, DISCONNECTED) == DISCONNECTED)
		return;

	size = hv_vmbus_crash_unload(&hvb_bus, message, sizeof(message));
	if (!size)
		return;
	/* Not asked from the core, whose lock may never be free again. */
	if (hvb_post_raw(vmbus_connection.msg_conn_id, message, size, false))
		return;

	for (waited = 0; waited < CRASH_WAIT_MS; waited += CRASH_STEP_MS) {
		/*
		 * The CPU that made contact may still run, and take the answer as it takes
		 * others.
		 */
		if (unload_response_seen() || completion_done(&vmbus_connection.unload_event))
			return;
		if (waited && waited % 5000 == 0)
			pr_notice("Waiting for VMBus UNLOAD to complete\n");
		mdelay(CRASH_STEP_MS);
	}
	pr_err("Continuing even though VMBus UNLOAD did not complete\n");
}

/**
 * vmbus_set_event() - signal the host by a hypercall
 * @channel: which has something for it
 *
 * Context: any.
 */
void vmbus_set_event(struct vmbus_channel *channel)
{
	u32 relid = channel->offermsg.child_relid;

	if (!channel->is_dedicated_interrupt && relid < HVB_MAX_RELIDS)
		sync_set_bit(relid, vmbus_connection.send_int_page);

	++channel->sig_events;

	if (hvb_tdx_paravisor())
		hvb_tdx_call(HVCALL_SIGNAL_EVENT | HV_HYPERCALL_FAST_BIT, channel->sig_event, 0);
	else if (hv_isolation_type_snp() && hvb_paravisor())
		hv_ghcb_hypercall(HVCALL_SIGNAL_EVENT, &channel->sig_event, NULL,
				  sizeof(channel->sig_event));
	else
		hv_do_fast_hypercall8(HVCALL_SIGNAL_EVENT, channel->sig_event);
}
EXPORT_SYMBOL_GPL(vmbus_set_event);
