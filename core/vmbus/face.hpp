// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <type_traits>

#include "core/base/result.hpp"
#include "core/port.h"
#include "core/vmbus/endpoint.hpp"

/// What the C faces share: statuses (HV_*, core/port.h), and the C++ objects behind the C types.
namespace hv::face {

constexpr int status_of(Error error) { return -1 - static_cast<int>(error); }

static_assert(HV_TRUNCATED == status_of(Error::Truncated));
static_assert(HV_BAD_LENGTH == status_of(Error::BadLength));
static_assert(HV_BAD_VALUE == status_of(Error::BadValue));
static_assert(HV_BAD_ID == status_of(Error::BadId));
static_assert(HV_BAD_STATE == status_of(Error::BadState));
static_assert(HV_OVERFLOW == status_of(Error::Overflow));
static_assert(HV_RING_CORRUPT == status_of(Error::RingCorrupt));
static_assert(HV_RING_FULL == status_of(Error::RingFull));
static_assert(HV_RING_EMPTY == status_of(Error::RingEmpty));
static_assert(HV_EXHAUSTED == status_of(Error::Exhausted));
static_assert(HV_NO_MEMORY == status_of(Error::NoMemory));
static_assert(HV_NOT_SUPPORTED == status_of(Error::NotSupported));
static_assert(HV_REFUSED == status_of(Error::Refused));
static_assert(HV_TIMED_OUT == status_of(Error::TimedOut));
static_assert(HV_GONE == status_of(Error::Gone));

inline int status_of(const Result<void>& result) {
  return result ? HV_OK : status_of(result.error());
}

constexpr int signal_of(vmbus::Signal signal) {
  return signal == vmbus::Signal::Yes ? HV_SIGNAL : HV_NO_SIGNAL;
}

constexpr hv_round_end round_end_of(const vmbus::RoundEnd& end) {
  return {.signal = static_cast<uint8_t>(signal_of(end.signal)),
          .arm_timer = end.arm_timer,
          .again = end.again,
          .broken = end.broken};
}

/// The C++ object that lives in the caller's storage.
template <typename T, typename Storage>
T& object(Storage* storage) {
  static_assert(sizeof(T) <= sizeof(Storage) && alignof(T) <= alignof(Storage));
  static_assert(std::is_trivially_destructible_v<T>);
  return *__builtin_launder(reinterpret_cast<T*>(storage));
}
template <typename T, typename Storage>
const T& object(const Storage* storage) {
  return object<T>(const_cast<Storage*>(storage));
}

inline std::span<const std::byte> bytes_at(const void* bytes, size_t length) {
  return {static_cast<const std::byte*>(bytes), length};
}
inline std::span<std::byte> memory_at(void* memory, size_t bytes) {
  return {static_cast<std::byte*>(memory), bytes};
}

}  // namespace hv::face
