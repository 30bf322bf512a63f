/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef HV_BENCH_PLAIN_RING_H
#define HV_BENCH_PLAIN_RING_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * What our ring is measured against: the published protocol in plain C, by people who trust their
 * peer. It copies, minds the wrap, orders its stores and decides about signals, and checks nothing
 * but that there is room, or a packet. Not for use.
 */
struct plain_ring {
  volatile uint32_t* control; /* write index, read index, interrupt mask, pending send size */
  unsigned char* data;
  uint32_t size;
  uint32_t at; /* our index: behind what is staged, or read */
};

struct plain_packet {
  uint16_t type;
  uint16_t data_offset8;
  uint16_t length8;
  uint16_t flags;
  uint64_t transaction_id;
};

/* `memory`: the control page and the data behind it. */
void plain_ring_init(struct plain_ring* ring, void* memory, size_t bytes);

/* Stages a packet. 0: no room. */
int plain_ring_stage(struct plain_ring* ring, uint16_t type, uint16_t flags, uint64_t id,
                     const void* payload, uint32_t length);
/* Shows what is staged. Not 0: the reader has to be signalled. */
int plain_ring_publish(struct plain_ring* ring);

/*
 * Copies the next packet's descriptor, and what is behind it. Bytes of the latter, or -1: there is
 * none.
 */
long plain_ring_read(struct plain_ring* ring, struct plain_packet* packet, void* buffer);
/* Gives back the room of what was read. Not 0: the writer has to be signalled. */
int plain_ring_give_back(struct plain_ring* ring);

#ifdef __cplusplus
}
#endif

#endif /* HV_BENCH_PLAIN_RING_H */
