/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef HV_CORE_NETVSC_H
#define HV_CORE_NETVSC_H

/*
 * The netvsc machines for ports written in C: plain types, the caller's memory, no calls back. The
 * headers of the machines say what each part means; functions return enum hv_status unless they say
 * otherwise.
 */
#include "core/port.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HV_NETVSC_ANSWER_SECONDS 30
#define HV_NETVSC_DRAIN_SECONDS 10
#define HV_NETVSC_PIGGYBACK_MS 20
#define HV_NETVSC_MOST_QUEUES 64
/* Bytes of the largest packet in an incoming ring, its descriptor not counted. */
#define HV_NETVSC_MOST_PACKET 4760
#define HV_NETVSC_MOST_CONTROL 2048
#define HV_NETVSC_HEADER_ROOM 128
#define HV_NETVSC_MOST_PAGES 32
#define HV_NETVSC_RSS_KEY 40
#define HV_NETVSC_RSS_ENTRIES 256
#define HV_NETVSC_SEND_TABLE 16
#define HV_NETVSC_LEAST_MTU 68
#define HV_NETVSC_MOST_MTU 65521

/* Versions, as the wire has them; to be compared. */
#define HV_NETVSC_V2 0x30002
#define HV_NETVSC_V4 0x40000
#define HV_NETVSC_V5 0x50000
#define HV_NETVSC_V6_1 0x60001

/* Storage for the objects of the machines. */
struct hv_netvsc_opening {
	uint64_t opaque[12];
};

struct hv_netvsc_discovery {
	uint64_t opaque[16];
};

struct hv_netvsc_conversation {
	uint64_t opaque[160];
};

struct hv_netvsc_queue {
	uint64_t opaque[2880];
};

struct hv_netvsc_function {
	uint64_t opaque[6];
};

struct hv_netvsc_stall {
	uint64_t opaque[3];
};

/* --- a queue that is stopped: one caller --- */

void hv_netvsc_stall_create(struct hv_netvsc_stall *stall);
/*
 * The stop that was counted as `stops` goes on. Not 0: the host has lost its completions, the
 * adapter is to be opened anew. now: milliseconds of a clock that does not go back; to be asked
 * half a second apart.
 */
int hv_netvsc_stalled(struct hv_netvsc_stall *stall, uint32_t stops, uint64_t now);

/* --- one channel --- */

struct hv_netvsc_plan {
	uint16_t sections; /* at most so many sections of the send buffer are used at once */
	uint16_t pages;	   /* frames in pages that may be in flight */
};

/* Bytes of memory that a queue of this plan needs. */
size_t hv_netvsc_queue_bytes(const struct hv_netvsc_plan *plan);
/*
 * `memory`: zeroed, aligned to 8; it and `queue` stay where they are until the channel is closed.
 */
int hv_netvsc_queue_create(struct hv_netvsc_queue *queue, void *memory, size_t bytes,
			   const struct hv_netvsc_plan *plan, const struct hv_port_rings *rings,
			   int primary);

/* --- opening an adapter: one caller; the primary channel's lock around what takes a queue --- */

struct hv_netvsc_wishes {
	uint32_t mtu;
	uint8_t virtual_function;
	uint8_t isolated;
};

enum hv_netvsc_opening_state {
	HV_NETVSC_AT_VERSION = 0,
	HV_NETVSC_AT_CONFIG = 1,
	HV_NETVSC_AT_NDIS_VERSION = 2,
	HV_NETVSC_AT_RECEIVE_BUFFER = 3, /* first give a buffer */
	HV_NETVSC_AT_SEND_BUFFER = 4,	 /* first give a buffer, or skip */
	HV_NETVSC_OPENED = 5,
	HV_NETVSC_FAILED = 6,
};

struct hv_netvsc_opened {
	uint32_t version;
	uint32_t most_receive_buffer; /* bytes; valid from HV_NETVSC_AT_RECEIVE_BUFFER on */
	uint32_t receive_section_size;
	uint32_t receive_sections;
	uint32_t send_section_size;
	uint32_t send_sections; /* 0: no send buffer */
};

void hv_netvsc_opening_create(struct hv_netvsc_opening *opening,
			      const struct hv_netvsc_wishes *wishes);
int hv_netvsc_opening_state(const struct hv_netvsc_opening *opening);
int hv_netvsc_opening_give(struct hv_netvsc_opening *opening, uint32_t gpadl, uint32_t bytes);
int hv_netvsc_opening_skip(struct hv_netvsc_opening *opening);
/*
 * Stages the next message, to be published. `*answered`: not 0 when its answer is to be awaited and
 * given to the next.
 */
int hv_netvsc_opening_send(struct hv_netvsc_opening *opening, struct hv_netvsc_queue *queue,
			   int *answered);
int hv_netvsc_opening_answer(struct hv_netvsc_opening *opening, const void *answer, size_t length);
void hv_netvsc_opening_result(const struct hv_netvsc_opening *opening,
			      struct hv_netvsc_opened *opened);

/*
 * Asks for more channels; the answer, and how many will come of those asked for (negative: enum
 * hv_status).
 */
int hv_netvsc_send_sub_channels(struct hv_netvsc_queue *queue, uint32_t count);
int hv_netvsc_sub_channels_granted(const void *answer, size_t length, uint32_t asked);
/* Takes the buffers away from the host; no answer. */
int hv_netvsc_send_revoke_receive(struct hv_netvsc_queue *queue);
int hv_netvsc_send_revoke_send(struct hv_netvsc_queue *queue);

/*
 * --- RNDIS requests: one caller; `page` is at most HV_NETVSC_MOST_CONTROL bytes in one page,
 * shared with the host ---
 */

struct hv_netvsc_capabilities {
	uint8_t tcp4_checksum;
	uint8_t udp4_checksum;
	uint8_t tcp6_checksum;
	uint8_t udp6_checksum;
	uint8_t rsc;
	uint32_t large_send4; /* bytes; 0: none */
	uint32_t large_send6;
};

struct hv_netvsc_facts {
	uint32_t max_packets; /* of a message to the host */
	uint32_t max_transfer;
	uint32_t alignment;
	uint32_t most_mtu;
	uint32_t link_speed; /* units of 100 bit/s; 0: not known */
	uint32_t rss_queues;
	uint16_t rss_entries; /* 0: no RSS */
	uint8_t link_up;
	uint8_t mac[6];
	struct hv_netvsc_capabilities capabilities;
};

void hv_netvsc_conversation_create(struct hv_netvsc_conversation *conversation);
/* Not 0: the request was given up. 0: its answer is being taken this moment. */
int hv_netvsc_conversation_cancel(struct hv_netvsc_conversation *conversation);

void hv_netvsc_discovery_create(struct hv_netvsc_discovery *discovery,
				const struct hv_netvsc_opening *opening, int rsc);
int hv_netvsc_discovery_done(const struct hv_netvsc_discovery *discovery);
/* Writes a request; its bytes, or a negative status. */
int hv_netvsc_discovery_write(const struct hv_netvsc_discovery *discovery,
			      struct hv_netvsc_conversation *conversation, void *page, size_t room);
int hv_netvsc_discovery_answer(struct hv_netvsc_discovery *discovery,
			       const struct hv_netvsc_conversation *conversation);
void hv_netvsc_discovery_facts(const struct hv_netvsc_discovery *discovery,
			       struct hv_netvsc_facts *facts);
/* Queues that the adapter may have on a machine of so many CPUs, offline ones included. */
uint32_t hv_netvsc_queue_limit(const struct hv_netvsc_facts *facts, uint32_t cpus);

/*
 * Each writes a request and returns its bytes, or a negative status; the answer of all is judged by
 * hv_netvsc_set_done.
 */
int hv_netvsc_write_filter(struct hv_netvsc_conversation *conversation, void *page, size_t room,
			   uint32_t filter);
int hv_netvsc_write_mac(struct hv_netvsc_conversation *conversation, void *page, size_t room,
			const uint8_t mac[6]);
int hv_netvsc_write_offloads(struct hv_netvsc_conversation *conversation, void *page, size_t room,
			     uint32_t version, const struct hv_netvsc_capabilities *capabilities,
			     int rsc);
int hv_netvsc_write_rss(struct hv_netvsc_conversation *conversation, void *page, size_t room,
			const uint16_t *table, size_t entries, const uint8_t key[HV_NETVSC_RSS_KEY],
			int off);
int hv_netvsc_set_done(const struct hv_netvsc_conversation *conversation);
/* No answer comes for it. */
int hv_netvsc_write_halt(struct hv_netvsc_conversation *conversation, void *page, size_t room);
/* The answer to HV_NETVSC_TOLD_KEEP_ALIVE, whose value `id` is. No answer comes for it. */
int hv_netvsc_write_keep_alive_complete(void *page, size_t room, uint32_t id);

/* Packet filter: what frames the host passes on. */
#define HV_NETVSC_FILTER_DIRECTED 0x01
#define HV_NETVSC_FILTER_ALL_MULTICAST 0x04
#define HV_NETVSC_FILTER_BROADCAST 0x08
#define HV_NETVSC_FILTER_PROMISCUOUS 0x20

enum hv_netvsc_told_kind {
	HV_NETVSC_TOLD_NOTHING = 0,
	HV_NETVSC_TOLD_ANSWER = 1, /* the request is answered: wake who waits for it */
	HV_NETVSC_TOLD_LINK_UP = 2,
	HV_NETVSC_TOLD_LINK_DOWN = 3,
	HV_NETVSC_TOLD_NETWORK_CHANGED = 4,
	HV_NETVSC_TOLD_SPEED = 5, /* value: units of 100 bit/s */
	HV_NETVSC_TOLD_KEEP_ALIVE = 6, /* value: its id; to be answered */
	HV_NETVSC_TOLD_NONSENSE = 7,
};

/* A control message came (HV_NETVSC_CONTROL). Returns enum hv_netvsc_told_kind. */
int hv_netvsc_control(struct hv_netvsc_conversation *conversation, const void *bytes, size_t length,
		      uint32_t *value);

/* --- sending: one caller per channel at a time --- */

enum hv_netvsc_offload {
	HV_NETVSC_NO_OFFLOAD = 0,
	HV_NETVSC_CHECKSUM = 1,
	HV_NETVSC_LARGE_SEND = 2,
};

struct hv_netvsc_frame {
	uint32_t length;
	uint32_t hash;
	uint16_t transport_offset;
	uint16_t segment;
	uint16_t vlan;
	uint8_t offload;
	uint8_t ipv6;
	uint8_t udp;
	uint8_t tagged;
	uint8_t hashed;
};

/* What the stack has left undone in a frame: see share_out of offload.hpp. */
struct hv_netvsc_undone {
	uint32_t transport_offset;
	uint16_t segment; /* 0: the frame is whole */
	uint8_t sum;
	uint8_t ipv6;
	uint8_t protocol; /* of IP */
};

enum hv_netvsc_doer {
	HV_NETVSC_NOBODY = 0,
	HV_NETVSC_HOST = 1,
	HV_NETVSC_GUEST = 2,
	HV_NETVSC_NEITHER = 3,
};

/* Who does it; for the host it is said in `frame`. */
enum hv_netvsc_doer hv_netvsc_share_out(const struct hv_netvsc_capabilities *host,
					const struct hv_netvsc_undone *undone,
					struct hv_netvsc_frame *frame);

/*
 * Gives the channel its sections: `memory` is that of all sections, [first, first + count) are its
 * own. Before the first frame.
 */
int hv_netvsc_share_send(struct hv_netvsc_queue *queue, void *memory, uint32_t section_size,
			 uint32_t first, uint32_t count);
void hv_netvsc_adopt_limits(struct hv_netvsc_queue *queue, const struct hv_netvsc_facts *facts);

/*
 * The frame's bytes go to *place, before anything else is called. HV_BAD_LENGTH: it does not fit a
 * section; HV_EXHAUSTED: none is free.
 */
HV_HOT int hv_netvsc_copy(struct hv_netvsc_queue *queue, const struct hv_netvsc_frame *frame,
			  void **place);
/* A slot for a frame in pages, or HV_EXHAUSTED. */
HV_HOT int hv_netvsc_take_pages(struct hv_netvsc_queue *queue);
void hv_netvsc_drop_pages(struct hv_netvsc_queue *queue, uint32_t slot);
/* Which of the plan's pages a slot is: 0 to pages - 1. */
HV_HOT uint32_t hv_netvsc_page_index(const struct hv_netvsc_queue *queue, uint32_t slot);
/*
 * Where the frame lies, as the host sees it: its header, which is within one page of 4096 bytes,
 * then piece by piece its bytes. HV_BAD_LENGTH: in more than HV_NETVSC_MOST_PAGES pages, the
 * header's included.
 */
HV_HOT int hv_netvsc_list_header(struct hv_netvsc_queue *queue, const struct hv_netvsc_frame *frame,
				 uint64_t address);
HV_HOT int hv_netvsc_list_piece(struct hv_netvsc_queue *queue, uint64_t address, uint32_t length);
/*
 * Sends what is listed. `header`: where the header is to be, HV_NETVSC_HEADER_ROOM bytes.
 * HV_BAD_LENGTH: not all of the frame is listed.
 */
HV_HOT int hv_netvsc_send_pages(struct hv_netvsc_queue *queue, uint32_t slot,
				const struct hv_netvsc_frame *frame, void *header);
int hv_netvsc_send_control(struct hv_netvsc_queue *queue, uint64_t address, uint32_t length);
/*
 * Shows the host what is copied and what is staged; what finds no room stays for the next time.
 * Returns enum hv_signal.
 */
HV_HOT int hv_netvsc_publish(struct hv_netvsc_queue *queue);
/*
 * Ends a round of receiving, which is also a receiver's affair, so both must be held. `pay`:
 * completions that are owed are staged. Publishes all, unless completions wait for the next frame,
 * as they may if `may_wait`: then a timer of HV_NETVSC_PIGGYBACK_MS is to run, if it does not yet.
 * `again`: completions found no room.
 */
HV_HOT struct hv_round_end hv_netvsc_finish_round(struct hv_netvsc_queue *queue, int pay,
						  int may_wait);
/* That timer has run out. */
struct hv_round_end hv_netvsc_wait_expired(struct hv_netvsc_queue *queue);
/* 1: frames can be sent, and `percent` of the ring stays free; 0; or a negative status. */
HV_HOT int hv_netvsc_may_send(struct hv_netvsc_queue *queue, uint32_t percent);
/* Has the host signal when `percent` of the ring is free. 1: it is already. */
int hv_netvsc_await_room(struct hv_netvsc_queue *queue, uint32_t percent);

/* --- receiving: one caller per channel at a time --- */

enum hv_netvsc_event_kind {
	HV_NETVSC_FRAME = 0,
	HV_NETVSC_CONTROL = 1,
	HV_NETVSC_SENT = 2, /* slot, good; then hv_netvsc_release */
	HV_NETVSC_CONTROL_SENT = 3,
	HV_NETVSC_ANSWERED = 4, /* bytes, length */
	HV_NETVSC_SEND_TABLE_CAME = 5,
	HV_NETVSC_VF_ASSOCIATION = 6,
	HV_NETVSC_DROPPED = 7,
	HV_NETVSC_IGNORED = 8,
};

struct hv_netvsc_fragment {
	const void *data;
	uint32_t length;
};

/* Of hv_netvsc_event.checksum. */
#define HV_NETVSC_TCP_GOOD 0x08
#define HV_NETVSC_UDP_GOOD 0x10

struct hv_netvsc_event {
	uint8_t kind;
	uint8_t good;
	uint8_t pages; /* SENT: a frame in pages, whose memory the port held */
	uint8_t has_checksum;
	uint8_t has_vlan;
	uint8_t has_hash;
	uint8_t sum_header; /* the IPv4 header's checksum is stale: put the right one in */
	uint8_t joined; /* the host has joined it of segments: see hv_netvsc_describe_joined */
	uint8_t vf_allocated;
	uint16_t vlan;
	uint16_t slot;
	uint32_t checksum;
	uint32_t hash;
	uint32_t length; /* of the frame, or of bytes */
	uint32_t fragment_count;
	uint32_t vf_serial;
	const struct hv_netvsc_fragment *fragments;
	const void *bytes;
	const uint32_t *table; /* HV_NETVSC_SEND_TABLE entries, each below HV_NETVSC_MOST_QUEUES */
};

/* The receive buffer that transfer-page packets name, and the version that was agreed on. */
void hv_netvsc_share_receive(struct hv_netvsc_queue *queue, const void *memory, size_t bytes,
			     uint32_t version);
/*
 * The next event; what it views lasts until the next call. HV_RING_EMPTY: none is left;
 * HV_RING_CORRUPT: the channel is broken for good; HV_EXHAUSTED: pay completions first; any other
 * error: this packet was refused, go on.
 */
HV_HOT int hv_netvsc_next(struct hv_netvsc_queue *queue, struct hv_netvsc_event *event);
/* Not 0 when completions are owed. */
int hv_netvsc_owes(struct hv_netvsc_queue *queue);
/* Gives the slot of an event HV_NETVSC_SENT back. */
HV_HOT void hv_netvsc_release(struct hv_netvsc_queue *queue, uint32_t slot);

/* How a stack may cut a joined frame again: see JoinedFrame of joined.hpp. */
struct hv_netvsc_joined {
	uint16_t transport_offset;
	uint16_t segment;
	uint16_t segments;
	uint16_t pseudo_sum; /* a number: it is written big-endian */
	uint8_t ipv6;
	uint8_t congestion;
};

/* `front`: how the frame begins, HV_NETVSC_JOINED_FRONT bytes or all of it, a private copy. */
#define HV_NETVSC_JOINED_FRONT 134
/* `parts`: its fragments. HV_OK, or why it cannot be described: it is left as it is. */
HV_HOT int hv_netvsc_describe_joined(const void *front, size_t size, uint32_t length,
				     uint32_t parts, uint32_t mtu,
				     struct hv_netvsc_joined *joined);
/* Gives the room of what was received back. Returns enum hv_signal. */
HV_HOT int hv_netvsc_give_back(struct hv_netvsc_queue *queue);
HV_HOT void hv_netvsc_mask(struct hv_netvsc_queue *queue);
/*
 * The receiver may be another caller's by then, so the first of them is asked while it is still
 * one's own. 1: something came meanwhile, and no signal will tell of it; 0.
 */
HV_HOT uint32_t hv_netvsc_position(const struct hv_netvsc_queue *queue);
HV_HOT int hv_netvsc_unmask_behind(const struct hv_netvsc_queue *queue, uint32_t position);

/* --- the virtual function: one caller but where it says otherwise (virtual_function.hpp) --- */

struct hv_netvsc_candidate {
	uint8_t permanent[6]; /* zeros: not known */
	uint8_t address[6]; /* as it is now */
	uint32_t serial;
	uint8_t has_serial;
	uint8_t stand_in;
};

enum hv_netvsc_match {
	HV_NETVSC_NO_MATCH = 0,
	HV_NETVSC_ADDRESS_MATCHES = 1,
	HV_NETVSC_SERIAL_MATCHES = 2,
};

void hv_netvsc_function_create(struct hv_netvsc_function *function);
/* The adapter's own address, without which nothing matches. */
void hv_netvsc_function_adopt(struct hv_netvsc_function *function, const uint8_t permanent[6]);
/* Returns enum hv_netvsc_match. */
int hv_netvsc_function_match(const struct hv_netvsc_function *function,
			     const struct hv_netvsc_candidate *candidate);
void hv_netvsc_function_opened(struct hv_netvsc_function *function, uint32_t version, int isolated);
void hv_netvsc_function_closed(struct hv_netvsc_function *function);
void hv_netvsc_function_forget(struct hv_netvsc_function *function);
/* HV_NETVSC_VF_ASSOCIATION came. At any time. */
void hv_netvsc_function_associated(struct hv_netvsc_function *function, int allocated,
				   uint32_t serial);
void hv_netvsc_function_joined(struct hv_netvsc_function *function);
void hv_netvsc_function_left(struct hv_netvsc_function *function);
void hv_netvsc_function_up(struct hv_netvsc_function *function);
void hv_netvsc_function_down(struct hv_netvsc_function *function);
/*
 * Stages the message that the host is to have now, under the primary channel's lock. 1: publish it,
 * await its answer, and say so by one of the next two; 0: there is none; or a negative status: it
 * could not be sent, to be tried again.
 */
int hv_netvsc_function_begin(struct hv_netvsc_function *function, struct hv_netvsc_queue *queue);
void hv_netvsc_function_answered(struct hv_netvsc_function *function);
void hv_netvsc_function_unanswered(struct hv_netvsc_function *function);
/* Not 0: a frame may be sent by the function. At any time. */
int hv_netvsc_function_carries(const struct hv_netvsc_function *function);
int hv_netvsc_function_allocated(const struct hv_netvsc_function *function);
uint32_t hv_netvsc_function_serial(const struct hv_netvsc_function *function);

/* --- any time --- */

int hv_netvsc_cancel(struct hv_netvsc_queue *queue, uint32_t slot);
int hv_netvsc_alive(const struct hv_netvsc_queue *queue, uint32_t slot);
uint32_t hv_netvsc_setup_slot(const struct hv_netvsc_queue *queue);
uint32_t hv_netvsc_control_slot(const struct hv_netvsc_queue *queue);
uint32_t hv_netvsc_first_pages_slot(const struct hv_netvsc_queue *queue);
size_t hv_netvsc_in_flight(const struct hv_netvsc_queue *queue);

#ifdef __cplusplus
}
#endif

#endif /* HV_CORE_NETVSC_H */
