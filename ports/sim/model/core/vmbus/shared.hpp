// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

// Stands in for core/vmbus/shared.hpp when the ring is compiled for the model checker: the same
// functions, but each access is a step of the checker. A function that the ring uses and this file
// lacks does not compile: so code and model stay together.

#include <cstddef>
#include <cstdint>

namespace hv::sim::model {
enum class Order { Relaxed, Acquire, Ordered };
uint32_t load(const uint32_t& word, Order order);
void store(uint32_t& word, uint32_t value, Order order);
void data_read(const void* at, size_t length);
void data_write(const void* at, size_t length);
}  // namespace hv::sim::model

namespace hv::vmbus::shared {

namespace model = hv::sim::model;

inline uint32_t load_acquire(const uint32_t& word) {
  return model::load(word, model::Order::Acquire);
}
inline uint32_t load_ordered(const uint32_t& word) {
  return model::load(word, model::Order::Ordered);
}
inline void store_ordered(uint32_t& word, uint32_t value) {
  model::store(word, value, model::Order::Ordered);
}
inline void store_relaxed(uint32_t& word, uint32_t value) {
  model::store(word, value, model::Order::Relaxed);
}

inline uint64_t read8(const std::byte* from) {
  model::data_read(from, 8);
  uint64_t value;
  __builtin_memcpy(&value, from, 8);
  return value;
}
inline void write8(std::byte* to, uint64_t value) {
  model::data_write(to, 8);
  __builtin_memcpy(to, &value, 8);
}
inline void copy_out(std::byte* to, const std::byte* from, size_t length) {
  model::data_read(from, length);
  __builtin_memcpy(to, from, length);
}
inline void copy_in(std::byte* to, const std::byte* from, size_t length) {
  if (length == 0) return;
  model::data_write(to, length);
  __builtin_memcpy(to, from, length);
}

}  // namespace hv::vmbus::shared
