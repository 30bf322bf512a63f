// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * For the nested machine's kernel only: keeps its guests clear of a defect in QEMU's software emulation of SVM.
 *
 * QEMU (seen in 7.2, target/i386/tcg/sysemu/svm_helper.c, helper_vmrun) delivers an interrupt that VMRUN is asked to
 * inject, and leaves its number behind as the CPU's pending exception. If the emulated CPU is then told to look up from
 * its work (another CPU wants an exclusive section, or an RCU grace period) before the guest has had an exit or an
 * exception, the same interrupt is delivered a second time, wherever the guest is by then, interrupts disabled or not. On the first
 * instructions of an entry from user mode that means a kernel running with the user's GS base: the guest dies of a
 * triple fault, with any driver.
 *
 * An exit clears what is pending. So an interrupt for ourselves is raised before a VMRUN that injects: the injection is done,
 * and the first thing the guest meets is that exit.
 */
#include <linux/kprobes.h>
#include <linux/kvm_host.h>
#include <linux/module.h>
#include <linux/smp.h>

static int before_vmrun(struct kprobe *probe, struct pt_regs *regs)
{
	const struct kvm_vcpu *vcpu = (const struct kvm_vcpu *)regs_get_kernel_argument(regs, 0);

	if (vcpu->arch.interrupt.injected)
		smp_send_reschedule(smp_processor_id());
	return 0;
}

static struct kprobe probe = {
	.symbol_name = "svm_vcpu_run",
	.pre_handler = before_vmrun,
};

static int __init enlighten_vmrun_init(void)
{
	return register_kprobe(&probe);
}

static void __exit enlighten_vmrun_exit(void)
{
	unregister_kprobe(&probe);
}

module_init(enlighten_vmrun_init);
module_exit(enlighten_vmrun_exit);
MODULE_DESCRIPTION("An exit after every injected interrupt, for KVM on QEMU's emulated SVM");
MODULE_LICENSE("Dual MIT/GPL");
