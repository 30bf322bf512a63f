// SPDX-License-Identifier: GPL-2.0-only OR MIT
// A hostile guest against the host's end of an integration service: any packets in answer to what
// is asked. No question is answered twice, nothing is read beyond a packet, and no version is taken
// that was not offered.
#include <array>
#include <cstring>
#include <vector>

#include "core/base/bytes.hpp"
#include "fuzz/support/input.hpp"
#include "host/ic/dialogue.hpp"

using namespace hv;
namespace proto = wire::ic;

namespace {

constexpr std::array<proto::Version, 2> kVersions{{{1, 0}, {3, 0}}};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  host::ic::Dialogue dialogue({proto::MessageType::Heartbeat, kVersions, kVersions});
  std::vector<std::byte> asked = dialogue.negotiation();
  while (!input.empty()) {
    const uint8_t kind = input.take<uint8_t>();
    if (kind & 1) {
      const bool ready = dialogue.state() == host::ic::Dialogue::State::Ready;
      asked = ready ? dialogue.request(bytes_of(proto::Heartbeat{kind, 0, {}}))
                    : dialogue.negotiation();
      continue;
    }
    // The question with some of its bytes changed, or bytes of its own.
    std::vector<std::byte> answer = asked;
    answer[25] = std::byte{5};
    for (int changes = kind >> 1 & 7; changes > 0; changes--)
      answer[input.number(static_cast<uint32_t>(answer.size() - 1))] =
          static_cast<std::byte>(input.take<uint8_t>());
    if (kind & 0x80) answer.resize(input.number(static_cast<uint32_t>(answer.size())));
    const bool waited = dialogue.waits();
    const auto taken = dialogue.answered(answer);
    if (taken && (!waited || dialogue.waits() || taken->size() > answer.size())) __builtin_trap();
    if (dialogue.state() == host::ic::Dialogue::State::Ready &&
        (dialogue.version().minor != 0 || dialogue.framework().minor != 0))
      __builtin_trap();
  }
  return 0;
}
