// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "ports/sim/net/ledger.hpp"

#include <cstring>
#include <string>

#include "ports/sim/support.hpp"

namespace hv::sim::net {

namespace {
constexpr size_t kNumberAt = 14;
constexpr size_t kBodyAt = 18;

std::byte body(uint32_t number, size_t at) { return static_cast<std::byte>(number * 7 + at); }
}  // namespace

void Ledger::fill(std::span<std::byte> frame, uint32_t number, std::span<const uint8_t, 6> to) {
  std::memcpy(frame.data(), to.data(), to.size());
  for (size_t i = 6; i < 12; i++) frame[i] = std::byte{0x22};
  frame[12] = std::byte{0x88};
  frame[13] = std::byte{0xb5};
  std::memcpy(frame.data() + kNumberAt, &number, sizeof(number));
  for (size_t i = kBodyAt; i < frame.size(); i++) frame[i] = body(number, i);
}

uint32_t Ledger::new_sent(uint32_t length) {
  sent_.push_back({.length = length});
  return static_cast<uint32_t>(sent_.size() - 1);
}

uint32_t Ledger::new_arrived(uint32_t length) {
  arrived_.push_back({.length = length});
  return static_cast<uint32_t>(arrived_.size() - 1);
}

/// Whose bytes these are; nullptr, of a host that is not honest alone: nobody's.
Ledger::Frame* Ledger::known(std::vector<Frame>& frames, std::span<const std::byte> bytes,
                             bool honest, const char* whose) {
  uint32_t number = 0;
  bool right = bytes.size() >= kLeast;
  if (right) {
    std::memcpy(&number, bytes.data() + kNumberAt, sizeof(number));
    right = number < frames.size() && frames[number].length == bytes.size();
  }
  for (size_t i = kBodyAt; right && i < bytes.size(); i++) right = bytes[i] == body(number, i);
  if (right) return &frames[number];
  if (honest) fail(std::string("not the bytes of a frame ") + whose);
  return nullptr;
}

void Ledger::reached(std::span<const std::byte> frame, bool honest) {
  Frame* known_frame = known(sent_, frame, honest, "that the guest has sent");
  if (!known_frame || !honest) return;
  if (known_frame->seen) fail("a frame of the guest was sent twice");
  known_frame->seen = true;
  reached_count_++;
}

void Ledger::received(std::span<const std::byte> frame, bool honest) {
  Frame* known_frame = known(arrived_, frame, honest, "that the host has passed on");
  if (!known_frame || !honest) return;
  if (known_frame->seen) fail("a frame was given to the stack twice");
  known_frame->seen = true;
  received_count_++;
}

void Ledger::closed(bool drained) {
  uint64_t missing = 0;
  for (Frame& frame : sent_) {
    if (!frame.accepted || frame.seen || frame.excused) continue;
    missing++;
    frame.excused = true;
  }
  if (drained && missing > host_dropped_)
    fail("a frame was taken, and neither sent nor counted as dropped");
  host_dropped_ = 0;
}

}  // namespace hv::sim::net
