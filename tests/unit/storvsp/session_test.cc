// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/storvsp/session.hpp"

#include <gtest/gtest.h>

#include <cstring>

namespace hv::host::storvsp {
namespace {

namespace proto = wire::storvsc;
using proto::Operation;

struct Answer {
  proto::Header header;
  proto::ProtocolVersion version;
  size_t size;
};

class SessionTest : public ::testing::Test {
 protected:
  Answer say(Operation operation, proto::Version version = {}, uint16_t channels = 0,
             bool primary = true) {
    Incoming packet{.operation = operation,
                    .transaction_id = 1,
                    .size = 64,
                    .version = version,
                    .sub_channels = channels};
    const Outgoing out = session.handle(packet, primary, [this](uint16_t count) {
      offered = count;
      return can_offer;
    });
    Answer answer{{}, {}, out.bytes().size()};
    std::memcpy(&answer.header, out.bytes().data(), sizeof(answer.header));
    std::memcpy(&answer.version, out.bytes().data() + sizeof(answer.header),
                sizeof(answer.version));
    EXPECT_EQ(answer.header.operation, Operation::CompleteIo);
    return answer;
  }
  uint32_t status(Operation operation, proto::Version version = {}) {
    return say(operation, version).header.status;
  }
  void negotiate(proto::Version version) {
    status(Operation::BeginInitialization);
    status(Operation::QueryProtocolVersion, version);
    status(Operation::QueryProperties);
    status(Operation::EndInitialization);
  }

  Session session{{.newest = proto::Version::Win10, .max_sub_channels = 4}};
  uint16_t offered = 0xffff;
  bool can_offer = true;
};

TEST_F(SessionTest, FallsBackOverUnknownVersions) {
  EXPECT_EQ(status(Operation::BeginInitialization), proto::kStatusSuccess);
  const Answer refused = say(Operation::QueryProtocolVersion, static_cast<proto::Version>(0x0700));
  EXPECT_EQ(refused.header.status, proto::kStatusRevisionMismatch);
  EXPECT_EQ(refused.size, 64u);
  for (const auto version : {proto::Version::Win10}) {
    const Answer taken = say(Operation::QueryProtocolVersion, version);
    EXPECT_EQ(taken.header.status, proto::kStatusSuccess);
    EXPECT_EQ(taken.version.version, version);
  }
}

TEST_F(SessionTest, KnowsEveryVersionOfGuests) {
  for (const auto version : {proto::Version::Win2008, proto::Version::Win7, proto::Version::Win8,
                             proto::Version::Win8_1, proto::Version::Win10}) {
    negotiate(version);
    EXPECT_TRUE(session.ready());
    EXPECT_EQ(session.version(), static_cast<uint16_t>(version));
    EXPECT_EQ(session.packet_size(), version < proto::Version::Win8 ? 48u : 64u);
    session.reset();
    EXPECT_FALSE(session.ready());
  }
}

TEST_F(SessionTest, OrderIsKept) {
  EXPECT_EQ(status(Operation::QueryProtocolVersion, proto::Version::Win10),
            proto::kStatusInvalidDeviceState);
  EXPECT_EQ(status(Operation::BeginInitialization), proto::kStatusSuccess);
  EXPECT_EQ(status(Operation::BeginInitialization), proto::kStatusInvalidDeviceState);
  EXPECT_EQ(status(Operation::EndInitialization), proto::kStatusInvalidDeviceState);
  EXPECT_EQ(status(Operation::ResetBus), proto::kStatusInvalidDeviceState);
}

TEST_F(SessionTest, SubChannelsAreBoundedAndThePrimarysAlone) {
  negotiate(proto::Version::Win10);
  EXPECT_EQ(say(Operation::CreateSubChannels, {}, 4).header.status, proto::kStatusSuccess);
  EXPECT_EQ(offered, 4);
  EXPECT_EQ(say(Operation::CreateSubChannels, {}, 5).header.status, proto::kStatusInvalidParameter);
  EXPECT_EQ(say(Operation::CreateSubChannels, {}, 1, false).header.status,
            proto::kStatusInvalidDeviceState);
  can_offer = false;
  EXPECT_EQ(say(Operation::CreateSubChannels, {}, 2).header.status, proto::kStatusInvalidParameter);
  EXPECT_EQ(status(Operation::ResetBus), proto::kStatusSuccess);
}

TEST_F(SessionTest, OldVersionsHaveNoSubChannelsAndNoEnumerateBus) {
  negotiate(proto::Version::Win2008);
  EXPECT_EQ(say(Operation::CreateSubChannels, {}, 1).header.status, proto::kStatusInvalidParameter);
  EXPECT_FALSE(session.knows_enumerate_bus());
  EXPECT_EQ(status(static_cast<Operation>(99)), proto::kStatusInvalidDeviceState);
}

}  // namespace
}  // namespace hv::host::storvsp
