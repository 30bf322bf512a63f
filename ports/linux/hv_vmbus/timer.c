// SPDX-License-Identifier: GPL-2.0-only
/*
 * Synthetic timers that report by messages, on hosts without direct mode. Such a
 * timer is a CPU's clock only as long as the bus takes its messages, so it is taken
 * after contact, and handed back before the SynIC is switched off.
 *
 * The kernel's hv_stimer_legacy_cleanup() hands a clock back only where the clock
 * event core finds another device for that CPU that nobody uses, and does not say
 * whether it did. It may find none: when CPU 0 gets a synthetic timer, its local
 * APIC timer is free, and unless that stops in deep sleep (no ARAT) the core makes it
 * the broadcast device, which it never gives up again. A clock event that stays in
 * use with its interrupts gone is a CPU without a tick, and to register it a second
 * time corrupts the core's list. So it is tried once, right after taking it, while it
 * does no harm.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/irqflags.h>
#include <linux/module.h>
#include <clocksource/hyperv_timer.h>
#include <asm/mshyperv.h>

#include "internal.h"

static int cpuhp_state;

static bool timers_exist(void)
{
	return ms_hyperv.features & HV_MSR_SYNTIMER_AVAILABLE;
}

static bool timers_are_direct(void)
{
	return ms_hyperv.misc_features & HV_STIMER_DIRECT_MODE_AVAILABLE;
}

/* Of this CPU: whether the kernel uses its timer. One that is let go is cleared. */
static bool timer_in_use(void)
{
	return hvb_get_msr(HVB_MSR_STIMER0_CONFIG) != 0;
}

/* On this very CPU, as all of the following. A message must not come before it is expected. */
static bool take_clock(unsigned int cpu)
{
	struct hvb_cpu *hc = per_cpu_ptr(hvb_cpus, cpu);
	unsigned long flags;

	local_irq_save(flags);
	hv_stimer_legacy_init(cpu, HVB_SINT);
	hc->timer_messages = timer_in_use();
	local_irq_restore(flags);
	return hc->timer_messages;
}

static bool hand_clock_back(unsigned int cpu)
{
	hv_stimer_legacy_cleanup(cpu);
	if (timer_in_use())
		return false;
	WRITE_ONCE(per_cpu_ptr(hvb_cpus, cpu)->timer_messages, false);
	return true;
}

static int timer_online(unsigned int cpu)
{
	static atomic_t stays = ATOMIC_INIT(0);

	if (!take_clock(cpu))
		return 0;
	if (hand_clock_back(cpu)) {
		take_clock(cpu);
	} else if (!atomic_xchg(&stays, 1)) {
		/* An unloading cannot fail, so there must be none. */
		__module_get(THIS_MODULE);
		pr_warn("CPU %u has no other clock than our timer: the bus cannot be unloaded\n",
			cpu);
	}
	return 0;
}

static int timer_offline(unsigned int cpu)
{
	if (hand_clock_back(cpu))
		return 0;
	if (READ_ONCE(vmbus_connection.conn_state) == CONNECTED)
		return -EBUSY;
	/* Another kernel takes over: nobody waits for this clock any more. */
	hvb_timer_stop();
	return 0;
}

/* After contact: a start that fails has taken nobody's clock. */
void hvb_timers_start(void)
{
	int ret;

	if (!timers_exist() || timers_are_direct())
		return;
	ret = cpuhp_setup_state(CPUHP_AP_ONLINE_DYN, "hyperv/vmbus:timer", timer_online,
				timer_offline);
	if (ret < 0)
		pr_warn("the clocks stay as they are (%d)\n", ret);
	else
		cpuhp_state = ret;
}

/* When the host has been told, and the SynICs are still on. */
void hvb_timers_hand_back(void)
{
	if (cpuhp_state)
		cpuhp_remove_state(cpuhp_state);
	cpuhp_state = 0;
}

/* Before another kernel takes over. The direct ones do not need the bus till then. */
void hvb_timers_end(void)
{
	hvb_timers_hand_back();
	if (timers_are_direct())
		hv_stimer_global_cleanup();
}

/*
 * This CPU's timer will not expire any more, whoever uses it. For a dying kernel, so
 * without the clock event core and its locks.
 */
void hvb_timer_stop(void)
{
	if (!timers_exist())
		return;
	hvb_set_msr(HVB_MSR_STIMER0_COUNT, 0);
	hvb_set_msr(HVB_MSR_STIMER0_CONFIG, 0);
	if (hvb_cpus)
		WRITE_ONCE(this_cpu_ptr(hvb_cpus)->timer_messages, false);
}
