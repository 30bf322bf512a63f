// SPDX-License-Identifier: GPL-2.0-only OR MIT
// A frame that a hostile host has joined: any bytes, length and count of parts. What a stack is
// told of it adds up to the frame, and no segment is too long.
#include <algorithm>

#include "core/netvsc/joined.hpp"
#include "fuzz/support/input.hpp"

using namespace hv;
using namespace hv::netvsc;

namespace {

constexpr uint32_t kMinTcp = 20, kMaxTcp = 60;

void demand(bool fact) {
  if (!fact) __builtin_trap();
}

/// Without options in TCP's header and with all of them the payload is so long.
void check(const JoinedFrame& joined, uint32_t length, uint32_t mtu) {
  demand(joined.segment >= kMinSegment && joined.segment < mtu && joined.segments >= 2);
  demand(joined.transport_offset >= 34 && joined.transport_offset <= 74);
  demand(joined.transport_offset + kMinTcp < length);
  const uint32_t most = length - joined.transport_offset - kMinTcp;
  const uint32_t options = kMaxTcp - kMinTcp;
  const uint32_t before_last = (joined.segments - 1u) * joined.segment;
  demand(before_last < most && before_last + joined.segment + options >= most);
  demand(joined.transport_offset - 14u + kMinTcp + joined.segment <= mtu);
  demand(joined.pseudo_sum != 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  const uint32_t parts = input.take<uint32_t>();
  const uint32_t mtu = input.take<uint32_t>();
  const uint32_t longer = input.take<uint32_t>();
  const auto front = std::as_bytes(input.bytes(kMaxJoinedFront));
  const auto length = static_cast<uint32_t>(front.size()) + longer % 65536;
  const auto joined = describe_joined(front, length, parts, mtu);
  if (joined) {
    demand(parts > 0 && parts < length);
    check(*joined, length, mtu);
  }
  return 0;
}
