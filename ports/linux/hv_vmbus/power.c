// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hibernation, kexec, crash: whenever somebody else takes over the memory that the
 * host knows of.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/module.h>
#include <linux/panic_notifier.h>
#include <linux/pm.h>
#include <asm/mshyperv.h>

#include "compat/bus_power.h"
#include "internal.h"

int hvb_cpuhp_state;

static int panic_unload(struct notifier_block *block, unsigned long event, void *data)
{
	hvb_unload_crash();
	return NOTIFY_DONE;
}

/* Nearly the last: a framebuffer still wants to show what happened. */
static struct notifier_block panic_notifier = {
	.notifier_call = panic_unload,
	.priority = INT_MIN + 1,
};

static void kexec_handler(void)
{
	hvb_unload(false);
	hvb_timers_end();
	/* Now that we are disconnected every CPU may go: their SynICs are switched off. */
	cpuhp_remove_state(hvb_cpuhp_state);
}

static void crash_handler(struct pt_regs *regs)
{
	hvb_unload_crash();
	/* Of the other CPUs nobody can say anything any more. */
	hvb_timer_stop();
	hvb_synic_disable(smp_processor_id());
}

/* The boot CPU alone, without interrupts: its timer is seen to by the clock events. */
static int synic_suspend(void)
{
	hvb_synic_disable(0);
	return 0;
}

static void synic_resume(void)
{
	hvb_synic_enable(0);
}

HVB_SYSCORE(hvb_syscore, synic_suspend, synic_resume);

/*
 * All drivers have suspended, so their channels are closed. What has to be
 * offered anew afterwards (sub-channels) or cannot survive (hv_sock) is
 * rescinded by the core when it has unloaded; the rest keeps its device.
 */
static int __maybe_unused bus_suspend(struct device *dev)
{
	struct vmbus_channel *ch;
	unsigned long flags;
	int ret;

	flags = hvb_lock();
	vmbus_connection.ignore_any_offer_msg = true;
	hvb_unlock(flags);
	hvb_flush_queues();

	ret = hvb_unload(true);
	if (ret)
		pr_warn("the host did not confirm the unload (%d)\n", ret);
	hvb_flush_queues();

	/* Relids are given anew. */
	mutex_lock(&vmbus_connection.channel_mutex);
	flags = hvb_lock();
	memset(vmbus_connection.channels, 0, HVB_MAX_RELIDS * sizeof(*vmbus_connection.channels));
	list_for_each_entry(ch, &vmbus_connection.chn_list, listentry)
		ch->offermsg.child_relid = INVALID_RELID;
	hvb_unlock(flags);
	mutex_unlock(&vmbus_connection.channel_mutex);
	return 0;
}

static int __maybe_unused bus_resume(struct device *dev)
{
	unsigned long flags;
	int ret;

	flags = hvb_lock();
	vmbus_connection.ignore_any_offer_msg = false;
	hvb_unlock(flags);

	/* Ends when all is offered again; what is not is rescinded. */
	ret = hvb_reconnect();
	if (ret)
		pr_err("cannot reconnect to the host: %d\n", ret);
	return ret;
}

const struct dev_pm_ops hvb_bus_pm = {
#ifdef CONFIG_PM_SLEEP
	.freeze_noirq = bus_suspend,
	.thaw_noirq = bus_resume,
	.poweroff_noirq = bus_suspend,
	.restore_noirq = bus_resume,
#endif
};

void hvb_power_init(void)
{
	atomic_notifier_chain_register(&panic_notifier_list, &panic_notifier);
	hv_setup_kexec_handler(kexec_handler);
	hv_setup_crash_handler(crash_handler);
	hvb_register_syscore(&hvb_syscore);
}

void hvb_power_exit(void)
{
	hvb_unregister_syscore(&hvb_syscore);
	hv_remove_kexec_handler();
	hv_remove_crash_handler();
	atomic_notifier_chain_unregister(&panic_notifier_list, &panic_notifier);
}
