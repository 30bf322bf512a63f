/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For the files that export the functions of channels: as api_drv.h, this set of
 * headers gives the CRCs.
 */
#ifndef HV_VMBUS_API_CHANNEL_H
#define HV_VMBUS_API_CHANNEL_H

#include <linux/kernel.h>
#include <linux/sched.h>
#include <linux/wait.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/module.h>
#include <linux/hyperv.h>
#include <linux/uio.h>
#include <linux/interrupt.h>
#include <linux/set_memory.h>
#include <asm/page.h>
#include <asm/mshyperv.h>

#include "internal.h"

#endif
