/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef HV_BENCH_PLAIN_RING_H
#define HV_BENCH_PLAIN_RING_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * What our ring is measured against: the published protocol in plain C, as fast as we know to write
 * it, by people who trust their peer. It copies, orders its stores and decides about signals, and
 * checks nothing but that there is room, or a packet. Not for use.
 */
struct plain_ring {
  uint32_t* control; /* write index, read index, interrupt mask, pending send size */
  unsigned char* data;
  uint32_t size;
  uint32_t at;        /* our index: behind what is staged, or read */
  uint32_t published; /* our index as the peer sees it */
  uint32_t peer;      /* the peer's index when we last looked */
};

/* `memory`: the control page and the data behind it, which is mapped a second time behind that. */
void plain_ring_init(struct plain_ring* ring, void* memory, size_t bytes);

/*
 * Writes `count` packets of `length` bytes at `payload`, and reads them back into `buffer`: so many
 * as `batch` says are published, and given back, at once. The loop stands beside the ring, so that
 * the compiler makes one of both. 0: a packet found no room, or was not there.
 */
int plain_ring_through(struct plain_ring* writer, struct plain_ring* reader, uint16_t type,
                       const void* payload, uint32_t length, void* buffer, unsigned count,
                       unsigned batch);

#ifdef __cplusplus
}
#endif

#endif /* HV_BENCH_PLAIN_RING_H */
