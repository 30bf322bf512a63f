/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ENLIGHTEN_PATIENCE_H
#define ENLIGHTEN_PATIENCE_H

#include <linux/ktime.h>
#include <linux/types.h>

#include "core/base/patience.h"

/* How long to wait for the host: a pause of the whole machine does not count. */
static inline void hv_wait_begin(struct hv_patience *patience, unsigned int seconds)
{
	hv_patience_begin(patience, ktime_to_ms(ktime_get()), seconds * MSEC_PER_SEC);
}

/* To be asked a second apart at most. */
static inline bool hv_wait_over(struct hv_patience *patience)
{
	return hv_patience_over(patience, ktime_to_ms(ktime_get()));
}

#endif
