// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "core/ic/heartbeat.hpp"

#include <gtest/gtest.h>

#include "core/ic/ic.h"
#include "tests/unit/ic/messages.hpp"

namespace hv::ic::test {
namespace {

using proto::MessageType;

constexpr uint8_t kAnswer = proto::kFlagTransaction | proto::kFlagResponse;

Bytes beat(uint64_t sequence) {
  return message(MessageType::Heartbeat, join(proto::Heartbeat{sequence, 7, {5}}));
}

class HeartbeatTest : public testing::Test {
 protected:
  void agree() {
    Bytes bytes = offer({3, 0}, {3, 0});
    ASSERT_TRUE(heartbeat.answer(bytes).ok());
    ASSERT_TRUE(heartbeat.service().ready());
  }
  Heartbeat heartbeat;
};

TEST_F(HeartbeatTest, ChoosesVersionsInPlace) {
  Bytes bytes = message(MessageType::Negotiate,
                        join(proto::Negotiate{2, 2, 0}, proto::Version{1, 0}, proto::Version{3, 0},
                             proto::Version{1, 0}, proto::Version{3, 0}));
  const size_t size = bytes.size();
  ASSERT_TRUE(heartbeat.answer(bytes).ok());
  EXPECT_EQ(bytes.size(), size);
  EXPECT_EQ(header(bytes).flags, kAnswer);
  EXPECT_EQ(header(bytes).transaction, 9) << "as the host gave it";
  EXPECT_EQ(header(bytes).size, 16);
  EXPECT_EQ(payload<proto::Negotiate>(bytes).framework_count, 1);
  EXPECT_EQ(heartbeat.service().framework(), (proto::Version{3, 0}));
  EXPECT_EQ(heartbeat.service().version(), (proto::Version{3, 0}));
}

TEST_F(HeartbeatTest, SaysTheNextNumberAndLeavesTheRest) {
  agree();
  Bytes bytes = beat(41);
  ASSERT_TRUE(heartbeat.answer(bytes).ok());
  EXPECT_EQ(header(bytes).flags, kAnswer);
  EXPECT_EQ(header(bytes).status, proto::kStatusSuccess);
  const auto said = payload<proto::Heartbeat>(bytes);
  EXPECT_EQ(said.sequence, 42u);
  EXPECT_EQ(said.application_state, 7u);
  EXPECT_EQ(said.reserved[0], 5u);
}

TEST_F(HeartbeatTest, TakesEightBytesAndTheLastNumber) {
  agree();
  Bytes bytes = message(MessageType::Heartbeat, join(~uint64_t{0}));
  ASSERT_TRUE(heartbeat.answer(bytes).ok());
  EXPECT_EQ(payload<uint64_t>(bytes), 0u);
}

TEST_F(HeartbeatTest, AnswersAnOfferOfUnknownVersionsWithNone) {
  Bytes bytes = offer({3, 0}, {9, 0});
  ASSERT_TRUE(heartbeat.answer(bytes).ok());
  EXPECT_EQ(payload<proto::Negotiate>(bytes).framework_count, 0);
  EXPECT_FALSE(heartbeat.service().ready());
  Bytes early = beat(1);
  EXPECT_EQ(heartbeat.answer(early).error(), Error::BadState);
  agree();  // and a host may try again
}

TEST_F(HeartbeatTest, AnswersNothingThatMakesNoSense) {
  agree();
  const auto refused = [&](Bytes bytes) {
    const Bytes before = bytes;
    const auto answered = heartbeat.answer(bytes);
    EXPECT_EQ(bytes, before);
    return answered.ok() ? "answered" : hv::name(answered.error());
  };
  EXPECT_STREQ(refused({}), "truncated");
  EXPECT_STREQ(refused(Bytes(27)), "truncated");
  EXPECT_STREQ(refused(message(MessageType::Heartbeat, Bytes(7))), "truncated");
  EXPECT_STREQ(refused(message(MessageType::Heartbeat, Bytes(40), kAnswer)), "bad value");
  EXPECT_STREQ(refused(message(static_cast<MessageType>(4), Bytes(40))), "bad value");
  Bytes cut = beat(1);
  cut.resize(cut.size() - 8);
  EXPECT_STREQ(refused(cut), "bad length");
  Bytes longer = beat(1);
  longer[18] = std::byte{41};  // the header's size, one more than the pipe's
  EXPECT_STREQ(refused(longer), "bad length");
  Bytes control = beat(1);
  control[0] = std::byte{2};
  EXPECT_STREQ(refused(control), "bad value");
}

TEST(HeartbeatFace, IsTheSameForC) {
  hv_ic_heartbeat heartbeat;
  hv_ic_heartbeat_create(&heartbeat);
  Bytes early = beat(1);
  EXPECT_EQ(hv_ic_heartbeat_answer(&heartbeat, early.data(), early.size()), HV_BAD_STATE);
  Bytes bytes = offer({1, 0}, {1, 0});
  EXPECT_EQ(hv_ic_heartbeat_answer(&heartbeat, bytes.data(), bytes.size()), HV_OK);
  Bytes asked = beat(1);
  EXPECT_EQ(hv_ic_heartbeat_answer(&heartbeat, asked.data(), asked.size()), HV_OK);
  EXPECT_EQ(payload<proto::Heartbeat>(asked).sequence, 2u);
}

}  // namespace
}  // namespace hv::ic::test
