// SPDX-License-Identifier: GPL-2.0-only
/* Asking the host, and being answered: within a limit, and with nobody left to be answered. */
#include <linux/minmax.h>
#include <linux/string.h>

#include "client/hv_client.h"

void hv_answer_create(struct hv_answer *answer)
{
	init_completion(&answer->done);
}

void hv_answer_expect(struct hv_answer *answer)
{
	reinit_completion(&answer->done);
}

void hv_answer_take(struct hv_answer *answer, const void *bytes, size_t length)
{
	answer->length = min(length, sizeof(answer->bytes));
	memcpy(answer->bytes, bytes, answer->length);
	complete(&answer->done);
}

int hv_client_await(struct hv_client *client, struct completion *done, unsigned int seconds,
		    int (*cancel)(void *context), void *context)
{
	struct hv_patience wait;

	hv_wait_begin(&wait, seconds);
	while (!hv_client_hopeless(client) && !hv_wait_over(&wait)) {
		if (wait_for_completion_timeout(done, HZ / 2))
			return 0;
	}
	if (!hv_client_hopeless(client))
		hv_client_break(client, "the host does not answer");
	if (cancel(context) == HV_OK)
		return hv_client_why_hopeless(client);
	/* It is being taken this moment. */
	wait_for_completion(done);
	return 0;
}
