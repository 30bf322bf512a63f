// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernels with PREEMPT_RT: channels are called by a thread of each CPU, as the locks that
 * they take sleep there. Messages are still looked at in the interrupt: a timer's may be among
 * them, and the rest goes to a tasklet anyway.
 */
#include <linux/percpu.h>
#include <linux/sched.h>
#include <linux/smpboot.h>

#include "internal.h"

static DEFINE_PER_CPU(bool, events_wait);
static DEFINE_PER_CPU(struct task_struct *, events_thread);

static void thread_setup(unsigned int cpu)
{
	sched_set_fifo(current);
}

static int thread_should_run(unsigned int cpu)
{
	return __this_cpu_read(events_wait);
}

static void thread_run(unsigned int cpu)
{
	/* First: what is flagged from here on wakes us again. */
	__this_cpu_write(events_wait, false);
	hvb_isr_events(per_cpu_ptr(hvb_cpus, cpu));
}

/* Named as in tree. */
static struct smp_hotplug_thread threads = {
	.store = &events_thread,
	.setup = thread_setup,
	.thread_should_run = thread_should_run,
	.thread_fn = thread_run,
	.thread_comm = "vmbus_irq/%u",
};

int hvb_isr_thread_start(void)
{
	return smpboot_register_percpu_thread(&threads);
}

/* Nothing wakes them any more, and no channel is open. */
void hvb_isr_thread_stop(void)
{
	smpboot_unregister_percpu_thread(&threads);
}

/* In the interrupt, on the CPU of the thread. */
void hvb_isr_thread_wake(void)
{
	__this_cpu_write(events_wait, true);
	wake_up_process(__this_cpu_read(events_thread));
}
