// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "vmm/serial/agent_stream.hpp"

#include <algorithm>
#include <cstring>

namespace hv::vmm::serial {

void AgentStream::receive(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    size_t taken = 0;
    switch (state_) {
      case State::Noise:
        taken = take_noise(bytes);
        break;
      case State::Header:
        taken = take_header(bytes);
        break;
      case State::Payload:
        taken = take_payload(bytes);
        break;
      case State::Broken:
      case State::Ended:
        return;
    }
    bytes = bytes.subspan(taken);
  }
}

size_t AgentStream::take_noise(std::span<const std::byte> bytes) {
  size_t taken = 0;
  while (taken < bytes.size() && matched_ < kMagic.size()) {
    const char byte = static_cast<char>(bytes[taken++]);
    if (byte == '\r') continue;  // a terminal driver that has not been made raw yet
    // The magic line holds a line feed only at its ends, so a mismatch can start a new match only
    // with one.
    if (byte == kMagic[matched_]) {
      ++matched_;
    } else {
      matched_ = byte == kMagic[0] ? 1 : 0;
    }
  }
  if (matched_ == kMagic.size()) state_ = State::Header;
  return taken;
}

size_t AgentStream::take_header(std::span<const std::byte> bytes) {
  const size_t taken = std::min(bytes.size(), header_.size() - header_count_);
  std::copy_n(bytes.begin(), taken, header_.begin() + static_cast<ptrdiff_t>(header_count_));
  header_count_ += taken;
  if (header_count_ < header_.size()) return taken;
  header_count_ = 0;
  type_ = static_cast<char>(header_[0]);
  std::memcpy(&left_, header_.data() + 1, sizeof left_);

  switch (type_) {
    case 'R':
      if (left_ != 0) fail("a ready frame with a payload");
      break;
    case 'X':
      if (left_ != status_.size()) fail("an exit status that is not 4 bytes");
      break;
    case 'O':
    case 'F':
      if (left_ > kPayloadMost) fail("an output frame that is too long");
      break;
    default:
      fail("a frame of unknown type");
      break;
  }
  if (state_ == State::Broken) return taken;
  if (!ready_ && type_ != 'R') {
    fail("a frame before it was ready");
    return taken;
  }
  state_ = State::Payload;
  if (left_ == 0) end_of_frame();
  return taken;
}

size_t AgentStream::take_payload(std::span<const std::byte> bytes) {
  const auto part = bytes.first(std::min<size_t>(bytes.size(), left_));
  left_ -= static_cast<uint32_t>(part.size());
  if (type_ == 'O') {
    callbacks_.output(part);
  } else if (type_ == 'F') {
    callbacks_.error(part);
  } else {
    std::copy(part.begin(), part.end(), status_.begin() + static_cast<ptrdiff_t>(status_count_));
    status_count_ += part.size();
  }
  if (left_ == 0) end_of_frame();
  return part.size();
}

void AgentStream::end_of_frame() {
  state_ = State::Header;
  if (type_ == 'R' && !ready_) {
    ready_ = true;
    callbacks_.ready();
  } else if (type_ == 'X') {
    state_ = State::Ended;
    uint32_t status;
    std::memcpy(&status, status_.data(), sizeof status);
    callbacks_.exit(status);
  }
}

void AgentStream::fail(std::string_view why) {
  state_ = State::Broken;
  callbacks_.broken(why);
}

std::vector<std::byte> agent_frame(char type, std::string_view payload) {
  const auto length = static_cast<uint32_t>(payload.size());
  std::vector<std::byte> frame(1 + sizeof length + payload.size());
  frame[0] = static_cast<std::byte>(type);
  std::memcpy(frame.data() + 1, &length, sizeof length);
  if (!payload.empty())
    std::memcpy(frame.data() + 1 + sizeof length, payload.data(), payload.size());
  return frame;
}

}  // namespace hv::vmm::serial
