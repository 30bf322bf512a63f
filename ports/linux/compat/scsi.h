/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ENLIGHTEN_COMPAT_SCSI_H
#define ENLIGHTEN_COMPAT_SCSI_H

/* Where the SCSI layer differs between the kernels that hv_storvsc is built for. */
#include <linux/types.h>
#include <scsi/scsi_host.h>

#include "compat/driver.h"

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
#define scsi_timeout_action	blk_eh_timer_return
#define SCSI_EH_RESET_TIMER	BLK_EH_RESET_TIMER
#endif

#endif
