// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <cstddef>
#include <cstdint>

/// The only ways in which the ring touches memory that the peer may change. Everything else works
/// on private copies.
///
/// With HV_SHARED_HOOK defined (fuzz builds) each read first calls `hv_shared_hook`, which may
/// change the bytes: code that reads a shared byte twice and believes both answers then shows it.
#ifdef HV_SHARED_HOOK
extern "C" void hv_shared_hook(const void* address, size_t length);
#define HV_SHARED_BEFORE_READ(address, length) hv_shared_hook((address), (length))
#else
#define HV_SHARED_BEFORE_READ(address, length) ((void)0)
#endif

namespace hv::vmbus::shared {

/// Before data is looked at that the peer published by this word, or room is used that it gave back
/// by it.
inline uint32_t load_acquire(const uint32_t& word) {
  HV_SHARED_BEFORE_READ(&word, sizeof(word));
  return __atomic_load_n(&word, __ATOMIC_ACQUIRE);
}

/// Behind a `store_ordered` of another word: the pair decides who has to wake whom, so neither may
/// pass the other.
inline uint32_t load_ordered(const uint32_t& word) {
  HV_SHARED_BEFORE_READ(&word, sizeof(word));
  return __atomic_load_n(&word, __ATOMIC_SEQ_CST);
}

inline void store_ordered(uint32_t& word, uint32_t value) {
  __atomic_store_n(&word, value, __ATOMIC_SEQ_CST);
}

/// For words whose late arrival costs the peer a needless signal and nothing else.
inline void store_relaxed(uint32_t& word, uint32_t value) {
  __atomic_store_n(&word, value, __ATOMIC_RELAXED);
}

/// Eight bytes of ring data, aligned to 8, in one read.
inline uint64_t read8(const std::byte* from) {
  HV_SHARED_BEFORE_READ(from, 8);
  uint64_t value;
  __builtin_memcpy(&value, __builtin_assume_aligned(from, 8), 8);
  // The compiler must not read the word again when it runs short of registers.
  __asm__("" : "+r"(value));
  return value;
}

/// The same where it may lie anywhere; two words of four bytes, each read once.
inline uint64_t read8_anywhere(const std::byte* from) {
  HV_SHARED_BEFORE_READ(from, 8);
  uint64_t value;
  __builtin_memcpy(&value, from, 8);
  __asm__("" : "+r"(value));
  return value;
}

inline void write8(std::byte* to, uint64_t value) {
  __builtin_memcpy(__builtin_assume_aligned(to, 8), &value, 8);
}

/// Two blocks. They overlap when `length` is less than both together: what is read twice is kept as
/// it was read last, so `to` has one value of each byte.
template <size_t block>
inline void copy_ends(std::byte* to, const std::byte* from, size_t length) {
  __builtin_memcpy(to, from, block);
  __builtin_memcpy(to + length - block, from + length - block, block);
}

/// memcpy. Most packets are so short that the call would cost as much as the rest of them.
[[gnu::always_inline]] inline void copy(std::byte* to, const std::byte* from, size_t length) {
  if (length > 64) {
    // gcc knows that some callers have less than that there, and would warn of what they never do.
    __asm__("" : "+r"(from));
    __builtin_memcpy(to, from, length);
  } else if (length > 32) {
    copy_ends<32>(to, from, length);
  } else if (length > 16) {
    copy_ends<16>(to, from, length);
  } else if (length >= 8) {
    copy_ends<8>(to, from, length);
  } else if (length != 0) {
    __builtin_memcpy(to, from, length);
  }
}

inline void copy_out(std::byte* to, const std::byte* from, size_t length) {
  HV_SHARED_BEFORE_READ(from, length);
  copy(to, from, length);
  // Who looks at the copy gets the copy: a compiler that sees both might read what is shared again.
  __asm__ volatile("" : : "r"(to) : "memory");
}

inline void copy_in(std::byte* to, const std::byte* from, size_t length) { copy(to, from, length); }

}  // namespace hv::vmbus::shared
