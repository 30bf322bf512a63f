// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

namespace hv::vmm::serial {

/// What the agent in the guest says over its serial line: noise, then the magic line, then frames
/// of a type byte, a 4-byte little-endian length and the payload. The guest is not trusted: nothing
/// is stored but the 4 bytes of an exit status, and output is passed on as it comes, so no length
/// can make the host keep much.
class AgentStream {
 public:
  static constexpr std::string_view kMagic = "\nENLIGHTEN-AGENT 1\n";
  static constexpr uint32_t kPayloadMost = 1u << 20;

  struct Callbacks {
    std::function<void()> ready;
    std::function<void(std::span<const std::byte>)> output;  ///< standard output of the command
    std::function<void(std::span<const std::byte>)> error;   ///< its standard error
    std::function<void(uint32_t)> exit;                      ///< its exit status
    std::function<void(std::string_view)> broken;  ///< what broke the protocol; the rest is ignored
  };

  explicit AgentStream(Callbacks callbacks) : callbacks_(std::move(callbacks)) {}

  void receive(std::span<const std::byte> bytes);

 private:
  enum class State : uint8_t {
    Noise,    ///< before the magic line
    Header,   ///< collecting the five bytes of a frame's header
    Payload,  ///< passing on `left_` bytes of a frame of `type_`
    Broken,   ///< the guest broke the protocol
    Ended,    ///< the exit status came
  };

  size_t take_noise(std::span<const std::byte> bytes);
  size_t take_header(std::span<const std::byte> bytes);
  size_t take_payload(std::span<const std::byte> bytes);
  void end_of_frame();
  void fail(std::string_view why);

  Callbacks callbacks_;
  State state_ = State::Noise;
  size_t matched_ = 0;  ///< bytes of the magic line seen
  std::array<std::byte, 5> header_{};
  size_t header_count_ = 0;
  char type_ = 0;
  uint32_t left_ = 0;
  std::array<std::byte, 4> status_{};
  size_t status_count_ = 0;
  bool ready_ = false;
};

/// A frame to the agent: 'C' the command, 'I' standard input, 'E' its end.
std::vector<std::byte> agent_frame(char type, std::string_view payload);

}  // namespace hv::vmm::serial
