/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef HV_CORE_STORVSC_H
#define HV_CORE_STORVSC_H

/*
 * The storvsc machine for ports written in C: plain types, the caller's memory, no calls back.
 * machine.hpp and handshake.hpp say what each part means; functions return enum hv_status unless
 * they say otherwise.
 */
#include "core/port.h"
#include "core/vmbus/vmbus.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HV_STORVSC_PACKET_SIZE 64
#define HV_STORVSC_CDB_SIZE 16
#define HV_STORVSC_CONTROL_SLOTS 3
#define HV_STORVSC_ANSWER_SECONDS 180
#define HV_STORVSC_REQUEST_SECONDS 180

/* Versions, as the wire has them; to be compared. */
#define HV_STORVSC_WIN7 0x0402
#define HV_STORVSC_WIN8 0x0501
#define HV_STORVSC_WIN8_1 0x0600
#define HV_STORVSC_WIN10 0x0602

/* Storage for the objects of the machine. */
struct hv_storvsc {
	uint64_t opaque[8];
};

struct hv_storvsc_channel {
	uint64_t opaque[64];
};

struct hv_storvsc_handshake {
	uint64_t opaque[8];
};

/* One per request that may be in flight, and HV_STORVSC_CONTROL_SLOTS more; zeroed. */
struct hv_storvsc_slot {
	uint32_t opaque;
};

enum hv_storvsc_control {
	HV_STORVSC_DIALOGUE = 0,
	HV_STORVSC_RESET = 1,
	HV_STORVSC_RECOGNITION = 2,
};

int hv_storvsc_create(struct hv_storvsc *machine, struct hv_storvsc_slot *slots, size_t count);
int hv_storvsc_channel_create(struct hv_storvsc_channel *channel,
			      const struct hv_port_rings *rings);

/* --- opening a controller: one caller --- */

struct hv_storvsc_properties {
	uint16_t version; /* HV_STORVSC_WIN... */
	uint16_t sub_channels;
	uint32_t max_transfer; /* bytes, a multiple of 4096 */
	uint64_t node_name;
	uint64_t port_name;
};

int hv_storvsc_handshake_create(struct hv_storvsc_handshake *handshake, int fibre_channel,
				uint16_t sub_channels);
/* Stages the next packet of the dialogue, to be published. */
int hv_storvsc_handshake_send(const struct hv_storvsc_handshake *handshake,
			      struct hv_storvsc *machine, struct hv_storvsc_channel *channel);
/* Takes the bytes of the answer. */
int hv_storvsc_handshake_answer(struct hv_storvsc_handshake *handshake, const void *packet,
				size_t length);
int hv_storvsc_handshake_done(const struct hv_storvsc_handshake *handshake);
/* Not 0 when the packet sent next asks for sub-channels: from then on the host may offer them. */
int hv_storvsc_handshake_at_sub_channels(const struct hv_storvsc_handshake *handshake);
/* What was found out; also has the machine speak the version that was. */
void hv_storvsc_adopt(struct hv_storvsc *machine, const struct hv_storvsc_handshake *handshake,
		      struct hv_storvsc_properties *properties);

/* --- sending: one caller per channel at a time --- */

enum hv_storvsc_direction { HV_STORVSC_WRITE = 0, HV_STORVSC_READ = 1, HV_STORVSC_NO_DATA = 2 };

struct hv_storvsc_request {
	const uint8_t *cdb;
	uint8_t cdb_length;
	uint8_t direction;
	uint8_t tagged;
	uint8_t port;
	uint8_t path;
	uint8_t target;
	uint8_t lun;
	uint32_t length; /* bytes to move */
	/*
	 * length != 0: HV_STORVSC_RANGE_WORDS words for the machine, then frame_count page frame
	 * numbers (of 4096 bytes). The bytes begin `offset` into the first frame. Copied before the
	 * call returns.
	 */
	uint64_t *range;
	uint32_t frame_count;
	uint32_t offset;
};

#define HV_STORVSC_RANGE_WORDS 2

/*
 * Stages a request under `slot`. After an error nothing is left behind. HV_RING_FULL: publish, and
 * try again later.
 */
HV_HOT int hv_storvsc_submit(struct hv_storvsc *machine, struct hv_storvsc_channel *channel,
			     size_t slot, const struct hv_storvsc_request *request);
/* Stages a bus reset, answered in the control slot HV_STORVSC_RESET. */
int hv_storvsc_submit_reset(struct hv_storvsc *machine, struct hv_storvsc_channel *channel,
			    uint8_t path);
/* Shows the host what is staged. Returns enum hv_signal. */
HV_HOT int hv_storvsc_publish(struct hv_storvsc_channel *channel);

/* --- receiving: one caller per channel at a time --- */

enum hv_storvsc_event_kind {
	HV_STORVSC_COMPLETED = 0,	/* slot, completion */
	HV_STORVSC_ANSWERED = 1,	/* slot (a control slot), packet */
	HV_STORVSC_DEVICES_CHANGED = 2,
	HV_STORVSC_NAMES_CHANGED = 3,	/* node_name, port_name */
	HV_STORVSC_IGNORED = 4,
};

struct hv_storvsc_completion {
	uint8_t intelligible;
	uint8_t srb_code;
	uint8_t scsi_status;
	uint8_t sense_length;
	uint32_t nt_status;
	uint32_t moved;
	const uint8_t *sense; /* in the channel, until its next hv_storvsc_receive */
};

struct hv_storvsc_event {
	uint32_t kind;
	uint32_t slot;
	struct hv_storvsc_completion completion;
	const void *packet; /* in the channel, until its next hv_storvsc_receive */
	uint32_t packet_length;
	uint64_t node_name;
	uint64_t port_name;
};

/*
 * The next packet. HV_RING_EMPTY: none is left; HV_RING_CORRUPT: the channel is broken for good;
 * any other error: this packet was refused and no request is harmed, go on.
 */
HV_HOT int hv_storvsc_receive(struct hv_storvsc *machine, struct hv_storvsc_channel *channel,
			      struct hv_storvsc_event *event);
/* Gives the room of what was received back. Returns enum hv_signal. */
HV_HOT int hv_storvsc_give_back(struct hv_storvsc_channel *channel);

/* --- which disk it is --- */

enum hv_storvsc_identity {
	HV_STORVSC_SAME_DISK = 0,
	HV_STORVSC_OTHER_DISK = 1,
	HV_STORVSC_UNKNOWN_DISK = 2,
};

/* Compares two answers to INQUIRY for page 83h: see identity.hpp. Any context. */
enum hv_storvsc_identity hv_storvsc_compare_identity(const void *known, size_t known_length,
						     const void *now, size_t now_length);

/* What was known of a unit before its controller was lost: see recognition.hpp. */
struct hv_storvsc_known {
	uint8_t port;
	uint8_t path;
	uint8_t target;
	uint8_t lun;
	uint64_t bytes; /* 0: it is not asked for its size */
	const void *identity; /* outlives the recognition */
	size_t identity_length;
};

struct hv_storvsc_recognition {
	uint64_t opaque[8];
};

enum hv_storvsc_recognised {
	HV_STORVSC_RECOGNISED = 0,
	HV_STORVSC_CHANGED = 1,
	HV_STORVSC_ANOTHER = 2,
	HV_STORVSC_NOBODY = 3,
};

#define HV_STORVSC_RECOGNITION_BYTES 252

void hv_storvsc_recognition_create(struct hv_storvsc_recognition *recognition,
				   const struct hv_storvsc_known *known);
/* Not 0: hv_storvsc_recognition_verdict() is what was found out. */
int hv_storvsc_recognition_done(const struct hv_storvsc_recognition *recognition);
enum hv_storvsc_recognised
hv_storvsc_recognition_verdict(const struct hv_storvsc_recognition *recognition);
/*
 * Stages the next command, answered in the control slot HV_STORVSC_RECOGNITION. Its bytes go to the
 * HV_STORVSC_RECOGNITION_BYTES at the start of page `frame`. `range`: HV_STORVSC_RANGE_WORDS words
 * and one more.
 */
int hv_storvsc_recognition_send(const struct hv_storvsc_recognition *recognition,
				struct hv_storvsc *machine, struct hv_storvsc_channel *channel,
				uint64_t frame, uint64_t *range);
/* Takes the bytes of the answer, and what the page holds now. */
void hv_storvsc_recognition_answer(struct hv_storvsc_recognition *recognition, const void *packet,
				   size_t length, const void *page);

/* The life of a controller: how patient its disks are. */
void hv_storvsc_life_create(struct hv_life *life);

enum hv_storvsc_verdict {
	HV_STORVSC_DONE = 0,
	HV_STORVSC_REQUEUE = 1,
	HV_STORVSC_ERROR = 2,
	HV_STORVSC_NO_DEVICE = 3,
	HV_STORVSC_PASS_THROUGH = 4,
};

enum hv_storvsc_chore {
	HV_STORVSC_NOTHING = 0,
	HV_STORVSC_RESCAN_DEVICE = 1,
	HV_STORVSC_REMOVE_DEVICE = 2,
	HV_STORVSC_RESCAN_HOST = 3,
};

enum hv_storvsc_report { HV_STORVSC_QUIET = 0, HV_STORVSC_TROUBLE = 1, HV_STORVSC_DETAIL = 2 };

struct hv_storvsc_outcome {
	uint8_t verdict;
	uint8_t chore;
	uint8_t report;
	uint8_t scsi_status;
	uint32_t moved;
	const uint8_t *sense;
	uint32_t sense_length; /* 0 to 20 */
};

/* How a request that asked for `length` bytes and needs `least` of them has ended. Pure. */
HV_HOT void hv_storvsc_judge(uint8_t opcode, int fibre_channel, uint32_t length, uint32_t least,
			     const struct hv_storvsc_completion *completion,
			     struct hv_storvsc_outcome *outcome);

/* --- any time --- */

/*
 * Ends a request without the host; only when the host cannot reach its pages any more. HV_BAD_ID:
 * it has completed.
 */
int hv_storvsc_cancel(struct hv_storvsc *machine, size_t slot);
int hv_storvsc_alive(const struct hv_storvsc *machine, size_t slot);
size_t hv_storvsc_control_slot(const struct hv_storvsc *machine, enum hv_storvsc_control control);
/* SCSI commands that the host has. Looks at every slot: for waiting alone. */
size_t hv_storvsc_in_flight(const struct hv_storvsc *machine);

#ifdef __cplusplus
}
#endif

#endif /* HV_CORE_STORVSC_H */
