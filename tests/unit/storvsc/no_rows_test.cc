// SPDX-License-Identifier: GPL-2.0-only OR MIT
// The machines of storage, compiled with a table that has lost its rows: nothing is said or taken.
#define kMessages kAllMessages
#include "core/wire/storvsc.hpp"
#undef kMessages

namespace hv::wire::storvsc {
inline constexpr decltype(kAllMessages) kMessages = {};
}

#include <gtest/gtest.h>

#include "core/storvsc/handshake.cc"
#include "core/storvsc/machine.cc"
#include "core/storvsc/packet.cc"
#include "tests/unit/storvsc/answers.hpp"

namespace hv::storvsc {
namespace {

using wire::storvsc::kAllMessages;

struct Sink {
  Result<void> send(uint64_t, std::span<const std::byte>, std::span<const std::byte>) { return {}; }
};

TEST(StorageWithoutRows, SaysNothing) {
  std::array<Slot, 4 + Machine::kControlSlots> slots{};
  Machine machine = Machine::create(slots).take();
  Sink sink;
  for (const auto& row : kAllMessages) {
    EXPECT_EQ(machine.submit(sink, Machine::Control::Dialogue, plain_packet(row.type)).error(),
              Error::NotSupported);
  }
  const uint8_t cdb[6] = {};
  const Request request{.address = {},
                        .port = 0,
                        .direction = wire::storvsc::Direction::None,
                        .tagged = false,
                        .length = 0,
                        .cdb = cdb};
  EXPECT_EQ(machine.submit(sink, 0, request, {}).error(), Error::NotSupported);
  EXPECT_FALSE(machine.alive(0));
}

TEST(StorageWithoutRows, TakesNothing) {
  std::array<Slot, 4 + Machine::kControlSlots> slots{};
  Machine machine = Machine::create(slots).take();
  for (const auto& row : kAllMessages) {
    const auto bytes = test::answer(0, row.type);
    const auto event = machine.receive({wire::PacketType::DataInBand, 0, 0, {}, bytes});
    EXPECT_EQ(event->kind, Event::Kind::Ignored);
  }
  EXPECT_EQ(parse_completion(test::completion(1, 0, 0)).error(), Error::NotSupported);
  Handshake handshake({});
  EXPECT_EQ(handshake.answered(test::answer()).error(), Error::NotSupported);
}

}  // namespace
}  // namespace hv::storvsc
