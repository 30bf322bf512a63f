/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ENLIGHTEN_COMPAT_H
#define ENLIGHTEN_COMPAT_H

/*
 * Where the interfaces of the kernels we build for differ. Nothing else looks at the kernel's
 * version.
 */
#include <linux/version.h>
#include <linux/types.h>
#include <scsi/scsi_host.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
#define scsi_timeout_action	blk_eh_timer_return
#define SCSI_EH_RESET_TIMER	BLK_EH_RESET_TIMER
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
#define HV_REMOVE_RETURNS_INT
#endif

#endif
