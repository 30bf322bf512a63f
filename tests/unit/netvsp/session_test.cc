// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/netvsp/session.hpp"

#include <gtest/gtest.h>

#include <cstring>

namespace hv::host::netvsp {
namespace {

namespace proto = wire::netvsc;
using proto::Version;

template <typename T>
T body(const Outgoing& message) {
  T value{};
  std::memcpy(&value, message.bytes().data() + sizeof(proto::Header), sizeof(value));
  return value;
}

struct SessionTest : ::testing::Test {
  proto::InitComplete init(Version least, Version most) {
    return body<proto::InitComplete>(
        std::get<Answer>(session.handle(proto::Init{least, most})).message);
  }
  void negotiate(Version version = Version::V6_1) {
    ASSERT_EQ(init(version, version).status, proto::Status::Success);
  }
  void ask(Buffer which, uint32_t gpadl = 5) {
    const Step step = session.handle(OfferBuffer{which, {gpadl, 0xcafe}});
    ASSERT_EQ(std::get<FindBuffer>(step).gpadl_id, gpadl);
  }
  Session session{{.newest = Version::V6_1, .queues = 4}};
};

TEST_F(SessionTest, EachVersionIsTakenOnce) {
  for (const Version version :
       {Version::V1, Version::V2, Version::V4, Version::V5, Version::V6, Version::V6_1}) {
    session.reset();
    EXPECT_EQ(init(static_cast<Version>(0x70000), static_cast<Version>(0x70000)).status,
              proto::Status::ProtocolUnsupported);
    EXPECT_EQ(init(version, version).version, version);
    EXPECT_EQ(session.version(), version);
    EXPECT_EQ(init(version, version).status, proto::Status::Failure);
  }
}

TEST_F(SessionTest, OfARangeTheNewestIsTaken) {
  EXPECT_EQ(init(Version::V2, Version::V5).version, Version::V5);
}

TEST_F(SessionTest, NothingNewerThanTheLimit) {
  Session old({.newest = Version::V4, .queues = 4});
  const auto answer = body<proto::InitComplete>(
      std::get<Answer>(old.handle(proto::Init{Version::V5, Version::V5})).message);
  EXPECT_EQ(answer.status, proto::Status::ProtocolUnsupported);
  EXPECT_FALSE(old.version());
}

TEST_F(SessionTest, TheReceiveBufferIsCutByTheMtu) {
  negotiate();
  session.handle(proto::NdisConfig{9014, 0, 0});
  ask(Buffer::Receive);
  const auto answer =
      body<proto::ReceiveBufferComplete>(session.buffer_found(Buffer::Receive, 16 << 20));
  EXPECT_EQ(answer.status, proto::Status::Success);
  EXPECT_EQ(answer.run_count, 1u);
  EXPECT_GE(answer.run.section_size, 9014u + 44u);
  EXPECT_LE(uint64_t{answer.run.section_size} * answer.run.section_count, uint64_t{16 << 20});
  EXPECT_EQ(session.receive_buffer_id(), 0xcafe);
}

TEST_F(SessionTest, AWildMtuIsBounded) {
  negotiate();
  session.handle(proto::NdisConfig{0xffffffff, 0, 0});
  EXPECT_LE(session.frame_size(), 65535u + 18u);
  session.handle(proto::NdisConfig{0, 0, 0});
  EXPECT_GE(session.frame_size(), 82u);
}

TEST_F(SessionTest, BuffersThatAreNotThereOrTooSmallAreRefused) {
  negotiate();
  for (const uint64_t bytes : {0, 4096 / 4}) {
    ask(Buffer::Receive);
    EXPECT_EQ(
        body<proto::ReceiveBufferComplete>(session.buffer_found(Buffer::Receive, bytes)).status,
        proto::Status::Failure);
    ask(Buffer::Send);
    EXPECT_EQ(body<proto::SendBufferComplete>(session.buffer_found(Buffer::Send, bytes)).status,
              proto::Status::Failure);
  }
}

TEST_F(SessionTest, ASecondBufferIsRefusedAndTheFirstStays) {
  negotiate();
  ask(Buffer::Receive);
  EXPECT_TRUE(std::holds_alternative<Answer>(session.handle(OfferBuffer{Buffer::Receive, {6, 1}})));
  EXPECT_EQ(
      body<proto::ReceiveBufferComplete>(session.buffer_found(Buffer::Receive, 1 << 20)).status,
      proto::Status::Success);
  EXPECT_TRUE(std::holds_alternative<Answer>(session.handle(OfferBuffer{Buffer::Receive, {6, 1}})));
  EXPECT_EQ(session.receive_buffer_id(), 0xcafe);
  EXPECT_TRUE(
      std::holds_alternative<DropBuffer>(session.handle(RevokeBuffer{Buffer::Receive, 0xcafe})));
  ask(Buffer::Receive, 7);
}

TEST_F(SessionTest, NothingWithoutAVersion) {
  EXPECT_TRUE(std::holds_alternative<Answer>(session.handle(OfferBuffer{Buffer::Receive, {5, 1}})));
  EXPECT_EQ(std::get<OfferChannels>(session.handle(proto::SubChannelRequest{1, 3})).count, 0);
}

TEST_F(SessionTest, NoMoreSubChannelsThanQueues) {
  negotiate();
  EXPECT_EQ(std::get<OfferChannels>(session.handle(proto::SubChannelRequest{1, 3})).count,
            0);  // no buffer yet
  ask(Buffer::Receive);
  (void)session.buffer_found(Buffer::Receive, 1 << 20);
  EXPECT_EQ(std::get<OfferChannels>(session.handle(proto::SubChannelRequest{1, 2})).count, 2);
  EXPECT_EQ(std::get<OfferChannels>(session.handle(proto::SubChannelRequest{1, 0xffffffff})).count,
            3);
  EXPECT_EQ(std::get<OfferChannels>(session.handle(proto::SubChannelRequest{7, 3})).count, 0);
}

TEST_F(SessionTest, SubChannelsCameWithVersion5) {
  negotiate(Version::V4);
  ask(Buffer::Receive);
  (void)session.buffer_found(Buffer::Receive, 1 << 20);
  EXPECT_EQ(std::get<OfferChannels>(session.handle(proto::SubChannelRequest{1, 2})).count, 0);
}

TEST_F(SessionTest, TheDataPathIsWhatTheGuestAskedForLast) {
  negotiate();
  EXPECT_TRUE(
      std::holds_alternative<Answer>(session.handle(proto::SwitchDataPath{proto::DataPath::Vf})));
  EXPECT_EQ(session.data_path(), proto::DataPath::Synthetic) << "it has said that it takes none";
  session.handle(proto::NdisConfig{1514, 0, proto::kCapabilitySriov});
  EXPECT_EQ(session.data_path(), proto::DataPath::Synthetic);
  EXPECT_TRUE(std::holds_alternative<SwitchPath>(
      session.handle(proto::SwitchDataPath{proto::DataPath::Vf})));
  EXPECT_EQ(session.data_path(), proto::DataPath::Vf);
  session.handle(proto::SwitchDataPath{static_cast<proto::DataPath>(7)});
  EXPECT_EQ(session.data_path(), proto::DataPath::Synthetic);
  session.handle(proto::SwitchDataPath{proto::DataPath::Vf});
  session.reset();
  EXPECT_EQ(session.data_path(), proto::DataPath::Synthetic);
}

TEST_F(SessionTest, AGuestSaysWhetherItTakesFunctions) {
  negotiate();
  EXPECT_FALSE(session.takes_function());
  session.handle(proto::NdisConfig{1514, 0, proto::kCapabilitySriov});
  EXPECT_TRUE(session.takes_function());
  session.reset();
  negotiate(Version::V2);
  session.handle(proto::NdisConfig{1514, 0, proto::kCapabilitySriov});
  EXPECT_FALSE(session.takes_function()) << "functions came with version 4";
}

TEST(NvspMessage, ShortOnesAreRefused) {
  for (const uint32_t type : {1u, 100u, 101u, 103u, 104u, 106u, 107u, 125u, 129u, 133u}) {
    std::array<std::byte, 4> bytes;
    std::memcpy(bytes.data(), &type, 4);
    EXPECT_FALSE(parse_message(bytes)) << type;
    EXPECT_FALSE(parse_message(std::span(bytes).first(3)));
  }
  constexpr uint32_t kNone = 9999;
  std::array<std::byte, 4> bytes;
  std::memcpy(bytes.data(), &kNone, 4);
  EXPECT_TRUE(std::holds_alternative<Unknown>(parse_message(bytes).take()));
}

}  // namespace
}  // namespace hv::host::netvsp
