/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ENLIGHTEN_HV_CLIENT_H
#define ENLIGHTEN_HV_CLIENT_H

/*
 * What every driver of a device of the bus shares: its channels, what it asks and is answered, and
 * its life. Linked into each module; on our bus or on the kernel's own. The core decides
 * (core/vmbus/lifecycle.hpp), this carries it out.
 */
#include <linux/completion.h>
#include <linux/hyperv.h>
#include <linux/mutex.h>
#include <linux/workqueue.h>

#include "compat/driver.h"
#include "core/vmbus/vmbus.h"
#include "patience.h"
#include "status.h"

struct hv_client;

/* The driver's part. `open` and `close` are called under the client's lock, and may sleep. */
struct hv_client_ops {
	const char *what;		/* "controller", for messages */
	void (*lock)(struct hv_client *client);
	void (*unlock)(struct hv_client *client);
	/* Opens it again and has it used. 0, or why not: then nothing of it is open. */
	int (*open)(struct hv_client *client);
	/* Ends all traffic of what its host broke, and closes it. */
	void (*close)(struct hv_client *client);
	/* Opens an offered sub-channel. Under channels_lock. 0, or why it stays unused. */
	int (*add_channel)(struct hv_client *client, struct vmbus_channel *vmbus);
};

/* One device; lives in the driver's own structure, and is the device's drvdata. */
struct hv_client {
	struct hv_device *hv;
	const struct hv_client_ops *ops;
	struct hv_life life;
	struct workqueue_struct *wq;	/* has a worker even when there is no memory */
	struct delayed_work work;	/* closes what broke, opens what is due */
	bool hurry;			/* who waits for the lock has no time for answers */
	bool leaving;			/* what breaks now is not opened again */

	/*
	 * Of whether sub-channels are taken, and of opening them. Not held where a channel is
	 * closed: that waits for a sub-channel that is being withdrawn, whose opening may wait for
	 * this.
	 */
	struct mutex channels_lock;
	bool takes_channels;
};

/* --- lifecycle.c --- */

/* 0, -ENOMEM. The life is made by the driver's protocol. */
int hv_client_create(struct hv_client *client, struct hv_device *hv,
		     const struct hv_client_ops *ops);
/* Any context: the host broke it, or does not answer. Said once for each opening. */
void hv_client_break(struct hv_client *client, const char *why);
#define HV_CLIENT_RING_BROKEN "a ring makes no sense any more"
/* Has it opened again when that is due. Under the lock. */
void hv_client_plan(struct hv_client *client);
/* Takes the lock; who waits for the host under it meanwhile gives up. */
void hv_client_lock_soon(struct hv_client *client);
/* Behind hv_life_leave(); not under the lock. */
void hv_client_destroy(struct hv_client *client);

static inline bool hv_client_rescinded(const struct hv_client *client)
{
	return READ_ONCE(client->hv->channel->rescind);
}

/* Whether the device goes, so that no answer of the host is worth waiting for. Any context. */
static inline bool hv_client_going(const struct hv_client *client)
{
	return hv_client_rescinded(client) || READ_ONCE(client->hurry);
}

/* Whether no answer is to be expected, or none is worth waiting for. Any context. */
bool hv_client_hopeless(const struct hv_client *client);
/* -ENODEV: it goes; -EIO: it broke; -ETIMEDOUT. */
int hv_client_why_hopeless(const struct hv_client *client);

/* --- channel.c --- */

/* The rings of an open channel, as the core wants them. */
void hv_client_rings(const struct vmbus_channel *vmbus, struct hv_port_rings *rings);
/* From here on sub-channels are opened, or no more. Not under the lock of channels. */
void hv_client_take_channels(struct hv_client *client);
void hv_client_take_no_channels(struct hv_client *client);
/* Closes the primary channel and with it all others. False: the host keeps the rings. */
bool hv_client_close_channels(struct hv_client *client);
/*
 * Waits until the host has nothing of ours, which `in_flight` counts. 0; -EBUSY: it still has after
 * so long; -EIO: nothing more can come.
 */
int hv_client_drain(struct hv_client *client, unsigned int seconds,
		    size_t (*in_flight)(const void *context), const void *context);

/* A function of the core asked for a signal. Counts it; under the channel's own lock. */
static inline int hv_client_count_signal(struct vmbus_channel *vmbus, int signal)
{
	if (signal == HV_SIGNAL)
		vmbus->intr_out_empty++;
	return signal;
}

/* Carries it out. Not under a lock of the channel. */
static inline void hv_client_signal(struct vmbus_channel *vmbus, int signal)
{
	if (signal == HV_SIGNAL)
		vmbus_setevent(vmbus);
}

/* What was received is given back to the host. From the channel. */
static inline void hv_client_gave_back(struct vmbus_channel *vmbus, int signal)
{
	if (signal == HV_SIGNAL) {
		vmbus->intr_in_full++;
		vmbus_setevent(vmbus);
	}
}

/* --- transact.c --- */

/* An answer of the host, one at a time. */
struct hv_answer {
	struct completion done;
	u32 length;
	u8 bytes[64];
};

void hv_answer_create(struct hv_answer *answer);
/* Before it is asked. */
void hv_answer_expect(struct hv_answer *answer);
/* From the channel; what is too long is cut. */
void hv_answer_take(struct hv_answer *answer, const void *bytes, size_t length);
/*
 * Waits for `done`, at most so long. `cancel` takes the id of what was asked back, HV_OK unless it
 * is being answered this moment: when this returns, no answer can arrive any more. A host that gave
 * none gives no other either: the device is closed without asking it anything. 0, or why there is
 * none.
 */
int hv_client_await(struct hv_client *client, struct completion *done, unsigned int seconds,
		    int (*cancel)(void *context), void *context);

#endif
