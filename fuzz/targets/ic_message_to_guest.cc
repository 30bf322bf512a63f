// SPDX-License-Identifier: GPL-2.0-only OR MIT
// A hostile host against the guest's integration services: any packets, most with headers of the
// right shape. What is refused is not written to; what is answered is an answer; and a heartbeat is
// answered by the next number, only behind a negotiation that found common versions.
#include <cstring>
#include <vector>

#include "core/base/bytes.hpp"
#include "core/ic/heartbeat.hpp"
#include "fuzz/support/input.hpp"

using namespace hv;
namespace proto = wire::ic;

namespace {

constexpr size_t kPayloadAt = sizeof(proto::PipeHeader) + sizeof(proto::Header);

std::vector<std::byte> packet_of(fuzz::Input& input) {
  const uint8_t shape = input.take<uint8_t>();
  const auto payload = input.bytes(input.number(100));
  std::vector<std::byte> bytes(kPayloadAt + payload.size());
  const auto size = static_cast<uint16_t>(payload.size());
  proto::PipeHeader pipe{proto::kPipeData, static_cast<uint32_t>(sizeof(proto::Header)) + size};
  proto::Header header{{3, 0}, static_cast<proto::MessageType>(shape & 1),    {3, 0}, size, 0,
                       shape,  proto::kFlagTransaction | proto::kFlagRequest, {}};
  if (shape & 2) pipe.length = input.take<uint32_t>();
  if (shape & 4) header.size = input.take<uint16_t>();
  if (shape & 8) header.flags = input.take<uint8_t>();
  if (shape & 16) header.type = input.take<proto::MessageType>();
  if (shape & 32) pipe.type = input.take<uint32_t>();
  std::memcpy(bytes.data(), &pipe, sizeof(pipe));
  std::memcpy(bytes.data() + sizeof(pipe), &header, sizeof(header));
  if (!payload.empty()) std::memcpy(bytes.data() + kPayloadAt, payload.data(), payload.size());
  if (shape & 64) bytes.resize(input.number(static_cast<uint32_t>(bytes.size())));
  return bytes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  ic::Heartbeat heartbeat;
  while (!input.empty()) {
    const auto before = packet_of(input);
    auto bytes = before;
    const bool ready = heartbeat.service().ready();
    if (!heartbeat.answer(bytes)) {
      if (bytes != before || heartbeat.service().ready() != ready) __builtin_trap();
      continue;
    }
    proto::Header asked, answer;
    std::memcpy(&asked, before.data() + sizeof(proto::PipeHeader), sizeof(asked));
    std::memcpy(&answer, bytes.data() + sizeof(proto::PipeHeader), sizeof(answer));
    if (answer.flags != (proto::kFlagTransaction | proto::kFlagResponse) ||
        answer.transaction != asked.transaction || answer.size > asked.size)
      __builtin_trap();
    if (asked.type != proto::MessageType::Heartbeat) continue;
    uint64_t was, is;
    std::memcpy(&was, before.data() + kPayloadAt, sizeof(was));
    std::memcpy(&is, bytes.data() + kPayloadAt, sizeof(is));
    if (!ready || is != was + 1) __builtin_trap();
  }
  return 0;
}
