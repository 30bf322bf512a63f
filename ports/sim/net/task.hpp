// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <coroutine>
#include <exception>
#include <functional>
#include <list>
#include <optional>
#include <utility>
#include <vector>

#include "core/vmbus/channel.hpp"
#include "ports/sim/support.hpp"

/// Code of the guest that blocks, as coroutines: each `co_await` is a place where any other context
/// may come between.
namespace hv::sim::net {

template <typename T>
class Task;

namespace detail {

struct PromiseBase {
  std::coroutine_handle<> then;
  std::exception_ptr error;

  std::suspend_always initial_suspend() noexcept { return {}; }
  struct Final {
    bool await_ready() noexcept { return false; }
    template <typename Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> self) noexcept {
      const auto next = self.promise().then;
      return next ? next : std::noop_coroutine();
    }
    void await_resume() noexcept {}
  };
  Final final_suspend() noexcept { return {}; }
  void unhandled_exception() noexcept { error = std::current_exception(); }
};

template <typename T>
struct Promise : PromiseBase {
  std::optional<T> value;
  Task<T> get_return_object();
  void return_value(T result) { value.emplace(std::move(result)); }
  T result() {
    if (error) std::rethrow_exception(error);
    return std::move(*value);
  }
};

template <>
struct Promise<void> : PromiseBase {
  Task<void> get_return_object();
  void return_void() {}
  void result() {
    if (error) std::rethrow_exception(error);
  }
};

}  // namespace detail

/// Runs when awaited, and is gone when it is destroyed, wherever it was.
template <typename T = void>
class [[nodiscard]] Task {
 public:
  using promise_type = detail::Promise<T>;
  using Handle = std::coroutine_handle<promise_type>;
  explicit Task(Handle handle) : handle_(handle) {}
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
  Task& operator=(Task&&) = delete;
  ~Task() {
    if (handle_) handle_.destroy();
  }

  bool await_ready() const noexcept { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> then) noexcept {
    handle_.promise().then = then;
    return handle_;
  }
  T await_resume() { return handle_.promise().result(); }

  Handle handle() const { return handle_; }

 private:
  Handle handle_;
};

template <typename T>
Task<T> detail::Promise<T>::get_return_object() {
  return Task<T>(std::coroutine_handle<Promise>::from_promise(*this));
}
inline Task<void> detail::Promise<void>::get_return_object() {
  return Task<void>(std::coroutine_handle<Promise>::from_promise(*this));
}

/// A lock that may be slept for.
struct Mutex {
  bool held = false;
};

/// The contexts of one driver, of which the scheduler runs one at a time until its next wait.
class Tasks {
 public:
  using Time = hv::vmbus::Time;
  static constexpr Time kNever = ~Time{0};
  enum class For : uint8_t {
    Turn,   ///< another's: ready at once
    Guest,  ///< something in the guest
    Host,   ///< the host: in an honest world this ends before its time is up
    Clock,  ///< the time itself, or what comes first
    Work,   ///< more to do: a context at rest
  };

  explicit Tasks(const Time& now) : now_(now) {}

  void spawn(const char* name, Task<> task) {
    running_.push_back({name, std::move(task), {}, {}});
    running_.back().at = running_.back().task.handle();
    running_.back().wait = {[] { return true; }, kNever, For::Turn, "its turn"};
  }

  /// How a context waits; true when what it waited for has come, false when its time was up.
  class Pause {
   public:
    Pause(Tasks& tasks, std::function<bool()> ready, Time until, For whom, const char* what,
          Mutex* mutex = nullptr)
        : tasks_(tasks),
          ready_(std::move(ready)),
          until_(until),
          for_(whom),
          what_(what),
          mutex_(mutex) {}
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> at) {
      tasks_.current_->at = at;
      tasks_.current_->wait = {ready_, until_, for_, what_};
    }
    bool await_resume() {
      if (mutex_) mutex_->held = true;
      return ready_();
    }

   private:
    Tasks& tasks_;
    std::function<bool()> ready_;
    Time until_;
    For for_;
    const char* what_;
    Mutex* mutex_;
  };
  Pause turn() {
    return {*this, [] { return true; }, kNever, For::Turn, "its turn"};
  }
  Pause until(const char* what, std::function<bool()> ready) {
    return {*this, std::move(ready), kNever, For::Guest, what};
  }
  Pause host(const char* what, std::function<bool()> ready, Time limit = kNever) {
    return {*this, std::move(ready), limit == kNever ? kNever : now_ + limit, For::Host, what};
  }
  /// Sleeps for so long, or until it is `ready`.
  Pause clock(const char* what, std::function<bool()> ready, Time span) {
    return {*this, std::move(ready), now_ + span, For::Clock, what};
  }
  Pause work(std::function<bool()> ready) {
    return {*this, std::move(ready), kNever, For::Work, "work"};
  }
  Pause lock(const char* what, Mutex& mutex) {
    return {*this, [&mutex] { return !mutex.held; }, kNever, For::Guest, what, &mutex};
  }

  bool runnable() const {
    for (const auto& one : running_) {
      if (ready(one)) return true;
    }
    return false;
  }
  /// Runs one that is ready up to its next wait.
  void step(Rng& rng) {
    std::vector<Running*> can;
    for (auto& one : running_) {
      if (ready(one)) can.push_back(&one);
    }
    if (can.empty()) return;
    Running* one = can[rng.below(static_cast<uint32_t>(can.size()))];
    current_ = one;
    one->at.resume();
    current_ = nullptr;
    if (!one->task.handle().done()) return;
    const auto error = one->task.handle().promise().error;
    running_.remove_if([one](const Running& other) { return &other == one; });
    if (error) std::rethrow_exception(error);
  }

  /// All that are left rest until there is more to do.
  bool at_rest() const {
    for (const auto& one : running_) {
      if (one.wait.whom != For::Work || ready(one)) return false;
    }
    return true;
  }
  bool waits_for(For whom) const {
    for (const auto& one : running_) {
      if (one.wait.whom == whom && !ready(one)) return true;
    }
    return false;
  }
  /// What somebody waits for who can not go on: nullptr when nobody does.
  const char* blocked() const {
    for (const auto& one : running_) {
      if (one.wait.whom != For::Work && !ready(one)) return one.wait.what;
    }
    return nullptr;
  }
  Time deadline() const {
    Time first = kNever;
    for (const auto& one : running_) first = one.wait.until < first ? one.wait.until : first;
    return first;
  }
  template <typename Each>
  void each(Each&& call) const {
    for (const auto& one : running_) call(one.name, one.wait.what, ready(one));
  }

 private:
  struct Wait {
    std::function<bool()> ready;
    Time until = kNever;
    For whom = For::Turn;
    const char* what = "";
  };
  struct Running {
    const char* name;
    Task<> task;
    std::coroutine_handle<> at;
    Wait wait;
  };
  bool ready(const Running& one) const { return now_ >= one.wait.until || one.wait.ready(); }

  const Time& now_;
  std::list<Running> running_;
  Running* current_ = nullptr;
};

}  // namespace hv::sim::net
