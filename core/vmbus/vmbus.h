/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef HV_CORE_VMBUS_H
#define HV_CORE_VMBUS_H

/*
 * The bus for ports written in C: the connection to the host, the rings of a channel, the life of a
 * device. Plain types, the caller's memory, no calls back. connection.hpp, ring.hpp and
 * lifecycle.hpp say what each part means; functions return enum hv_status unless they say
 * otherwise.
 */
#include "core/port.h"

#ifdef __cplusplus
extern "C" {
#endif

/* "ring full" for HV_RING_FULL, and so on. Any context. */
const char *hv_status_name(int status);

/* Storage for the objects of the core. */
struct hv_vmbus {
	uint64_t opaque[2304];
};

struct hv_vmbus_channel {
	uint64_t opaque[96];
};

struct hv_vmbus_gpadl {
	uint64_t opaque[32];
};

struct hv_vmbus_request {
	uint64_t opaque[16];
};

/*
 * --- the connection: one caller at a time, hv_vmbus_next_event() included. Times are milliseconds.
 * `owner` is the port's own: events name an object by it. ---
 */

struct hv_vmbus_config {
	uint32_t max_version;
	uint32_t message_vp;
	uint8_t message_vtl;
	uint8_t isolated;
	/* What is taken in a confidential machine: GUIDs, which outlive the connection. */
	const void *safe_classes;
	size_t safe_class_count;
	uint64_t interrupt_page; /* guest-physical, as are the monitor pages */
	uint64_t monitor_page1;
	uint64_t monitor_page2;
	uint32_t modify_limit; /* of a wait for the answer to MODIFY; 0: as the core has it */
};

void hv_vmbus_create(struct hv_vmbus *bus, const struct hv_vmbus_config *config);
void hv_vmbus_destroy(struct hv_vmbus *bus);

/* A message of the host, in a private copy. */
int hv_vmbus_message(struct hv_vmbus *bus, const void *message, size_t size);
void hv_vmbus_expire(struct hv_vmbus *bus, uint64_t now);
/* When hv_vmbus_expire() is needed next; ~0: nothing has a time limit. */
uint64_t hv_vmbus_next_deadline(const struct hv_vmbus *bus);

struct hv_vmbus_post {
	uint32_t connection_id;
	uint32_t size;
	uint8_t bytes[240];
};

/* 0: nothing is to be posted, or one is under way: hv_vmbus_posted() ends it. */
int hv_vmbus_next_post(struct hv_vmbus *bus, struct hv_vmbus_post *post);
void hv_vmbus_posted(struct hv_vmbus *bus, int accepted);

enum hv_vmbus_event_kind {
	HV_VMBUS_REQUEST_DONE,		/* status, host_status */
	HV_VMBUS_CHANNEL_OFFERED,
	HV_VMBUS_CHANNEL_RESCINDED,
	HV_VMBUS_CHANNEL_REATTACHED,
	HV_VMBUS_CHANNEL_FREED,
	HV_VMBUS_GPADL_RELEASED,
};

struct hv_vmbus_event {
	uint32_t kind;
	int status;
	uint32_t host_status; /* when HV_REFUSED */
	void *owner;
};

/* 0: all that has happened was told. */
int hv_vmbus_next_event(struct hv_vmbus *bus, struct hv_vmbus_event *event);

struct hv_vmbus_violation {
	uint32_t type; /* of the message */
	uint32_t id;
	int why;
};

int hv_vmbus_next_violation(struct hv_vmbus *bus, struct hv_vmbus_violation *violation);

uint32_t hv_vmbus_version(const struct hv_vmbus *bus);
uint32_t hv_vmbus_connection_id(const struct hv_vmbus *bus);

/* Not 0 when the next offer would find no storage. */
int hv_vmbus_needs_storage(const struct hv_vmbus *bus);
void hv_vmbus_donate(struct hv_vmbus *bus, struct hv_vmbus_channel *channel, void *owner);
/* The owner of a piece of unused storage, or NULL. */
void *hv_vmbus_reclaim(struct hv_vmbus *bus);

int hv_vmbus_connect(struct hv_vmbus *bus, struct hv_vmbus_request *request, void *owner,
		     uint64_t now);
int hv_vmbus_request_offers(struct hv_vmbus *bus, struct hv_vmbus_request *request, void *owner,
			    uint64_t now);
int hv_vmbus_unload(struct hv_vmbus *bus, int keep, struct hv_vmbus_request *request, void *owner,
		    uint64_t now);
int hv_vmbus_resume(struct hv_vmbus *bus, struct hv_vmbus_request *request, void *owner,
		    uint64_t now);
int hv_vmbus_create_gpadl(struct hv_vmbus *bus, struct hv_vmbus_channel *channel,
			  struct hv_vmbus_gpadl *gpadl, void *gpadl_owner, const uint64_t *frames,
			  size_t count, uint32_t bytes, struct hv_vmbus_request *request,
			  void *owner, uint64_t now);
int hv_vmbus_teardown_gpadl(struct hv_vmbus *bus, struct hv_vmbus_gpadl *gpadl,
			    struct hv_vmbus_request *request, void *owner, uint64_t now);
/* Not 0: the host may use the memory. */
int hv_vmbus_gpadl_in_use(struct hv_vmbus *bus, struct hv_vmbus_gpadl *gpadl);
uint32_t hv_vmbus_gpadl_id(const struct hv_vmbus_gpadl *gpadl);
int hv_vmbus_open(struct hv_vmbus *bus, struct hv_vmbus_channel *channel,
		  struct hv_vmbus_gpadl *ring, uint32_t downstream_pages, uint32_t target_vp,
		  const void *user_data, size_t user_size, struct hv_vmbus_request *request,
		  void *owner, uint64_t now);
int hv_vmbus_close(struct hv_vmbus *bus, struct hv_vmbus_channel *channel);
int hv_vmbus_modify(struct hv_vmbus *bus, struct hv_vmbus_channel *channel, uint32_t target_vp,
		    struct hv_vmbus_request *request, void *owner, uint64_t now);
int hv_vmbus_release(struct hv_vmbus *bus, struct hv_vmbus_channel *channel);
int hv_vmbus_connect_service(struct hv_vmbus *bus, const uint8_t endpoint[16],
			     const uint8_t service[16]);
/* Writes the 188 bytes of the offer. */
void hv_vmbus_offer(const struct hv_vmbus_channel *channel, void *offer);
/* The owner of the primary of a sub-channel, else NULL. */
void *hv_vmbus_primary(const struct hv_vmbus_channel *channel);

/* What came of posting a message; see hv::vmbus::PostResult. */
enum hv_vmbus_post_result {
	HV_VMBUS_POSTED,
	HV_VMBUS_POST_AGAIN,
	HV_VMBUS_POST_NO_PORT,
	HV_VMBUS_POST_REFUSED,
};

/* These need no lock. status: of the hypercall. */
enum hv_vmbus_post_result hv_vmbus_post_result_of(const void *message, size_t size,
						  uint16_t status);
/* Bytes of the message that a dying kernel posts, once; 0: there is nobody to tell. */
size_t hv_vmbus_crash_unload(struct hv_vmbus *bus, void *message, size_t size);
int hv_vmbus_is_unload_response(const void *message, size_t size);

/*
 * --- the rings: one producer and one consumer at a time each. memory: the control page and the
 * data once; the data is mapped a second time behind it. Both begin empty. ---
 */

struct hv_vmbus_writer {
	uint64_t opaque[8];
};

struct hv_vmbus_reader {
	uint64_t opaque[16];
};

int hv_vmbus_writer_create(struct hv_vmbus_writer *writer, void *memory, size_t size);

struct hv_vmbus_packet {
	uint16_t type;
	uint16_t flags;
	const void *extra; /* between descriptor and payload */
	size_t extra_size;
	const void *payload;
	size_t payload_size;
};

/* A packet that was staged: its id is still to be set. Good until the next call. */
struct hv_vmbus_staged {
	void *opaque;
};

/* Copies the packet behind the last one; the host does not see it before hv_vmbus_publish(). */
HV_HOT int hv_vmbus_stage(struct hv_vmbus_writer *writer, const struct hv_vmbus_packet *packet,
			  struct hv_vmbus_staged *staged);
HV_HOT void hv_vmbus_set_id(const struct hv_vmbus_staged *staged, uint64_t transaction_id);
/* Shows the host what is staged. Returns enum hv_signal. */
HV_HOT int hv_vmbus_publish(struct hv_vmbus_writer *writer);
/* Forgets what is staged. */
void hv_vmbus_unstage(struct hv_vmbus_writer *writer);

int hv_vmbus_reader_create(struct hv_vmbus_reader *reader, void *memory, size_t size);
/*
 * Copies the next packet into buffer, its descriptor first, and stays before it. The descriptor's
 * lengths are those of the copy.
 */
HV_HOT int hv_vmbus_peek(struct hv_vmbus_reader *reader, void *buffer, size_t size);
/* Steps over what was peeked. */
HV_HOT void hv_vmbus_step(struct hv_vmbus_reader *reader);
/* Gives the host the room of all that was stepped over. Returns enum hv_signal. */
HV_HOT int hv_vmbus_give_back(struct hv_vmbus_reader *reader);

/*
 * --- the life of a device: lifecycle.hpp says what each part means. hv_life_broke(),
 * hv_life_broken(), hv_life_in_time() and hv_life_state() from any context at any time; all others
 * by one caller at a time. Times are milliseconds of a clock that does not go back. ---
 */

struct hv_life {
	uint64_t opaque[8];
};

enum hv_life_state {
	HV_LIFE_CLOSED,
	HV_LIFE_OPENING,
	HV_LIFE_RUNNING,
	HV_LIFE_BROKEN,
	HV_LIFE_WAITING,
	HV_LIFE_SUSPENDED,
	HV_LIFE_GONE,
};

#define HV_LIFE_NEVER 0xffffffffu

void hv_life_create(struct hv_life *life);
HV_HOT enum hv_life_state hv_life_state(const struct hv_life *life);
/* It is being opened. 0: it may not. */
int hv_life_open(struct hv_life *life, uint64_t now);
/* It works. 0: it was broken meanwhile, and is to be closed. */
int hv_life_opened(struct hv_life *life, uint64_t now);
/* It did not open, and nothing of it is open. */
void hv_life_failed(struct hv_life *life, uint64_t now, int let_go);
/* The host broke it. Not 0 for the first who says so: he sees to it that it is closed. */
int hv_life_broke(struct hv_life *life, uint64_t now);
/* Not 0: the host broke it since it was opened last. */
HV_HOT int hv_life_broken(const struct hv_life *life);
/* Not 0: it may still be waited for. */
int hv_life_in_time(const struct hv_life *life, uint64_t now);
/* It is closed, perhaps because it was broken. `let_go`: the host has no memory of it any more. */
void hv_life_closed(struct hv_life *life, uint64_t now, int let_go);
/* Milliseconds until hv_life_open() is to be called again; HV_LIFE_NEVER: it is not. */
uint32_t hv_life_due(const struct hv_life *life, uint64_t now);
void hv_life_suspended(struct hv_life *life);
void hv_life_leave(struct hv_life *life);

#ifdef __cplusplus
}
#endif

#endif /* HV_CORE_VMBUS_H */
