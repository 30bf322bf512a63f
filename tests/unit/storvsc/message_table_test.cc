// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <gtest/gtest.h>

#include "core/storvsc/machine.hpp"
#include "tests/unit/storvsc/answers.hpp"

namespace hv::storvsc {
namespace {

using wire::PacketType;
using wire::Sender;
using wire::storvsc::kMessages;
using wire::storvsc::Operation;
using wire::storvsc::Version;
using Kind = Event::Kind;

constexpr uint8_t kNoFeature = 0;

/// A channel that takes everything.
struct Sink {
  Result<void> send(uint64_t, std::span<const std::byte>, std::span<const std::byte>) { return {}; }
};

class StorageTable : public testing::Test {
 protected:
  void adopt(Version version, uint8_t features = wire::storvsc::kEveryFeature) {
    machine.adopt({version, wire::storvsc::kPacketSize, wire::storvsc::kSenseSize, features});
  }
  Result<Event> hear(Operation operation, size_t body = 52) {
    const auto bytes = test::answer(0, operation);
    return machine.receive({PacketType::DataInBand, 0, 0, {}, std::span(bytes).first(12 + body)});
  }
  Result<void> say(Operation operation) {
    const auto control = Machine::Control::Dialogue;
    const auto said = machine.submit(sink, control, plain_packet(operation));
    if (said) machine.cancel(machine.slot_of(control)).take();
    return said;
  }

  std::array<Slot, 4 + Machine::kControlSlots> slots{};
  Machine machine = Machine::create(slots).take();
  Sink sink;
};

TEST_F(StorageTable, EveryPacketOfTheHostIsRefusedAByteTooShort) {
  for (const auto& row : kMessages) {
    if (row.sender != Sender::Host || row.bytes == 0) continue;
    EXPECT_EQ(hear(row.type, row.bytes - 1u).error(), Error::Truncated);
    EXPECT_TRUE(hear(row.type, row.bytes).ok());
  }
}

TEST_F(StorageTable, NothingIsTakenOrSaidBelowItsVersionOrWithoutItsFeature) {
  for (const auto& row : kMessages) {
    if (row.sender == Sender::Host) {
      if (row.since != Version{}) {
        adopt(static_cast<Version>(static_cast<uint16_t>(row.since) - 1));
        EXPECT_EQ(hear(row.type).take().kind, Kind::Ignored);
      }
      if (row.feature != 0) {
        adopt(Version::Win10, kNoFeature);
        EXPECT_EQ(hear(row.type).take().kind, Kind::Ignored);
      }
      adopt(Version::Win10);
      const auto taken = hear(row.type);
      EXPECT_TRUE(row.type == Operation::CompleteIo || taken->kind != Kind::Ignored);
    } else if (row.type != Operation::ExecuteSrb) {
      if (row.since != Version{}) {
        adopt(static_cast<Version>(static_cast<uint16_t>(row.since) - 1));
        EXPECT_EQ(say(row.type).error(), Error::NotSupported);
      }
      if (row.feature != 0) {
        adopt(Version::Win10, kNoFeature);
        EXPECT_EQ(say(row.type).error(), Error::NotSupported);
      }
      adopt(Version::Win10);
      EXPECT_TRUE(say(row.type).ok());
    }
  }
}

TEST_F(StorageTable, TheHostsOwnAreNotSaid) {
  EXPECT_EQ(say(Operation::EnumerateBus).error(), Error::NotSupported);
  EXPECT_EQ(say(static_cast<Operation>(99)).error(), Error::NotSupported);
}

TEST(StorageHandshake, AsksForNoSubChannelsBelow51) {
  Handshake handshake({.sub_channels = 8});
  handshake.answered(test::answer()).take();
  while (handshake.state() == Handshake::State::QueryVersion) {
    const auto packet = handshake.packet();
    wire::storvsc::ProtocolVersion asked;
    std::memcpy(&asked, packet.body.bytes.data(), sizeof(asked));
    handshake.answered(test::answer(asked.version == Version::Win7 ? 0u : 1u)).take();
  }
  wire::storvsc::ChannelProperties properties{};
  properties.max_sub_channels = 8;
  properties.flags = wire::storvsc::kSupportsMultiChannel;
  properties.max_transfer_bytes = 1 << 20;
  handshake.answered(test::answer_with(properties)).take();
  handshake.answered(test::answer()).take();
  EXPECT_TRUE(handshake.done());
  EXPECT_EQ(handshake.properties().sub_channels, 0);
}

}  // namespace
}  // namespace hv::storvsc
