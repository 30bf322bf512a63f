/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ENLIGHTEN_COMPAT_DRIVER_H
#define ENLIGHTEN_COMPAT_DRIVER_H

/* Where what every driver of a bus sees differs between the kernels that we build for. */
#include <linux/version.h>

/* A driver's `remove` gave a result before. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
#define HV_DRIVER_REMOVE(name, function) \
	static int name(struct hv_device *hv) \
	{ \
		function(hv); \
		return 0; \
	}
#else
#define HV_DRIVER_REMOVE(name, function) \
	static void name(struct hv_device *hv) \
	{ \
		function(hv); \
	}
#endif

#endif
