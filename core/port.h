/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef HV_CORE_PORT_H
#define HV_CORE_PORT_H

/*
 * THE SEAM: what an operating system provides to the core, and the types in which the two speak.
 * All of it.
 *
 * 1. memcpy, memmove, memset and memcmp with their usual types: the compiler makes calls of them by
 *    itself. The core calls nothing else of the port: its machines are told what happened and
 *    answer with what to do.
 * 2. The two rings of each channel, mapped (struct hv_port_rings), from opening the channel to
 *    closing it.
 * 3. Signals: where a function returns HV_SIGNAL, the port signals the host (SIGNAL_EVENT) after
 *    dropping its lock.
 * 4. Calls when the host has signalled, when a request is to be sent, when a wait has run out. The
 *    header of each machine says which of its functions may run at once; locks are the port's.
 * 5. Compiler: C++20, freestanding, no exceptions, no RTTI, no thread-safe statics; 32- and 64-bit
 *    atomics in place.
 *
 * A C file includes its system's <stddef.h> and <stdint.h>, or what stands for them, before this
 * header.
 */
#include "core/base/hot.h"

#ifdef __cplusplus
#include <cstddef>
#include <cstdint>
extern "C" {
#endif

/*
 * The rings of one channel: each is its control page and the data behind it. The host changes them
 * at any time.
 * mirrored: not 0 when the data of both is mapped a second time right behind itself.
 */
struct hv_port_rings {
	void *out;
	size_t out_bytes; /* control page and data, the mirror not counted */
	void *in;
	size_t in_bytes;
	int mirrored;
};

/* Negative results: the Errors of core/base/result.hpp. A port translates them in one place. */
enum hv_status {
	HV_OK = 0,
	HV_TRUNCATED = -1,
	HV_BAD_LENGTH = -2,
	HV_BAD_VALUE = -3,
	HV_BAD_ID = -4,
	HV_BAD_STATE = -5,
	HV_OVERFLOW = -6,
	HV_RING_CORRUPT = -7, /* for good: close the channel */
	HV_RING_FULL = -8,
	HV_RING_EMPTY = -9,
	HV_EXHAUSTED = -10,
	HV_NO_MEMORY = -11,
	HV_NOT_SUPPORTED = -12,
	HV_REFUSED = -13,
	HV_TIMED_OUT = -14,
	HV_GONE = -15,
};

enum hv_signal { HV_NO_SIGNAL = 0, HV_SIGNAL = 1 };

/* All that a port has to do at the end of a round of receiving. Each is 0 or 1. */
struct hv_round_end {
	uint8_t signal;    /* signal the host, behind the lock */
	uint8_t arm_timer; /* start the timer: something was left for later */
	uint8_t again;	   /* another round at once: nobody would wake us for what is left */
	uint8_t broken;	   /* the ring makes no sense any more: close the channel */
};

#ifdef __cplusplus
}
#endif

#endif /* HV_CORE_PORT_H */
