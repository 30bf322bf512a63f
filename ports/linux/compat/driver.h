/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ENLIGHTEN_COMPAT_DRIVER_H
#define ENLIGHTEN_COMPAT_DRIVER_H

/* Where what every driver of a bus sees differs between the kernels that we build for. */
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
#define HV_REMOVE_RETURNS_INT
#endif

#endif
