// SPDX-License-Identifier: GPL-2.0-only OR MIT
// Every wait ends; what the host may still be using stays out of reach until it has let go.
#include "tests/unit/vmbus_connection/guest.hpp"

namespace hv::vmbus::test {
namespace {

using testing::ElementsAre;
using Kind = Event::Kind;

struct TimeLimit : testing::Test {
  void SetUp() override {
    guest.connect();
    channel = guest.offered(3);
  }
  void time_out() {
    guest.connection.expire(guest.connection.next_deadline() - 1);
    EXPECT_FALSE(guest.done(request));
    guest.connection.expire(guest.connection.next_deadline());
    const auto end = guest.done(request);
    ASSERT_TRUE(end);
    EXPECT_EQ(end->error, Error::TimedOut);
    EXPECT_EQ(guest.connection.next_deadline(), ~Time{0});
  }
  Guest guest;
  Channel* channel = nullptr;
  Gpadl gpadl;
  Request request;
  std::vector<uint64_t> frames = std::vector<uint64_t>(4, 9);
};

TEST_F(TimeLimit, EndAContact) {
  Guest other;
  ASSERT_TRUE(other.connection.connect(request, 5).ok());
  other.sent();
  EXPECT_EQ(other.connection.next_deadline(), 60'005u);
  other.connection.expire(60'005);
  EXPECT_EQ(other.done(request)->error, Error::TimedOut);
  EXPECT_TRUE(other.connection.connect(request, 0).ok());
}

TEST_F(TimeLimit, EndAnOpenAndTheLateAnswerClosesTheChannel) {
  guest.make_gpadl(*channel, gpadl);
  ASSERT_TRUE(guest.connection.open(*channel, gpadl, 2, 0, {}, request, 0).ok());
  const auto id = guest.sent()[0].as<wire::OpenChannel>().open_id;
  time_out();
  EXPECT_EQ(channel->state(), Channel::State::OpenLost);
  EXPECT_EQ(guest.connection.open(*channel, gpadl, 2, 0, {}, request, 0).error(), Error::BadState);
  // The owner gives up its ring: told at once that the host may have it, and later that it has not.
  ASSERT_TRUE(guest.connection.teardown_gpadl(gpadl, &request, 0).ok());
  EXPECT_EQ(guest.done(request)->error, Error::TimedOut);
  EXPECT_TRUE(gpadl.host_may_use());
  ASSERT_TRUE(guest.host(MessageType::OpenChannelResult, wire::OpenChannelResult{3, id, 0}).ok());
  EXPECT_THAT(guest.sent_types(),
              ElementsAre(MessageType::CloseChannel, MessageType::GpadlTeardown));
  ASSERT_TRUE(guest.host(MessageType::GpadlTorndown, wire::GpadlTorndown{gpadl.id()}).ok());
  EXPECT_THAT(guest.event_kinds(), ElementsAre(Kind::GpadlReleased));
  EXPECT_EQ(channel->state(), Channel::State::Offered);
}

TEST_F(TimeLimit, EndAnOpenThatFailsLate) {
  guest.make_gpadl(*channel, gpadl);
  ASSERT_TRUE(guest.connection.open(*channel, gpadl, 2, 0, {}, request, 0).ok());
  const auto id = guest.sent()[0].as<wire::OpenChannel>().open_id;
  time_out();
  ASSERT_TRUE(guest.host(MessageType::OpenChannelResult, wire::OpenChannelResult{3, id, 1}).ok());
  EXPECT_TRUE(guest.sent().empty());
  EXPECT_TRUE(guest.connection.open(*channel, gpadl, 2, 0, {}, request, 0).ok());
}

TEST_F(TimeLimit, EndAnOpenWhoseChannelIsLetGoOfMeanwhile) {
  guest.make_gpadl(*channel, gpadl);
  ASSERT_TRUE(guest.connection.open(*channel, gpadl, 2, 0, {}, request, 0).ok());
  const auto id = guest.sent()[0].as<wire::OpenChannel>().open_id;
  time_out();
  ASSERT_TRUE(guest.connection.teardown_gpadl(gpadl, nullptr, 0).ok());
  ASSERT_TRUE(guest.connection.release(*channel).ok());
  EXPECT_TRUE(guest.events().empty());
  ASSERT_TRUE(guest.host(MessageType::OpenChannelResult, wire::OpenChannelResult{3, id, 0}).ok());
  EXPECT_THAT(guest.sent_types(),
              ElementsAre(MessageType::CloseChannel, MessageType::GpadlTeardown));
  EXPECT_THAT(guest.event_kinds(), ElementsAre(Kind::ChannelFreed));
}

TEST_F(TimeLimit, EndAnOpenThatIsNeverSent) {
  guest.make_gpadl(*channel, gpadl);
  ASSERT_TRUE(guest.connection.open(*channel, gpadl, 2, 0, {}, request, 0).ok());
  Post post;
  ASSERT_TRUE(guest.connection.next_post(post));
  time_out();
  ASSERT_TRUE(guest.connection.teardown_gpadl(gpadl, nullptr, 0).ok());
  ASSERT_TRUE(guest.connection.release(*channel).ok());
  guest.connection.posted(false);
  EXPECT_THAT(guest.event_kinds(), ElementsAre(Kind::ChannelFreed));
  EXPECT_THAT(guest.sent_types(), ElementsAre(MessageType::GpadlTeardown));
}

TEST_F(TimeLimit, EndAnOpenThatWasNeverPosted) {
  guest.make_gpadl(*channel, gpadl);
  ASSERT_TRUE(guest.connection.open(*channel, gpadl, 2, 0, {}, request, 0).ok());
  time_out();
  EXPECT_TRUE(guest.sent().empty());
  EXPECT_EQ(channel->state(), Channel::State::Offered);
}

TEST_F(TimeLimit, EndAGpadlAndTheLateSuccessIsTornDown) {
  ASSERT_TRUE(guest.connection.create_gpadl(*channel, gpadl, frames, 4 * 4096, 0, request, 0).ok());
  guest.sent();
  time_out();
  EXPECT_EQ(gpadl.state(), Gpadl::State::Lost);
  ASSERT_TRUE(guest.host(MessageType::GpadlCreated, wire::GpadlCreated{3, gpadl.id(), 0}).ok());
  EXPECT_THAT(guest.sent_types(), ElementsAre(MessageType::GpadlTeardown));
  ASSERT_TRUE(guest.host(MessageType::GpadlTorndown, wire::GpadlTorndown{gpadl.id()}).ok());
  EXPECT_THAT(guest.event_kinds(), ElementsAre(Kind::GpadlReleased));
}

TEST_F(TimeLimit, EndAGpadlAndTheLateFailureReleasesIt) {
  ASSERT_TRUE(guest.connection.create_gpadl(*channel, gpadl, frames, 4 * 4096, 0, request, 0).ok());
  guest.sent();
  time_out();
  ASSERT_TRUE(guest.host(MessageType::GpadlCreated, wire::GpadlCreated{3, gpadl.id(), 1}).ok());
  EXPECT_THAT(guest.event_kinds(), ElementsAre(Kind::GpadlReleased));
  EXPECT_TRUE(guest.sent().empty());
}

TEST_F(TimeLimit, WhatIsTakenBackIsNotReleasedOnceMore) {
  ASSERT_TRUE(guest.connection.create_gpadl(*channel, gpadl, frames, 4 * 4096, 0, request, 0).ok());
  guest.sent();
  EXPECT_EQ(guest.connection.abandon(request).error(), Error::TimedOut);
  EXPECT_FALSE(guest.connection.take_back(gpadl));
  ASSERT_TRUE(guest.host(MessageType::GpadlCreated, wire::GpadlCreated{3, gpadl.id(), 1}).ok());
  EXPECT_TRUE(guest.connection.take_back(gpadl));
  EXPECT_TRUE(guest.events().empty());
}

TEST_F(TimeLimit, EndATeardownAndTheLateAnswerReleasesIt) {
  guest.make_gpadl(*channel, gpadl);
  ASSERT_TRUE(guest.connection.teardown_gpadl(gpadl, &request, 0).ok());
  guest.sent();
  time_out();
  EXPECT_TRUE(gpadl.host_may_use());
  ASSERT_TRUE(guest.host(MessageType::GpadlTorndown, wire::GpadlTorndown{gpadl.id()}).ok());
  EXPECT_THAT(guest.event_kinds(), ElementsAre(Kind::GpadlReleased));
}

TEST_F(TimeLimit, EndAModifyWhichStaysInFlight) {
  guest.open(*channel, gpadl);
  ASSERT_TRUE(guest.connection.modify(*channel, 1, request, 0).ok());
  guest.sent();
  time_out();
  EXPECT_TRUE(channel->modifying());  // either VP may be interrupted
  ASSERT_TRUE(
      guest.host(MessageType::ModifyChannelResponse, wire::ModifyChannelResponse{3, 0}).ok());
  EXPECT_FALSE(channel->modifying());
  EXPECT_EQ(channel->target_vp(), 1u);
}

TEST_F(TimeLimit, AbandonedRequestsAreTheCallersAgain) {
  ASSERT_TRUE(guest.connection.create_gpadl(*channel, gpadl, frames, 4 * 4096, 0, request, 0).ok());
  guest.sent();
  EXPECT_EQ(guest.connection.abandon(request).error(), Error::TimedOut);
  EXPECT_FALSE(request.waiting());
  EXPECT_EQ(guest.connection.abandon(request).error(), Error::BadState);
  EXPECT_TRUE(guest.events().empty());
}

TEST_F(TimeLimit, AbandonAfterTheAnswerReturnsTheAnswer) {
  ASSERT_TRUE(guest.connection.create_gpadl(*channel, gpadl, frames, 4 * 4096, 0, request, 0).ok());
  guest.sent();
  ASSERT_TRUE(guest.host(MessageType::GpadlCreated, wire::GpadlCreated{3, gpadl.id(), 0}).ok());
  EXPECT_TRUE(guest.connection.abandon(request).ok());
  EXPECT_TRUE(guest.events().empty());
  EXPECT_EQ(gpadl.state(), Gpadl::State::Live);
}

TEST_F(TimeLimit, AGpadlHalfSentIsNotSentOn) {
  const std::vector<uint64_t> many(100, 9);
  ASSERT_TRUE(guest.connection.create_gpadl(*channel, gpadl, many, 100 * 4096, 0, request, 0).ok());
  Post post;
  ASSERT_TRUE(guest.connection.next_post(post));
  EXPECT_EQ(guest.connection.abandon(request).error(), Error::TimedOut);
  guest.connection.posted(true);
  EXPECT_TRUE(guest.sent().empty());
  EXPECT_TRUE(gpadl.host_may_use());
}

TEST_F(TimeLimit, APausedMachineHasTimeToTakeTheAnswer) {
  guest.make_gpadl(*channel, gpadl);
  ASSERT_TRUE(guest.connection.open(*channel, gpadl, 2, 0, {}, request, 0).ok());
  const auto id = guest.sent()[0].as<wire::OpenChannel>().open_id;
  guest.connection.expire(30'000);
  guest.connection.expire(65'000);
  EXPECT_FALSE(guest.done(request));
  EXPECT_GT(guest.connection.next_deadline(), 65'000u);
  ASSERT_TRUE(guest.host(MessageType::OpenChannelResult, wire::OpenChannelResult{3, id, 0}).ok());
  EXPECT_TRUE(guest.done(request)->ok);
  EXPECT_EQ(channel->state(), Channel::State::Open);
}

TEST_F(TimeLimit, EndAWaitBehindAPauseAllTheSame) {
  guest.open(*channel, gpadl);
  ASSERT_TRUE(guest.connection.modify(*channel, 1, request, 0).ok());
  guest.sent();
  guest.connection.expire(95'000);
  EXPECT_FALSE(guest.done(request));
  time_out();
}

TEST_F(TimeLimit, EndAWaitThroughHoweverManyPauses) {
  guest.open(*channel, gpadl);
  ASSERT_TRUE(guest.connection.modify(*channel, 1, request, 0).ok());
  guest.sent();
  guest.connection.expire(~Time{0} - 1);
  EXPECT_FALSE(guest.done(request));
  guest.connection.expire(~Time{0});
  EXPECT_EQ(guest.done(request)->error, Error::TimedOut);
}

TEST_F(TimeLimit, ARescindedChannelIsNotGivenUpBehindAPause) {
  guest.make_gpadl(*channel, gpadl);
  ASSERT_TRUE(guest.connection.teardown_gpadl(gpadl, nullptr, 1000).ok());
  guest.sent();
  ASSERT_TRUE(guest.host(MessageType::RescindChannelOffer, wire::ChannelId{3}).ok());
  ASSERT_TRUE(guest.connection.release(*channel).ok());
  guest.events();
  guest.connection.expire(38'000);
  EXPECT_TRUE(gpadl.host_may_use()) << "the host has not said so yet";
  ASSERT_TRUE(guest.host(MessageType::GpadlTorndown, wire::GpadlTorndown{gpadl.id()}).ok());
  EXPECT_FALSE(gpadl.host_may_use());
}

}  // namespace
}  // namespace hv::vmbus::test
