/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef HV_CORE_BASE_PATIENCE_H
#define HV_CORE_BASE_PATIENCE_H

/*
 * A time limit for the other side's answer that a pause of the whole machine does not use up: while
 * the machine stood still nobody could take an answer. Whoever waits looks HV_PATIENCE_STEP apart
 * at most; of a longer time between two looks, only so much counts, and once such a gap leaves
 * HV_PATIENCE_GRACE at least: what has come meanwhile has to be taken. Milliseconds, of a clock
 * that goes on. Every wait ends after enough looks. One caller at a time.
 *
 * A C file includes its system's <stdint.h>, or what stands for it, before this header.
 */
#ifdef __cplusplus
#include <cstdint>
extern "C" {
#endif

#define HV_PATIENCE_STEP 1000
#define HV_PATIENCE_GRACE 1000

struct hv_patience {
	uint64_t last;
	uint32_t left;
	uint32_t graced;
};

static inline void hv_patience_begin(struct hv_patience *patience, uint64_t now, uint32_t limit)
{
	patience->last = now;
	patience->left = limit;
	patience->graced = 0;
}

/* 1: the wait is over. */
static inline int hv_patience_over(struct hv_patience *patience, uint64_t now)
{
	uint64_t passed = now > patience->last ? now - patience->last : 0;
	int gap = passed > HV_PATIENCE_STEP;

	patience->last = now;
	if (gap)
		passed = HV_PATIENCE_STEP;
	patience->left = passed < patience->left ? patience->left - (uint32_t)passed : 0;
	if (gap && !patience->graced && patience->left < HV_PATIENCE_GRACE) {
		patience->graced = 1;
		patience->left = HV_PATIENCE_GRACE;
	}
	return patience->left == 0;
}

#ifdef __cplusplus
}
#endif

#endif
