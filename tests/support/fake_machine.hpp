// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <vector>

#include "host/machine.hpp"

namespace hv::test {

/// A machine of plain memory (from guest-physical 0 on) that keeps what is sent to the guest. Any
/// thread.
class FakeMachine final : public host::Machine {
 public:
  struct Posted {
    uint32_t vp;
    uint32_t sint;
    uint32_t message_type;
    std::vector<std::byte> payload;
  };
  struct Event {
    uint32_t vp;
    uint32_t sint;
    uint32_t flag;
    friend bool operator==(const Event&, const Event&) = default;
  };

  explicit FakeMachine(size_t pages, uint32_t vp_count = 1);
  ~FakeMachine() override;
  FakeMachine(const FakeMachine&) = delete;
  FakeMachine& operator=(const FakeMachine&) = delete;

  uint32_t vp_count() const override { return vp_count_; }
  std::optional<std::span<std::byte>> memory(uint64_t gpa, size_t length) override;
  std::unique_ptr<host::Mapping> map_pages(std::span<const uint64_t> frames) override;
  bool post_message(uint32_t vp, uint32_t sint, uint32_t message_type,
                    std::span<const std::byte> payload) override;
  void drop_messages() override;
  void signal_event(uint32_t vp, uint32_t sint, uint32_t flag) override;
  bool bind_signal(uint32_t connection_id, int event_fd) override;

  // What a guest would do and see.
  /// HvCallSignalEvent. False: nothing is bound to the id.
  bool signal_host(uint32_t connection_id);
  /// The oldest message not taken yet, or nullopt.
  std::optional<Posted> take_message();
  std::vector<Event> take_events();
  /// Waits until an event comes, at most 10 s.
  bool wait_event();
  /// Called on each event, in place of keeping it.
  void on_event(std::function<void(Event)> call);
  /// Messages kept before post_message refuses.
  void limit_messages(size_t count);
  size_t mappings() const;  ///< alive now
  size_t bound() const;

 private:
  class Pages;
  const uint32_t vp_count_;
  const size_t size_;
  int fd_;
  std::byte* base_;
  mutable std::mutex mutex_;
  std::condition_variable event_came_;
  std::vector<Posted> messages_;
  std::vector<Event> events_;
  std::function<void(Event)> on_event_;
  std::map<uint32_t, int> signals_;
  size_t message_limit_ = SIZE_MAX;
  size_t mappings_ = 0;
};

}  // namespace hv::test
