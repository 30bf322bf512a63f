// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace hv::sim::net {

/// Whose frame is where. Each frame sent reaches the network once and as it was, or is counted as
/// dropped; each frame of the network reaches the stack once at most, and as it was. A frame is
/// made from its number alone.
class Ledger {
 public:
  static constexpr uint32_t kLeast = 60;
  static void fill(std::span<std::byte> frame, uint32_t number, std::span<const uint8_t, 6> to);

  // From the guest.
  uint32_t new_sent(uint32_t length);
  /// The driver has taken it.
  void accepted(uint32_t number) { sent_[number].accepted = true; }
  /// The driver says that it was not sent, or that nobody knows.
  void given_up(uint32_t number) { sent_[number].excused = true; }
  /// The host sends it on. `honest`: it must be one of ours.
  void reached(std::span<const std::byte> frame, bool honest);
  /// The host counts so many as dropped.
  void host_dropped(uint64_t count) { host_dropped_ += count; }
  /// An adapter was closed. `drained`: the host has said of all that it is done with them. Fails:
  /// one is missing.
  void closed(bool drained);

  // To the guest.
  uint32_t new_arrived(uint32_t length);
  void received(std::span<const std::byte> frame, bool honest);

  uint64_t sent_count() const { return sent_.size(); }
  uint64_t reached_count() const { return reached_count_; }
  uint64_t received_count() const { return received_count_; }

 private:
  struct Frame {
    uint32_t length = 0;
    bool accepted = false;
    bool excused = false;
    bool seen = false;
  };
  Frame* known(std::vector<Frame>& frames, std::span<const std::byte> bytes, bool honest,
               const char* whose);

  std::vector<Frame> sent_, arrived_;
  uint64_t host_dropped_ = 0, reached_count_ = 0, received_count_ = 0;
};

}  // namespace hv::sim::net
