// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include "core/netvsc/discovery.hpp"
#include "core/netvsc/netvsc.h"
#include "core/netvsc/queue.hpp"

/// What the files of the C face share: statuses, and the C++ objects behind the C types.
namespace hv::netvsc::face {

constexpr int status_of(Error error) {
  switch (error) {
    case Error::Truncated:
      return HV_TRUNCATED;
    case Error::BadLength:
      return HV_BAD_LENGTH;
    case Error::BadValue:
      return HV_BAD_VALUE;
    case Error::BadId:
      return HV_BAD_ID;
    case Error::BadState:
      return HV_BAD_STATE;
    case Error::Overflow:
      return HV_OVERFLOW;
    case Error::RingCorrupt:
      return HV_RING_CORRUPT;
    case Error::RingFull:
      return HV_RING_FULL;
    case Error::RingEmpty:
      return HV_RING_EMPTY;
    case Error::Exhausted:
      return HV_EXHAUSTED;
    case Error::NoMemory:
      return HV_NO_MEMORY;
    case Error::NotSupported:
      return HV_NOT_SUPPORTED;
    case Error::Refused:
      return HV_REFUSED;
    case Error::TimedOut:
      return HV_TIMED_OUT;
    case Error::Gone:
      return HV_GONE;
  }
  return HV_BAD_STATE;
}

inline int status_of(const Result<void>& result) { return result ? HV_OK : status_of(result.error()); }
inline int signal_of(vmbus::Signal signal) { return signal == vmbus::Signal::Yes ? HV_SIGNAL : HV_NO_SIGNAL; }

inline std::span<const std::byte> bytes_at(const void* bytes, size_t length) { return {static_cast<const std::byte*>(bytes), length}; }

/// The C++ object that lives in the caller's storage.
template <typename T, typename Storage>
T& object(Storage* storage) {
  static_assert(sizeof(T) <= sizeof(Storage) && alignof(T) <= alignof(Storage));
  static_assert(std::is_trivially_destructible_v<T>);
  return *__builtin_launder(reinterpret_cast<T*>(storage));
}

inline Queue& of(hv_netvsc_queue* queue) { return object<Queue>(queue); }
inline const Queue& of(const hv_netvsc_queue* queue) { return object<Queue>(const_cast<hv_netvsc_queue*>(queue)); }
inline Opening& of(hv_netvsc_opening* opening) { return object<Opening>(opening); }
inline const Opening& of(const hv_netvsc_opening* opening) { return object<Opening>(const_cast<hv_netvsc_opening*>(opening)); }
inline Discovery& of(hv_netvsc_discovery* discovery) { return object<Discovery>(discovery); }
inline const Discovery& of(const hv_netvsc_discovery* discovery) { return object<Discovery>(const_cast<hv_netvsc_discovery*>(discovery)); }
inline Conversation& of(hv_netvsc_conversation* conversation) { return object<Conversation>(conversation); }
inline const Conversation& of(const hv_netvsc_conversation* conversation) { return object<Conversation>(const_cast<hv_netvsc_conversation*>(conversation)); }

}  // namespace hv::netvsc::face
