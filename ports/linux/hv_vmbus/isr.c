// SPDX-License-Identifier: GPL-2.0-only
/* Interrupts: which channels are signalled, and who is called. */

#include <linux/interrupt.h>
#include <linux/random.h>
#include <linux/rcupdate.h>
#include <clocksource/hyperv_timer.h>
#include <asm/mshyperv.h>

#include "internal.h"

static void call_channel(struct vmbus_channel *ch)
{
	void (*callback)(void *context);

	/* Under the lock the rings stay mapped: hvb_reset_callbacks() comes before unmapping. */
	spin_lock(&ch->sched_lock);
	callback = READ_ONCE(ch->onchannel_callback);
	if (callback) {
		trace_vmbus_chan_sched(ch);
		++ch->interrupts;
		switch (ch->callback_mode) {
		case HV_CALL_ISR:
			callback(ch->channel_callback_context);
			break;
		case HV_CALL_BATCHED:
			hv_begin_read(&ch->inbound);
			fallthrough;
		case HV_CALL_DIRECT:
			tasklet_schedule(&ch->callback_event);
			break;
		}
	}
	spin_unlock(&ch->sched_lock);
}

static void signalled(u32 relid)
{
	struct vmbus_channel **channels = READ_ONCE(vmbus_connection.channels);
	struct vmbus_channel *ch;

	/* Relid 0 stands for messages of old hosts. */
	if (!relid || !channels)
		return;

	rcu_read_lock();
	/* With map_relid(): what the offer said is seen, too. */
	ch = smp_load_acquire(&channels[relid]);
	if (ch && !READ_ONCE(ch->rescind))
		call_channel(ch);
	rcu_read_unlock();
}

/* Takes the flags a word at a time: one locked instruction for up to 64 channels. */
static __always_inline void look_at_events(struct hvb_cpu *cpu)
{
	union hv_synic_event_flags *events =
		(union hv_synic_event_flags *)cpu->event_page + HVB_SINT;
	unsigned long *words = events->flags;
	unsigned long word;
	unsigned int bit;
	u32 i;

	for (i = 0; i < BITS_TO_LONGS(HV_EVENT_FLAGS_COUNT); i++) {
		if (!READ_ONCE(words[i]))
			continue;
		word = xchg(&words[i], 0);
		for_each_set_bit(bit, &word, BITS_PER_LONG)
			signalled(i * BITS_PER_LONG + bit);
	}
}

static void look_at_messages(struct hvb_cpu *cpu)
{
	struct hv_message *slot = (struct hv_message *)cpu->message_page + HVB_SINT;
	u32 type = READ_ONCE(slot->header.message_type);

	if (type == HVMSG_NONE)
		return;
	if (type != HVMSG_TIMER_EXPIRED) {
		tasklet_schedule(&cpu->messages);
		return;
	}
	/*
	 * Where no such timer is a CPU's clock the message is a forgery, and its handler would
	 * call through a pointer that nobody set.
	 */
	if (READ_ONCE(cpu->timer_messages))
		hv_stimer0_isr();
	vmbus_signal_eom(slot, HVMSG_TIMER_EXPIRED);
}

/* For the thread. */
void hvb_isr_events(struct hvb_cpu *cpu)
{
	look_at_events(cpu);
}

/* The interrupt gate calls this, with interrupts off. */
HV_HOT void hvb_isr(void)
{
	struct hvb_cpu *cpu = this_cpu_ptr(hvb_cpus);

	if (likely(cpu->event_page)) {
		if (IS_ENABLED(CONFIG_PREEMPT_RT))
			hvb_isr_thread_wake();
		else
			hvb_as_if_threaded(look_at_events(cpu));
	}
	if (likely(cpu->message_page))
		look_at_messages(cpu);
	add_interrupt_randomness(HYPERVISOR_CALLBACK_VECTOR);
}

/*
 * The tasklet of a channel. A batched reader has told the host to be quiet while
 * it reads: it looks again after it has told it to signal, as what came in between
 * comes without a signal.
 */
HV_HOT void hvb_channel_tasklet(unsigned long data)
{
	struct vmbus_channel *ch = (struct vmbus_channel *)data;
	void (*callback)(void *context);

	trace_vmbus_on_event(ch);

	callback = READ_ONCE(ch->onchannel_callback);
	if (unlikely(!callback))
		return;
	callback(ch->channel_callback_context);

	if (ch->callback_mode != HV_CALL_BATCHED)
		return;
	if (likely(!hv_end_read(&ch->inbound)))
		return;
	hv_begin_read(&ch->inbound);
	tasklet_schedule(&ch->callback_event);
}

int hvb_isr_setup(void)
{
	int ret = IS_ENABLED(CONFIG_PREEMPT_RT) ? hvb_isr_thread_start() : 0;

	if (ret)
		return ret;
	hv_setup_vmbus_handler(hvb_isr);
	return 0;
}

/* All SINTs are masked. Removing the handler waits for nobody, so this does. */
void hvb_isr_teardown(void)
{
	int cpu;

	hv_remove_vmbus_handler();
	synchronize_rcu();
	if (IS_ENABLED(CONFIG_PREEMPT_RT))
		hvb_isr_thread_stop();
	for_each_possible_cpu(cpu)
		tasklet_kill(&per_cpu_ptr(hvb_cpus, cpu)->messages);
}
