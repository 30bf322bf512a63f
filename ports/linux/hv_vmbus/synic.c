// SPDX-License-Identifier: GPL-2.0-only
/* The synthetic interrupt controller of each CPU: pages, registers, and CPUs that come and go. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpu.h>
#include <linux/delay.h>
#include <linux/interrupt.h>
#include <linux/slab.h>
#include <linux/set_memory.h>
#include <asm/mshyperv.h>

#include "compat/bus_memory.h"
#include "internal.h"

/* What is pending on a CPU that goes offline gets this long. */
#define EVENT_WAIT_TRIES 3

struct hvb_cpu __percpu *hvb_cpus;

/*
 * A zeroed page, shown to the host if that takes anything. A page that could not be
 * shown is lost.
 */
static void *alloc_page_for_host(bool decrypt)
{
	void *page = (void *)get_zeroed_page(GFP_KERNEL);

	if (!page || !decrypt)
		return page;
	if (set_memory_decrypted((unsigned long)page, 1)) {
		pr_err("cannot show a SynIC page to the host\n");
		return NULL;
	}
	memset(page, 0, PAGE_SIZE);
	return page;
}

static void free_page_of_host(void *page, bool decrypted)
{
	if (page && (!decrypted || !set_memory_encrypted((unsigned long)page, 1)))
		free_page((unsigned long)page);
}

void hvb_synic_free(void)
{
	int cpu;

	if (!hvb_cpus)
		return;
	for_each_possible_cpu(cpu) {
		struct hvb_cpu *hc = per_cpu_ptr(hvb_cpus, cpu);

		if (!hvb_paravisor()) {
			free_page_of_host(hc->message_page, hvb_bare_isolation());
			free_page_of_host(hc->event_page, hvb_bare_isolation());
		}
		free_page_of_host(hc->post_page, true);
	}
	free_percpu(hvb_cpus);
	hvb_cpus = NULL;
}

int hvb_synic_alloc(void)
{
	int cpu;

	hvb_cpus = alloc_percpu(struct hvb_cpu);
	if (!hvb_cpus)
		return -ENOMEM;

	for_each_possible_cpu(cpu) {
		struct hvb_cpu *hc = per_cpu_ptr(hvb_cpus, cpu);

		tasklet_init(&hc->messages, hvb_message_tasklet, (unsigned long)hc);
	}
	return 0;
}

/*
 * The pages of a CPU, from the first time that it is online. A paravisor has its own:
 * hvb_synic_enable().
 */
static int alloc_pages_of_cpu(struct hvb_cpu *hc)
{
	if (!hvb_paravisor()) {
		if (!hc->message_page)
			hc->message_page = alloc_page_for_host(hvb_bare_isolation());
		if (!hc->event_page)
			hc->event_page = alloc_page_for_host(hvb_bare_isolation());
		if (!hc->message_page || !hc->event_page)
			return -ENOMEM;
	}
	if (hvb_tdx_paravisor() && !hc->post_page) {
		hc->post_page = alloc_page_for_host(true);
		if (!hc->post_page)
			return -ENOMEM;
	}
	return 0;
}

/* The place of the bus's messages on this CPU; NULL when it has none. */
struct hv_message *hvb_message_slot(unsigned int cpu)
{
	struct hv_message *page = per_cpu_ptr(hvb_cpus, cpu)->message_page;

	return page ? page + HVB_SINT : NULL;
}

/* On this very CPU, as all of the following. */
void hvb_synic_enable(unsigned int cpu)
{
	struct hvb_cpu *hc = per_cpu_ptr(hvb_cpus, cpu);
	union hv_synic_simp simp;
	union hv_synic_siefp siefp;
	union hv_synic_sint sint;
	union hv_synic_scontrol control;

	simp.as_uint64 = hvb_get_msr(HVB_MSR_SIMP);
	siefp.as_uint64 = hvb_get_msr(HVB_MSR_SIEFP);
	if (hvb_paravisor()) {
		hc->message_page = hvb_map_synic_page((u64)simp.base_simp_gpa << HV_HYP_PAGE_SHIFT);
		hc->event_page = hvb_map_synic_page((u64)siefp.base_siefp_gpa << HV_HYP_PAGE_SHIFT);
		if (!hc->message_page || !hc->event_page)
			pr_err("cannot map the SynIC pages of CPU %u\n", cpu);
	} else {
		simp.base_simp_gpa = virt_to_phys(hc->message_page) >> HV_HYP_PAGE_SHIFT;
		siefp.base_siefp_gpa = virt_to_phys(hc->event_page) >> HV_HYP_PAGE_SHIFT;
	}
	simp.simp_enabled = 1;
	siefp.siefp_enabled = 1;
	hvb_set_msr(HVB_MSR_SIMP, simp.as_uint64);
	hvb_set_msr(HVB_MSR_SIEFP, siefp.as_uint64);

	sint.as_uint64 = hvb_get_msr(HVB_MSR_SINT0 + HVB_SINT);
	sint.vector = HYPERVISOR_CALLBACK_VECTOR;
	sint.masked = false;
	/* Where the host advises against auto-EOI, the interrupt gate ends the interrupt itself. */
	sint.auto_eoi = !(ms_hyperv.hints & HV_DEPRECATING_AEOI_RECOMMENDED);
	hvb_set_msr(HVB_MSR_SINT0 + HVB_SINT, sint.as_uint64);

	control.as_uint64 = hvb_get_msr(HVB_MSR_SCONTROL);
	control.enable = 1;
	hvb_set_msr(HVB_MSR_SCONTROL, control.as_uint64);

	/* A timer that expired when there was no page for its message reports now. */
	hvb_set_msr(HVB_MSR_EOM, 0);
}

void hvb_synic_disable(unsigned int cpu)
{
	struct hvb_cpu *hc = per_cpu_ptr(hvb_cpus, cpu);
	union hv_synic_simp simp;
	union hv_synic_siefp siefp;
	union hv_synic_sint sint;
	union hv_synic_scontrol control;

	/* First nothing comes any more, then there is nowhere for it to come to. */
	sint.as_uint64 = hvb_get_msr(HVB_MSR_SINT0 + HVB_SINT);
	sint.masked = true;
	hvb_set_msr(HVB_MSR_SINT0 + HVB_SINT, sint.as_uint64);

	simp.as_uint64 = hvb_get_msr(HVB_MSR_SIMP);
	siefp.as_uint64 = hvb_get_msr(HVB_MSR_SIEFP);
	simp.simp_enabled = 0;
	siefp.siefp_enabled = 0;
	if (hvb_paravisor()) {
		/* A kdump kernel finds the paravisor's pages by these addresses: they stay. */
		if (hc->message_page)
			hvb_unmap_synic_page(hc->message_page);
		if (hc->event_page)
			hvb_unmap_synic_page(hc->event_page);
		hc->message_page = NULL;
		hc->event_page = NULL;
	} else {
		simp.base_simp_gpa = 0;
		siefp.base_siefp_gpa = 0;
	}
	hvb_set_msr(HVB_MSR_SIMP, simp.as_uint64);
	hvb_set_msr(HVB_MSR_SIEFP, siefp.as_uint64);

	control.as_uint64 = hvb_get_msr(HVB_MSR_SCONTROL);
	control.enable = 0;
	hvb_set_msr(HVB_MSR_SCONTROL, control.as_uint64);
}

int hvb_synic_online(unsigned int cpu)
{
	int ret = alloc_pages_of_cpu(per_cpu_ptr(hvb_cpus, cpu));

	if (ret)
		return ret;
	hvb_synic_enable(cpu);
	return 0;
}

/* Some channel's signal waits on this CPU. Relid 0 is no channel. */
static bool event_pending(void)
{
	union hv_synic_event_flags *flags =
		(union hv_synic_event_flags *)this_cpu_ptr(hvb_cpus)->event_page + HVB_SINT;
	unsigned long *bits = flags->flags;

	return find_next_bit(bits, HV_EVENT_FLAGS_COUNT, 1) < HV_EVENT_FLAGS_COUNT;
}

/*
 * While connected, the CPU that the host's messages come to stays; others go
 * after their channels have found another one.
 */
int hvb_synic_offline(unsigned int cpu)
{
	int tries;
	int ret;

	if (READ_ONCE(vmbus_connection.conn_state) == CONNECTED) {
		if (cpu == HVB_CONNECT_CPU)
			return -EBUSY;
		ret = hvb_cpu_evacuate(cpu);
		if (ret)
			return ret;
		/*
		 * What was signalled here before the host heard of the move is still to be seen
		 * to.
		 */
		for (tries = 0; event_pending(); tries++) {
			if (tries == EVENT_WAIT_TRIES)
				return -EBUSY;
			usleep_range(10000, 20000);
		}
	}

	hvb_synic_disable(cpu);
	return 0;
}
