/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef HV_CORE_IC_H
#define HV_CORE_IC_H

/*
 * Integration services for ports written in C: plain types, no memory kept, no calls back.
 */
#include "core/port.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A version as one number: the major one in the upper half. */
struct hv_ic_versions {
	const int *list; /* of ours, the best first; those behind the 32nd are not looked at */
	size_t count;
};

/*
 * Chooses the versions of an integration service and writes the answer over the offer, which is
 * body: what is behind the message's header. framework and service: what was chosen; may be NULL.
 * Returns not 0 when there is a common one of both. Any context.
 */
int hv_ic_negotiate(void *body, size_t size, const struct hv_ic_versions *frameworks,
		    const struct hv_ic_versions *services, int *framework, int *service);

/* Storage of the guest's end of the heartbeat. */
struct hv_ic_heartbeat {
	uint64_t opaque[4];
};

void hv_ic_heartbeat_create(struct hv_ic_heartbeat *heartbeat);
/*
 * Makes a packet's payload, a private copy, its own answer, which is as long. Another status than
 * HV_OK: there is no answer to it. One caller at a time.
 */
int hv_ic_heartbeat_answer(struct hv_ic_heartbeat *heartbeat, void *packet, size_t length);

#ifdef __cplusplus
}
#endif

#endif /* HV_CORE_IC_H */
