/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the C side knows of the core: plain types, one function per call. The
 * C++ side (core_connection.cc, core_ring.cc) includes this and no kernel header.
 */
#ifndef HV_VMBUS_CORE_H
#define HV_VMBUS_CORE_H

#include "core/base/hot.h"

#ifdef __cplusplus
#include <stddef.h>
typedef __UINT8_TYPE__ u8;
typedef __UINT16_TYPE__ u16;
typedef __UINT32_TYPE__ u32;
typedef __UINT64_TYPE__ u64;
extern "C" {
#else
#include <linux/types.h>
#endif

/* 0, or one more than the value of hv::Error. */
enum hvb_error {
	HVB_OK,
	HVB_TRUNCATED,
	HVB_BAD_LENGTH,
	HVB_BAD_VALUE,
	HVB_BAD_ID,
	HVB_BAD_STATE,
	HVB_OVERFLOW,
	HVB_RING_CORRUPT,
	HVB_RING_FULL,
	HVB_RING_EMPTY,
	HVB_EXHAUSTED,
	HVB_NO_MEMORY,
	HVB_NOT_SUPPORTED,
	HVB_REFUSED,
	HVB_TIMED_OUT,
	HVB_GONE,
};

const char *hvb_error_name(enum hvb_error error);

/* Storage of the core's objects; the C++ side asserts that they fit. */
struct hvb_core_channel {
	u64 opaque[96];
};

struct hvb_core_gpadl {
	u64 opaque[32];
};

struct hvb_core_request {
	u64 opaque[16];
};

struct hvb_core_writer {
	u64 opaque[8];
};

struct hvb_core_reader {
	u64 opaque[16];
};

struct hvb_core_config {
	u32 max_version;
	u32 message_vp;
	u8 message_vtl;
	bool isolated;
	/* What is taken in a confidential machine: GUIDs, copied. */
	const void *safe_classes;
	size_t safe_class_count;
	u64 interrupt_page;
	u64 monitor_page1;
	u64 monitor_page2;
};

struct hvb_post {
	u32 connection_id;
	u32 size;
	u8 bytes[240];
};

/*
 * The connection. One caller at a time: hvb_lock is held around each call, and
 * while the hvb_event_*() below are called. Times are milliseconds.
 */
void hvb_core_init(const struct hvb_core_config *config);
void hvb_core_exit(void);
enum hvb_error hvb_core_message(const void *message, size_t size);
void hvb_core_expire(u64 now);
/* When hvb_core_expire() is needed next; ~0: nothing has a time limit. */
u64 hvb_core_next_deadline(void);
bool hvb_core_next_post(struct hvb_post *post);
void hvb_core_posted(bool accepted);
/* Calls hvb_event_*() for all that has happened, in order. */
void hvb_core_run_events(void);
bool hvb_core_next_violation(u32 *type, u32 *id, enum hvb_error *why);
u32 hvb_core_version(void);
u32 hvb_core_connection_id(void);
bool hvb_core_connected(void);

bool hvb_core_needs_storage(void);
void hvb_core_donate(struct hvb_core_channel *channel, void *owner);
/* The owner of a piece of unused storage, or NULL. */
void *hvb_core_reclaim(void);

enum hvb_error hvb_core_connect(struct hvb_core_request *request, void *owner, u64 now);
enum hvb_error hvb_core_request_offers(struct hvb_core_request *request, void *owner, u64 now);
enum hvb_error hvb_core_unload(bool keep, struct hvb_core_request *request, void *owner, u64 now);
enum hvb_error hvb_core_resume(struct hvb_core_request *request, void *owner, u64 now);
enum hvb_error hvb_core_create_gpadl(struct hvb_core_channel *channel, struct hvb_core_gpadl *gpadl,
				     void *gpadl_owner, const u64 *frames, size_t count, u32 bytes,
				     struct hvb_core_request *request, void *owner, u64 now);
enum hvb_error hvb_core_teardown_gpadl(struct hvb_core_gpadl *gpadl,
				       struct hvb_core_request *request, void *owner, u64 now);
bool hvb_core_gpadl_in_use(struct hvb_core_gpadl *gpadl);
u32 hvb_core_gpadl_id(const struct hvb_core_gpadl *gpadl);
enum hvb_error hvb_core_open(struct hvb_core_channel *channel, struct hvb_core_gpadl *ring,
			     u32 downstream_pages, u32 target_vp,
			     const void *user_data, size_t user_size,
			     struct hvb_core_request *request, void *owner, u64 now);
enum hvb_error hvb_core_close(struct hvb_core_channel *channel);
enum hvb_error hvb_core_modify(struct hvb_core_channel *channel, u32 target_vp,
			       struct hvb_core_request *request, void *owner, u64 now);
enum hvb_error hvb_core_release(struct hvb_core_channel *channel);
enum hvb_error hvb_core_connect_service(const u8 endpoint[16], const u8 service[16]);
/* Writes the 188 bytes of the offer. */
void hvb_core_offer(const struct hvb_core_channel *channel, void *offer);
/* The owner of the primary of a sub-channel, else NULL. */
void *hvb_core_primary(const struct hvb_core_channel *channel);

/* What came of posting a message; see hv::vmbus::PostResult. */
enum hvb_post_result {
	HVB_POSTED,
	HVB_POST_AGAIN,
	HVB_POST_NO_PORT,
	HVB_POST_REFUSED,
};

/* These need no lock. status: of the hypercall. */
enum hvb_post_result hvb_core_post_result(const void *message, size_t size, u16 status);
size_t hvb_core_crash_unload(void *message, size_t size);
bool hvb_core_is_unload_response(const void *message, size_t size);

/* The C side: called by hvb_core_run_events(), so with hvb_lock held. */
void hvb_event_request_done(void *request, bool ok, enum hvb_error error, u32 host_status);
void hvb_event_channel_offered(void *channel);
void hvb_event_channel_rescinded(void *channel);
void hvb_event_channel_reattached(void *channel);
void hvb_event_channel_freed(void *channel);
void hvb_event_gpadl_released(void *gpadl);

/*
 * The rings. One producer and one consumer at a time each. memory: the control
 * page and the data once; the data is mapped a second time behind it.
 */
enum hvb_error hvb_core_writer_init(struct hvb_core_writer *writer, void *memory, size_t size);

struct hvb_packet {
	u16 type;
	u16 flags;
	const void *extra;	/* between descriptor and payload */
	size_t extra_size;
	const void *payload;
	size_t payload_size;
};

/* Copies the packet behind the last one; the host does not see it before hvb_core_publish(). */
HV_HOT enum hvb_error hvb_core_stage(struct hvb_core_writer *writer,
				     const struct hvb_packet *packet);
/* Writes the id into the staged packet and publishes it: true when the host has to be signalled. */
HV_HOT bool hvb_core_publish(struct hvb_core_writer *writer, u64 transaction_id);
void hvb_core_unstage(struct hvb_core_writer *writer);

enum hvb_error hvb_core_reader_init(struct hvb_core_reader *reader, void *memory, size_t size);
/*
 * Copies the next packet into buffer, its descriptor first, and stays before it.
 * The descriptor's lengths are those of the copy.
 */
HV_HOT enum hvb_error hvb_core_peek(struct hvb_core_reader *reader, void *buffer, size_t size);
/* Steps over what was peeked. */
HV_HOT void hvb_core_step(struct hvb_core_reader *reader);
/* Gives the host the room of all that was stepped over: true when it has to be signalled. */
HV_HOT bool hvb_core_give_back(struct hvb_core_reader *reader);

/*
 * Chooses the versions of an integration service and writes the answer over the offer, which is
 * body: what is behind the message's header. framework and service may be NULL. Needs no lock.
 */
bool hvb_core_negotiate(void *body, size_t size, const int *frameworks, int framework_count,
			const int *services, int service_count, int *framework, int *service);

#ifdef __cplusplus
}
#endif

#endif
