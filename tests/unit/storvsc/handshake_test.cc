// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "core/storvsc/handshake.hpp"

#include <gtest/gtest.h>

#include "tests/unit/storvsc/answers.hpp"

namespace hv::storvsc {
namespace {

using State = Handshake::State;
using wire::storvsc::Operation;

std::vector<std::byte> properties(uint32_t max_transfer, uint16_t sub_channels,
                                  uint32_t flags = wire::storvsc::kSupportsMultiChannel) {
  wire::storvsc::ChannelProperties body{};
  body.max_sub_channels = sub_channels;
  body.flags = flags;
  body.max_transfer_bytes = max_transfer;
  return test::answer_with(body);
}

wire::storvsc::Version asked_version(const Handshake& handshake) {
  wire::storvsc::ProtocolVersion body;
  const auto packet = handshake.packet();
  std::memcpy(&body, packet.body.bytes.data(), sizeof(body));
  return body.version;
}

/// Up to QueryProperties.
Handshake at_properties(const Wishes& wishes = {}) {
  Handshake handshake(wishes);
  EXPECT_TRUE(handshake.answered(test::answer()).ok());
  EXPECT_TRUE(handshake.answered(test::answer()).ok());
  EXPECT_EQ(handshake.state(), State::QueryProperties);
  return handshake;
}

TEST(Handshake, GoesThroughToASingleChannel) {
  Handshake handshake({});
  EXPECT_EQ(handshake.packet().header.operation, Operation::BeginInitialization);
  ASSERT_TRUE(handshake.answered(test::answer()).ok());
  EXPECT_EQ(handshake.packet().header.operation, Operation::QueryProtocolVersion);
  EXPECT_EQ(asked_version(handshake), wire::storvsc::Version::Win10);
  ASSERT_TRUE(handshake.answered(test::answer()).ok());
  EXPECT_EQ(handshake.packet().header.operation, Operation::QueryProperties);
  ASSERT_TRUE(handshake.answered(properties(1 << 20, 16)).ok());
  EXPECT_EQ(handshake.packet().header.operation, Operation::EndInitialization);
  ASSERT_TRUE(handshake.answered(test::answer()).ok());
  EXPECT_TRUE(handshake.done());
  EXPECT_EQ(handshake.properties().max_transfer, 1u << 20);
  EXPECT_EQ(handshake.properties().sub_channels, 0);
}

TEST(Handshake, FallsBackVersionByVersion) {
  Handshake handshake({});
  ASSERT_TRUE(handshake.answered(test::answer()).ok());
  for (const auto& dialect : kDialects) {
    EXPECT_EQ(asked_version(handshake), dialect.version);
    if (dialect.version == kDialects.back().version) break;
    ASSERT_TRUE(handshake.answered(test::answer(wire::storvsc::kStatusRevisionMismatch)).ok());
  }
  ASSERT_TRUE(handshake.answered(test::answer()).ok());
  EXPECT_EQ(handshake.properties().dialect.packet_size, 48);
}

TEST(Handshake, GivesUpWithoutACommonVersion) {
  Handshake handshake({});
  ASSERT_TRUE(handshake.answered(test::answer()).ok());
  for (size_t i = 0; i + 1 < kDialects.size(); i++)
    ASSERT_TRUE(handshake.answered(test::answer(1)).ok());
  EXPECT_EQ(handshake.answered(test::answer(1)).error(), Error::NotSupported);
  EXPECT_EQ(handshake.state(), State::Failed);
}

TEST(Handshake, AsksForNoMoreSubChannelsThanTheHostHas) {
  auto handshake = at_properties({.sub_channels = 31});
  ASSERT_TRUE(handshake.answered(properties(1 << 20, 4)).ok());
  ASSERT_TRUE(handshake.answered(test::answer()).ok());
  ASSERT_EQ(handshake.state(), State::CreateSubChannels);
  const auto packet = handshake.packet();
  EXPECT_EQ(packet.header.operation, Operation::CreateSubChannels);
  EXPECT_EQ(std::to_integer<int>(packet.body.bytes[0]), 4);
  ASSERT_TRUE(handshake.answered(test::answer()).ok());
  EXPECT_TRUE(handshake.done());
  EXPECT_EQ(handshake.properties().sub_channels, 4);
}

TEST(Handshake, ARefusalOfSubChannelsLeavesOneChannel) {
  auto handshake = at_properties({.sub_channels = 1});
  ASSERT_TRUE(handshake.answered(properties(1 << 20, 4)).ok());
  ASSERT_TRUE(handshake.answered(test::answer()).ok());
  ASSERT_TRUE(handshake.answered(test::answer(wire::storvsc::kStatusInvalidParameter)).ok());
  EXPECT_TRUE(handshake.done());
  EXPECT_EQ(handshake.properties().sub_channels, 0);
}

TEST(Handshake, TakesNoSubChannelsFromAHostWithoutThem) {
  auto handshake = at_properties({.sub_channels = 8});
  ASSERT_TRUE(handshake.answered(properties(1 << 20, 4, 0)).ok());
  ASSERT_TRUE(handshake.answered(test::answer()).ok());
  EXPECT_TRUE(handshake.done());
}

TEST(Handshake, BoundsTheTransferSize) {
  for (const auto& [said, taken] :
       {std::pair{0xffffffffu, kMostTransfer}, {8191u, 4096u}, {262144u, 262144u}}) {
    auto handshake = at_properties();
    ASSERT_TRUE(handshake.answered(properties(said, 0)).ok());
    EXPECT_EQ(handshake.properties().max_transfer, taken);
  }
  auto handshake = at_properties();
  EXPECT_EQ(handshake.answered(properties(4095, 0)).error(), Error::BadValue);
  EXPECT_EQ(handshake.state(), State::Failed);
}

TEST(Handshake, AsksFibreChannelForItsNames) {
  auto handshake = at_properties({.fibre_channel = true});
  ASSERT_TRUE(handshake.answered(properties(1 << 20, 0)).ok());
  EXPECT_EQ(handshake.packet().header.operation, Operation::FcHbaData);
  wire::storvsc::FcHbaData data{};
  data.primary_active = 1;
  data.primary_port_name[7] = 5;
  ASSERT_TRUE(handshake.answered(test::answer_with(data)).ok());
  EXPECT_EQ(handshake.properties().names.port, 5u);
  ASSERT_TRUE(handshake.answered(test::answer()).ok());
  EXPECT_TRUE(handshake.done());
}

TEST(Handshake, FailsOnWhatIsNoAnswer) {
  const auto whole = test::answer();
  for (const size_t length : {0, 4, 11}) {
    Handshake handshake({});
    EXPECT_EQ(handshake.answered(std::span(whole).first(length)).error(), Error::Truncated);
    EXPECT_EQ(handshake.state(), State::Failed);
    EXPECT_EQ(handshake.answered(test::answer()).error(), Error::BadState);
  }
  Handshake handshake({});
  EXPECT_EQ(handshake.answered(test::answer(0, Operation::FcHbaData)).error(), Error::BadValue);
}

TEST(Handshake, FailsOnARefusal) {
  Handshake handshake({});
  EXPECT_EQ(handshake.answered(test::answer(wire::storvsc::kStatusInvalidDeviceState)).error(),
            Error::Refused);
  auto later = at_properties();
  EXPECT_EQ(later.answered(test::answer(1)).error(), Error::Refused);
  EXPECT_EQ(later.state(), State::Failed);
}

}  // namespace
}  // namespace hv::storvsc
