/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For the files that export the management of channels: as api_drv.h, this set of
 * headers gives the CRCs.
 */
#ifndef HV_VMBUS_API_MGMT_H
#define HV_VMBUS_API_MGMT_H

#include <linux/kernel.h>
#include <linux/interrupt.h>
#include <linux/sched.h>
#include <linux/wait.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/cpu.h>
#include <linux/hyperv.h>
#include <asm/mshyperv.h>
#include <linux/sched/isolation.h>

#include "internal.h"

#endif
