// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <type_traits>

#include "core/base/result.hpp"
#include "core/port.h"

/// What the C faces of the drivers' machines share: statuses (HV_*, core/port.h), and the C++
/// objects behind the C types.
namespace hv::face {

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

inline int status_of(const Result<void>& result) {
  return result ? HV_OK : status_of(result.error());
}

/// The C++ object that lives in the caller's storage.
template <typename T, typename Storage>
T& object(Storage* storage) {
  static_assert(sizeof(T) <= sizeof(Storage) && alignof(T) <= alignof(Storage));
  static_assert(std::is_trivially_destructible_v<T>);
  return *__builtin_launder(reinterpret_cast<T*>(storage));
}

}  // namespace hv::face
