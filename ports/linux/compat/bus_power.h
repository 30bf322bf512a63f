/* SPDX-License-Identifier: GPL-2.0-only */
/* As bus.h, of the last step of going to sleep. */
#ifndef HV_VMBUS_COMPAT_POWER_H
#define HV_VMBUS_COMPAT_POWER_H

#include <linux/version.h>
#include <linux/syscore_ops.h>

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)

#define HVB_SYSCORE(name, suspend_fn, resume_fn)			\
static int name##_suspend(void *data) { return suspend_fn(); }		\
static void name##_resume(void *data) { resume_fn(); }			\
static const struct syscore_ops name##_ops = {				\
	.suspend = name##_suspend,					\
	.resume = name##_resume,					\
};									\
static struct syscore name = { .ops = &name##_ops }

#define hvb_register_syscore register_syscore
#define hvb_unregister_syscore unregister_syscore

#else /* 6.1 */

#define HVB_SYSCORE(name, suspend_fn, resume_fn)			\
static struct syscore_ops name = {					\
	.suspend = suspend_fn,						\
	.resume = resume_fn,						\
}

#define hvb_register_syscore register_syscore_ops
#define hvb_unregister_syscore unregister_syscore_ops

#endif

#endif
