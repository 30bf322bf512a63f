// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <new>
#include <type_traits>
#include <utility>

namespace hv {

/// All that can go wrong in the core. The port translates it at its edge, in one table.
enum class Error : unsigned char {
  Truncated,     ///< fewer bytes than the structure needs
  BadLength,     ///< a length or offset field contradicts the bytes at hand
  BadValue,      ///< a field holds what the protocol does not allow
  BadId,         ///< an id that names nothing alive: stale, forged or out of range
  BadState,      ///< a message that is not expected in this state
  Overflow,      ///< arithmetic on untrusted numbers would wrap
  RingCorrupt,   ///< the peer's ring index or a descriptor is impossible
  RingFull,      ///< no room now; the peer signals when there is
  RingEmpty,     ///< nothing to read now
  Exhausted,     ///< no free slot or buffer
  NoMemory,      ///< the port could not allocate
  NotSupported,  ///< valid, but not something we or the peer speak
  Refused,       ///< the peer answered with a failure status
  TimedOut,      ///< the peer did not answer in time
  Gone,          ///< rescinded, closed or unloaded
};

/// A short lower-case name of `error`, for messages.
constexpr const char* name(Error error) {
  switch (error) {
    case Error::Truncated:
      return "truncated";
    case Error::BadLength:
      return "bad length";
    case Error::BadValue:
      return "bad value";
    case Error::BadId:
      return "bad id";
    case Error::BadState:
      return "bad state";
    case Error::Overflow:
      return "overflow";
    case Error::RingCorrupt:
      return "ring corrupt";
    case Error::RingFull:
      return "ring full";
    case Error::RingEmpty:
      return "ring empty";
    case Error::Exhausted:
      return "exhausted";
    case Error::NoMemory:
      return "no memory";
    case Error::NotSupported:
      return "not supported";
    case Error::Refused:
      return "refused";
    case Error::TimedOut:
      return "timed out";
    case Error::Gone:
      return "gone";
  }
  return "unknown";
}

namespace detail {

/// Room for a value or an Error. Split by destructor, because clang-14 has no conditionally trivial
/// ones.
template <typename T, bool trivial = std::is_trivially_destructible_v<T>>
struct ResultStorage {
  constexpr explicit ResultStorage(T value) : has_value_(true), value_(std::move(value)) {}
  constexpr explicit ResultStorage(Error error) : has_value_(false), error_(error) {}
  bool has_value_;
  union {
    T value_;
    Error error_;
  };
};

template <typename T>
struct ResultStorage<T, false> {
  constexpr explicit ResultStorage(T value) : has_value_(true), value_(std::move(value)) {}
  constexpr explicit ResultStorage(Error error) : has_value_(false), error_(error) {}
  constexpr ~ResultStorage() {
    if (has_value_) value_.~T();
  }
  bool has_value_;
  union {
    T value_;
    Error error_;
  };
};

}  // namespace detail

/// A value or an Error. Asking for the wrong one of the two is a bug and traps.
template <typename T>
class [[nodiscard]] Result : private detail::ResultStorage<T> {
  using Storage = detail::ResultStorage<T>;
  using Storage::error_;
  using Storage::has_value_;
  using Storage::value_;

 public:
  using Value = T;

  constexpr Result(T value) : Storage(std::move(value)) {}  // NOLINT: implicit by design
  constexpr Result(Error error) : Storage(error) {}         // NOLINT
  constexpr Result(Result&& other) : Storage(Error::BadState) {
    if (other.has_value_) {
      new (&value_) T(std::move(other.value_));
      has_value_ = true;
    } else {
      error_ = other.error_;
    }
  }
  Result(const Result&) = delete;
  Result& operator=(const Result&) = delete;
  Result& operator=(Result&&) = delete;

  constexpr bool ok() const { return has_value_; }
  constexpr explicit operator bool() const { return has_value_; }
  constexpr Error error() const {
    if (has_value_) __builtin_trap();
    return error_;
  }
  constexpr T& value() & {
    if (!has_value_) __builtin_trap();
    return value_;
  }
  constexpr const T& value() const& {
    if (!has_value_) __builtin_trap();
    return value_;
  }
  constexpr T take() {
    if (!has_value_) __builtin_trap();
    return std::move(value_);
  }
  constexpr T* operator->() { return &value(); }
  constexpr const T* operator->() const { return &value(); }
  constexpr T& operator*() & { return value(); }
  constexpr const T& operator*() const& { return value(); }
};

/// Success without a value, or an Error.
template <>
class [[nodiscard]] Result<void> {
 public:
  using Value = void;

  constexpr Result() : ok_(true), error_(Error::BadState) {}
  constexpr Result(Error error) : ok_(false), error_(error) {}  // NOLINT: implicit by design

  constexpr bool ok() const { return ok_; }
  constexpr explicit operator bool() const { return ok_; }
  constexpr Error error() const {
    if (ok_) __builtin_trap();
    return error_;
  }
  constexpr void take() const {
    if (!ok_) __builtin_trap();
  }

 private:
  bool ok_;
  Error error_;
};

}  // namespace hv

/// The value of a Result, or return its Error from the function this stands in.
#define HV_TRY(expression)                            \
  __extension__({                                     \
    auto&& hv_try_result = (expression);              \
    if (!hv_try_result) return hv_try_result.error(); \
    hv_try_result.take();                             \
  })
