/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ENLIGHTEN_PATIENCE_H
#define ENLIGHTEN_PATIENCE_H

#include <linux/ktime.h>
#include <linux/types.h>

#include "core/base/patience.h"

/* What the core measures by. Milliseconds. */
static inline u64 hv_now(void)
{
	return ktime_to_ms(ktime_get());
}

/* How long to wait for the host: a pause of the whole machine does not count. */
static inline void hv_wait_begin(struct hv_patience *patience, unsigned int seconds)
{
	hv_patience_begin(patience, hv_now(), seconds * MSEC_PER_SEC);
}

/* To be asked a second apart at most. */
static inline bool hv_wait_over(struct hv_patience *patience)
{
	return hv_patience_over(patience, hv_now());
}

#endif
