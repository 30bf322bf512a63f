/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For the files that export the driver model's functions. genksyms expands the
 * types it has seen: this very set of headers gives the CRCs of the in-tree
 * module. Take nothing out, and let the CRC check judge what you add.
 */
#ifndef HV_VMBUS_API_DRV_H
#define HV_VMBUS_API_DRV_H

#include <linux/version.h>
#include <linux/init.h>
#include <linux/module.h>
#include <linux/device.h>
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
#include <linux/platform_device.h>
#include <linux/of_address.h>
#include <linux/smpboot.h>
#endif
#include <linux/interrupt.h>
#include <linux/sysctl.h>
#include <linux/slab.h>
#include <linux/acpi.h>
#include <linux/completion.h>
#include <linux/hyperv.h>
#include <linux/kernel_stat.h>
#include <linux/clockchips.h>
#include <linux/cpu.h>
#include <linux/sched/isolation.h>
#include <linux/sched/task_stack.h>
#include <linux/delay.h>
#include <linux/panic_notifier.h>
#include <linux/ptrace.h>
#include <linux/screen_info.h>
#include <linux/efi.h>
#include <linux/random.h>
#include <linux/kernel.h>
#include <linux/syscore_ops.h>
#include <linux/dma-map-ops.h>
#include <linux/pci.h>
#include <clocksource/hyperv_timer.h>
#include <asm/mshyperv.h>

#include "internal.h"

#endif
