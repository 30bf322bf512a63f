// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <array>
#include <atomic>
#include <span>

#include "core/netvsc/rndis.hpp"

namespace hv::netvsc {

/// What a control message of the host means for the port.
struct Told {
  enum class Kind : uint8_t {
    Nothing,
    Answer,  ///< the request is answered: wake who waits for it
    LinkUp,
    LinkDown,
    NetworkChanged,
    Speed,      ///< `value`: units of 100 bit/s
    KeepAlive,  ///< `value`: its id; to be answered
    Nonsense,
  };
  Kind kind = Kind::Nothing;
  uint32_t value = 0;
};

/// The one RNDIS request that waits for its answer. An answer counts once, with the id of the
/// request that waits now, and of its kind; late, repeated and forged ones are BadId. Concurrency:
/// `begin`, `cancel` and `answer` by one caller (the port's lock); `take` and `hear` by the
/// receiver of the primary channel, at any time.
class Conversation {
 public:
  /// Bytes of an answer that are kept; what is longer is cut, and fails to parse.
  static constexpr size_t kMostAnswer = 1024;

  /// A new request whose answer is of type `answer`. The id to put into it. What waited before is
  /// forgotten.
  uint32_t begin(wire::rndis::MessageType answer) {
    waiting_.store(0, std::memory_order_relaxed);
    length_ = 0;
    type_ = answer;
    // 0 is nobody's id.
    if (++last_ == 0) ++last_;
    waiting_.store(last_, std::memory_order_release);
    return last_;
  }

  /// An id for a message that gets no answer.
  uint32_t id_without_answer() {
    if (++last_ == 0) ++last_;
    return last_;
  }

  /// The receiver has `message`, a private copy that was parsed as `view`. When this succeeds,
  /// `answer` has it and the waiter is to be woken. Errors: Truncated, BadId (nobody waits for it),
  /// BadValue (the id waits for another kind; it still does).
  Result<void> take(std::span<const std::byte> message, const ControlView& view) {
    const auto id = HV_TRY(ByteReader(view.body).take<uint32_t>());
    if (id == 0 || waiting_.load(std::memory_order_acquire) != id) return Error::BadId;
    if (view.type != type_) return Error::BadValue;
    uint32_t expected = id;
    if (!waiting_.compare_exchange_strong(expected, 0, std::memory_order_acq_rel))
      return Error::BadId;
    length_ = message.size() < kMostAnswer ? message.size() : kMostAnswer;
    __builtin_memcpy(answer_.data(), message.data(), length_);
    return {};
  }

  /// Sorts a control message of the host, a private copy; an answer is taken.
  Told hear(std::span<const std::byte> message);

  /// Gives the request up. False: its answer is being taken this moment; it will be there.
  bool cancel() { return waiting_.exchange(0, std::memory_order_acq_rel) != 0; }

  /// What `take` took.
  std::span<const std::byte> answer() const { return std::span(answer_).first(length_); }

 private:
  std::atomic<uint32_t> waiting_{0};
  uint32_t last_ = 0;
  wire::rndis::MessageType type_{};
  size_t length_ = 0;
  std::array<std::byte, kMostAnswer> answer_{};
};

}  // namespace hv::netvsc
