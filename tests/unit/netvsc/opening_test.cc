// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "core/netvsc/opening.hpp"

#include <gtest/gtest.h>

#include "tests/unit/netvsc/bytes.hpp"

namespace hv::netvsc {
namespace {

using test::nvsp;
using State = Opening::State;
using proto = wire::netvsc::MessageType;
using wire::netvsc::Status;
using wire::netvsc::Version;

test::Bytes version_answer(Status status) {
  return nvsp(proto::InitComplete, wire::netvsc::InitComplete{Version::V1, 0, status});
}
test::Bytes receive_answer(wire::netvsc::ReceiveSections run, uint32_t runs = 1,
                           Status status = Status::Success) {
  return nvsp(proto::SendReceiveBufferComplete,
              wire::netvsc::ReceiveBufferComplete{status, runs, run});
}
test::Bytes send_answer(uint32_t size, Status status = Status::Success) {
  return nvsp(proto::SendSendBufferComplete, wire::netvsc::SendBufferComplete{status, size});
}

/// An opening that has agreed on `version` and is at the receive buffer.
Opening at_receive_buffer(Version version, uint32_t bytes = 1 << 20) {
  Opening opening({});
  while (opening.state() == State::Version) {
    const auto asked = test::at<wire::netvsc::Init>(opening.message(), 4).most;
    opening
        .answered(version_answer(asked == version ? Status::Success : Status::ProtocolUnsupported))
        .take();
  }
  while (!opening.wants_answer()) opening.sent().take();
  opening.give_buffer(7, bytes).take();
  return opening;
}

TEST(Opening, FallsBackFromTheNewestVersionToTheOldest) {
  Opening opening({});
  for (const Version version :
       {Version::V6_1, Version::V6, Version::V5, Version::V4, Version::V2, Version::V1}) {
    ASSERT_EQ(opening.state(), State::Version);
    const auto asked = test::at<wire::netvsc::Init>(opening.message(), 4);
    EXPECT_EQ(asked.least, version);
    EXPECT_EQ(asked.most, version);
    const auto answered = opening.answered(version_answer(Status::ProtocolUnsupported));
    EXPECT_EQ(answered.ok(), version != Version::V1);
  }
  EXPECT_EQ(opening.state(), State::Failed);
}

TEST(Opening, TellsWhatTheVersionKnows) {
  Opening opening({.mtu = 9000});
  opening.answered(version_answer(Status::Success)).take();
  ASSERT_EQ(opening.state(), State::Config);
  const auto config = test::at<wire::netvsc::NdisConfig>(opening.message(), 4);
  EXPECT_EQ(config.frame_size, 9014u);
  EXPECT_EQ(config.capabilities, wire::netvsc::kCapabilityVlan | wire::netvsc::kCapabilityTeaming |
                                     wire::netvsc::kCapabilitySriov | wire::netvsc::kCapabilityRsc);
  opening.sent().take();
  EXPECT_EQ(test::at<wire::netvsc::NdisVersion>(opening.message(), 4).minor, 30u);

  Opening old({});
  for (int i = 0; i < 5; i++) old.answered(version_answer(Status::Failure)).take();
  old.answered(version_answer(Status::Success)).take();
  EXPECT_EQ(old.state(), State::NdisVersion) << "version 1 knows no configuration";
  EXPECT_EQ(test::at<wire::netvsc::NdisVersion>(old.message(), 4).minor, 1u);
}

TEST(Opening, GoesThroughWithBothBuffers) {
  Opening opening = at_receive_buffer(Version::V6_1);
  const auto offered = test::at<wire::netvsc::SendBuffer>(opening.message(), 4);
  EXPECT_EQ(offered.gpadl_id, 7u);
  EXPECT_EQ(offered.id, wire::netvsc::kReceiveBufferId);
  opening.answered(receive_answer({0, 1728, 606, 1728 * 606})).take();
  EXPECT_EQ(opening.receive_sections().size, 1728u);
  EXPECT_EQ(opening.receive_sections().count, 606u);
  opening.give_buffer(8, 1 << 20).take();
  opening.answered(send_answer(6144)).take();
  EXPECT_TRUE(opening.done());
  EXPECT_EQ(opening.send_sections().size, 6144u);
  EXPECT_EQ(opening.send_sections().count, 170u);
}

TEST(Opening, RefusesReceiveSectionsThatAreNoneOrReachOut) {
  const wire::netvsc::ReceiveSections bad[] = {
      {0, 0, 10, 0},            // no bytes
      {0, 67, 10, 670},         // smaller than any frame
      {0, 1728, 0, 0},          // none
      {64, 1728, 10, 17344},    // not at the front
      {0, 1728, 607, 1048896},  // past the end
      {0, 0x80000000, 2, 0},    // the product wraps 32 bits
      {0, 0xffffffff, 0xffffffff, 1},
  };
  for (const auto& run : bad) {
    Opening opening = at_receive_buffer(Version::V5);
    EXPECT_FALSE(opening.answered(receive_answer(run)).ok())
        << run.section_size << " x " << run.section_count;
    EXPECT_EQ(opening.state(), State::Failed);
  }
  Opening runs = at_receive_buffer(Version::V5);
  EXPECT_FALSE(runs.answered(receive_answer({0, 1728, 10, 17280}, 2)).ok());
  Opening none = at_receive_buffer(Version::V5);
  EXPECT_FALSE(none.answered(receive_answer({0, 1728, 10, 17280}, 0)).ok());
  Opening refused = at_receive_buffer(Version::V5);
  EXPECT_EQ(refused.answered(receive_answer({}, 0, Status::Failure)).error(), Error::Refused);
}

TEST(Opening, NeverDividesByASectionOfNothing) {
  for (const uint32_t size : {0u, 1u, 67u, (1u << 20) + 1, 0xffffffffu}) {
    Opening opening = at_receive_buffer(Version::V5);
    opening.answered(receive_answer({0, 1728, 10, 17280})).take();
    opening.give_buffer(8, 1 << 20).take();
    EXPECT_EQ(opening.answered(send_answer(size)).error(), Error::BadValue) << size;
  }
}

TEST(Opening, GoesOnWithoutASendBuffer) {
  Opening refused = at_receive_buffer(Version::V5);
  refused.answered(receive_answer({0, 1728, 10, 17280})).take();
  refused.give_buffer(8, 1 << 20).take();
  refused.answered(send_answer(0, Status::Failure)).take();
  EXPECT_TRUE(refused.done());
  EXPECT_EQ(refused.send_sections().count, 0u);

  Opening skipped = at_receive_buffer(Version::V5);
  skipped.answered(receive_answer({0, 1728, 10, 17280})).take();
  skipped.skip_send_buffer().take();
  EXPECT_TRUE(skipped.done());
}

TEST(Opening, RefusesAnAnswerOfAnotherKindOrNoneAtAll) {
  Opening opening({});
  EXPECT_EQ(opening.answered(send_answer(6144)).error(), Error::BadValue);
  Opening empty({});
  EXPECT_EQ(empty.answered({}).error(), Error::Truncated);
  Opening late({});
  late.answered(version_answer(Status::Success)).take();
  EXPECT_EQ(late.answered(version_answer(Status::Success)).error(), Error::BadState)
      << "nothing was asked";
}

TEST(Opening, DoesNotTakeAnOldHostInAConfidentialMachine) {
  Opening opening({.isolated = true});
  opening.answered(version_answer(Status::ProtocolUnsupported)).take();
  EXPECT_EQ(opening.answered(version_answer(Status::Success)).error(), Error::NotSupported);

  Opening newest({.isolated = true});
  newest.answered(version_answer(Status::Success)).take();
  EXPECT_FALSE(test::at<wire::netvsc::NdisConfig>(newest.message(), 4).capabilities &
               wire::netvsc::kCapabilitySriov);
}

TEST(SubChannels, AreNeverMoreThanWereAskedFor) {
  const auto answer = [](Status status, uint32_t count) {
    return nvsp(proto::SubChannel, wire::netvsc::SubChannelComplete{status, count});
  };
  EXPECT_EQ(parse_sub_channel_answer(answer(Status::Success, 3), 7).take(), 3u);
  EXPECT_EQ(parse_sub_channel_answer(answer(Status::Success, 0xffffffff), 7).take(), 7u);
  EXPECT_EQ(parse_sub_channel_answer(answer(Status::Failure, 3), 7).take(), 0u);
  EXPECT_EQ(parse_sub_channel_answer(send_answer(1), 7).error(), Error::BadValue);
  EXPECT_EQ(parse_sub_channel_answer({}, 7).error(), Error::Truncated);
}

}  // namespace
}  // namespace hv::netvsc
