/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ENLIGHTEN_STATUS_H
#define ENLIGHTEN_STATUS_H

#include <linux/errno.h>

#include "core/port.h"

/* The one table from the core's results to the kernel's errors; what is no error gives 0. */
static inline int hv_status_errno(int status)
{
	if (status >= 0)
		return 0;
	switch (status) {
	case HV_RING_FULL:
	case HV_RING_EMPTY:
		return -EAGAIN;
	case HV_NO_MEMORY:
	case HV_EXHAUSTED:
		return -ENOMEM;
	case HV_NOT_SUPPORTED:
		return -EOPNOTSUPP;
	case HV_TIMED_OUT:
		return -ETIMEDOUT;
	case HV_GONE:
		return -ENODEV;
	case HV_RING_CORRUPT:
		return -EIO;
	case HV_REFUSED:
		return -EREMOTEIO;
	case HV_BAD_STATE:
		return -EBUSY;
	default:
		return -EPROTO;
	}
}

#endif
