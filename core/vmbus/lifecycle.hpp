// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <atomic>
#include <cstdint>

namespace hv::vmbus {

/// The life of one device, as every driver lives it: opened, broken by its host, closed, opened
/// again, suspended, gone. The port says what has happened and carries out what comes of it; it
/// keeps no state, deadline or number of tries of its own.
///
///     Closed -> Opening -> Running -> Suspended -> Opening ...
///                  \          |
///                   `------> Broken -> Waiting -> Opening ...
///     each -> Gone
///
/// Times are milliseconds of a clock that does not go back.
/// Concurrency: `broke`, `broken`, `in_time` and `state` from any context at any time; all others
/// by one caller at a time (the port's lock of the device).
class Lifecycle {
 public:
  enum class State : uint8_t {
    Closed,     ///< nothing is open; it never was
    Opening,    ///< the channel is opened, the dialogue goes on
    Running,    ///< it works, or is being closed in order
    Broken,     ///< the host broke a ring or does not answer: to be closed
    Waiting,    ///< closed; it is opened again in `due`
    Suspended,  ///< closed until `open`
    Gone,       ///< for good
  };
  static constexpr uint32_t kNever = ~uint32_t{0};
  /// What a kind of device asks of its life.
  struct Policy {
    uint32_t patience = kNever;     ///< lost for so long, milliseconds, it is gone
    uint32_t most_breaks = kNever;  ///< so many, none of them behind kCalm of work: it is gone
    bool must_let_go = false;       ///< what is closed while the host keeps memory of it is gone
  };
  /// Tries come soon at first, then at intervals that grow, so that a host that breaks it again and
  /// again costs bounded work and few messages. What ran for kCalm is trusted again.
  static constexpr uint32_t kFirst = 250;
  static constexpr uint32_t kMost = 60'000;
  static constexpr uint64_t kCalm = 120'000;
  /// A try that comes so much later than it was due comes behind a pause of the whole machine.
  static constexpr uint64_t kLate = 1'000;

  Lifecycle() = default;
  explicit Lifecycle(const Policy& policy) : policy_(policy) {}

  State state() const { return state_.load(std::memory_order_acquire); }

  /// It is being opened: at first, when `due`, behind a suspension, or otherwise than it was.
  /// False: it may not, now or for good (`state` says which).
  bool open(uint64_t now) {
    allow_for_pause(now);
    if (!in_time(now)) leave();
    const State before = state();
    if (before == State::Gone || before == State::Broken) return false;
    broken_.store(false, std::memory_order_relaxed);
    state_.store(State::Opening, std::memory_order_release);
    return true;
  }
  /// It works. False: it was broken meanwhile, and is to be closed.
  bool opened(uint64_t now) {
    State expected = State::Opening;
    if (!state_.compare_exchange_strong(expected, State::Running, std::memory_order_acq_rel))
      return false;
    ran_ = true;
    since_ = now;
    lost_.store(kNotLost, std::memory_order_relaxed);
    return true;
  }
  /// It did not open, and nothing of it is open. A device that never ran is closed: its driver
  /// gives it up. Any other is tried again. `let_go`: as for `closed`.
  void failed(uint64_t now, bool let_go) {
    if (!let_go && policy_.must_let_go) leave();
    if (state() == State::Gone) return;
    if (!ran_) {
      state_.store(State::Closed, std::memory_order_release);
    } else {
      lose(now);
      wait_from(now);
    }
  }

  /// The host broke it. True for the first who says so: he sees to it that it is closed.
  bool broke(uint64_t now) {
    broken_.store(true, std::memory_order_release);
    for (State before = state(); before == State::Running || before == State::Opening;) {
      lose(now);
      if (state_.compare_exchange_weak(before, State::Broken, std::memory_order_acq_rel))
        return true;
    }
    return false;
  }
  /// The host broke it since it was opened last: there is no talking with it, whatever the state.
  bool broken() const { return broken_.load(std::memory_order_acquire); }
  /// False: it has been lost for as long as its policy allows; there is no point in waiting on.
  bool in_time(uint64_t now) const {
    const uint64_t lost = lost_.load(std::memory_order_relaxed);
    return policy_.patience == kNever || lost == kNotLost || now < lost + policy_.patience;
  }
  /// It is closed. What was broken is opened again when `due`. `let_go`: the host has no memory of
  /// it any more.
  void closed(uint64_t now, bool let_go) {
    if (!let_go && policy_.must_let_go) leave();
    if (state() != State::Broken) return;
    if (since_ != kNotOpen) breaks_ = now - since_ >= kCalm ? 1 : breaks_ + 1;
    lose(now);
    wait_from(now);
    if (breaks_ >= policy_.most_breaks) leave();
  }
  /// Milliseconds until `open` is to be called again; kNever: it is not.
  uint32_t due(uint64_t now) const {
    if (state() != State::Waiting) return kNever;
    return now < next_ ? static_cast<uint32_t>(next_ - now) : 0;
  }
  /// It is closed, until `open`. Its patience sleeps, too.
  void suspended() {
    lost_.store(kNotLost, std::memory_order_relaxed);
    if (state() != State::Gone) state_.store(State::Suspended, std::memory_order_release);
  }
  /// The host has withdrawn it, it is removed, or given up.
  void leave() { state_.store(State::Gone, std::memory_order_release); }

 private:
  /// Its patience begins, unless it has.
  void lose(uint64_t now) {
    uint64_t lost = kNotLost;
    lost_.compare_exchange_strong(lost, now, std::memory_order_relaxed);
  }
  /// Whoever comes late for what was due has stood still with the whole machine: that time is not
  /// the host's.
  void allow_for_pause(uint64_t now) {
    const uint64_t lost = lost_.load(std::memory_order_relaxed);
    if (state() != State::Waiting || lost == kNotLost || now < next_ + kLate) return;
    lost_.store(lost + (now - next_), std::memory_order_relaxed);
  }
  void wait_from(uint64_t now) {
    if (since_ != kNotOpen && now - since_ >= kCalm) interval_ = kFirst;
    since_ = kNotOpen;
    next_ = now + interval_;
    const uint64_t lost = lost_.load(std::memory_order_relaxed);
    if (policy_.patience != kNever && lost != kNotLost && next_ > lost + policy_.patience)
      next_ = lost + policy_.patience;
    interval_ = interval_ < kMost / 2 ? interval_ * 2 : kMost;
    state_.store(State::Waiting, std::memory_order_release);
  }

  static constexpr uint64_t kNotOpen = ~uint64_t{0};
  static constexpr uint64_t kNotLost = ~uint64_t{0};

  const Policy policy_{};
  std::atomic<State> state_{State::Closed};
  std::atomic<bool> broken_{false};
  std::atomic<uint64_t> lost_{kNotLost};  ///< since when it does not run
  bool ran_ = false;
  uint32_t breaks_ = 0;         ///< without kCalm between
  uint32_t interval_ = kFirst;  ///< until the next try
  uint64_t since_ = kNotOpen;   ///< when it was opened
  uint64_t next_ = 0;           ///< when it is opened again
};

}  // namespace hv::vmbus
