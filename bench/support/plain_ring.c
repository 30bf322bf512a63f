// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "bench/support/plain_ring.h"

#include <string.h>

enum { WRITE_INDEX, READ_INDEX, INTERRUPT_MASK, PENDING_SEND_SIZE };
enum { PAGE = 4096, TRAILER = 8 };

static uint32_t used(uint32_t write, uint32_t read, uint32_t size) {
  return write >= read ? write - read : write + size - read;
}

static uint32_t put(struct plain_ring* ring, uint32_t at, const void* from, uint32_t length) {
  const uint32_t to_end = ring->size - at;
  if (length > to_end) {
    memcpy(ring->data + at, from, to_end);
    memcpy(ring->data, (const unsigned char*)from + to_end, length - to_end);
  } else {
    memcpy(ring->data + at, from, length);
  }
  at += length;
  return at >= ring->size ? at - ring->size : at;
}

static uint32_t get(const struct plain_ring* ring, uint32_t at, void* to, uint32_t length) {
  const uint32_t to_end = ring->size - at;
  if (length > to_end) {
    memcpy(to, ring->data + at, to_end);
    memcpy((unsigned char*)to + to_end, ring->data, length - to_end);
  } else {
    memcpy(to, ring->data + at, length);
  }
  at += length;
  return at >= ring->size ? at - ring->size : at;
}

void plain_ring_init(struct plain_ring* ring, void* memory, size_t bytes) {
  ring->control = memory;
  ring->data = (unsigned char*)memory + PAGE;
  ring->size = (uint32_t)(bytes - PAGE);
  ring->at = 0;
}

int plain_ring_stage(struct plain_ring* ring, uint16_t type, uint16_t flags, uint64_t id,
                     const void* payload, uint32_t length) {
  const uint32_t padded = (length + 7) & ~7u;
  const uint32_t total = (uint32_t)sizeof(struct plain_packet) + padded + TRAILER;
  const struct plain_packet packet = {type, sizeof(packet) / 8,
                                      (uint16_t)((sizeof(packet) + padded) / 8), flags, id};
  const uint64_t trailer = (uint64_t)ring->at << 32;
  const uint64_t zeros = 0;
  uint32_t at = ring->at;

  // A full ring would look like an empty one.
  if (ring->size - used(at, ring->control[READ_INDEX], ring->size) <= total) return 0;
  at = put(ring, at, &packet, sizeof(packet));
  at = put(ring, at, payload, length);
  if (padded != length) at = put(ring, at, &zeros, padded - length);
  ring->at = put(ring, at, &trailer, sizeof(trailer));
  return 1;
}

int plain_ring_publish(struct plain_ring* ring) {
  const uint32_t before = ring->control[WRITE_INDEX];

  if (before == ring->at) return 0;
  __atomic_thread_fence(__ATOMIC_RELEASE);
  ring->control[WRITE_INDEX] = ring->at;
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
  if (ring->control[INTERRUPT_MASK]) return 0;
  return ring->control[READ_INDEX] == before;
}

long plain_ring_read(struct plain_ring* ring, struct plain_packet* packet, void* buffer) {
  uint32_t at = ring->at, body;

  if (at == ring->control[WRITE_INDEX]) return -1;
  __atomic_thread_fence(__ATOMIC_ACQUIRE);
  at = get(ring, at, packet, sizeof(*packet));
  body = packet->length8 * 8u - (uint32_t)sizeof(*packet);
  at = get(ring, at, buffer, body) + TRAILER;
  ring->at = at >= ring->size ? at - ring->size : at;
  return body;
}

int plain_ring_give_back(struct plain_ring* ring) {
  const uint32_t before = ring->control[READ_INDEX];
  uint32_t wish, write;

  if (before == ring->at) return 0;
  __atomic_thread_fence(__ATOMIC_RELEASE);
  ring->control[READ_INDEX] = ring->at;
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
  wish = ring->control[PENDING_SEND_SIZE];
  if (!wish) return 0;
  write = ring->control[WRITE_INDEX];
  return ring->size - used(write, before, ring->size) <= wish &&
         ring->size - used(write, ring->at, ring->size) > wish;
}
