/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef HV_CORE_BASE_HOT_H
#define HV_CORE_BASE_HOT_H

/*
 * A function that each packet comes through. The compiler puts all of them side by side, so that a
 * packet touches few pages and lines of code: after each exit and each switch of address spaces
 * they have to be found anew.
 */
#define HV_HOT __attribute__((hot))

/*
 * One that is called in few places and stands in each of them: the call would cost as much as what
 * it does.
 */
#define HV_HOT_INLINE __attribute__((always_inline)) inline

#endif
