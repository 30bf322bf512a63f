// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "tests/unit/vmbus_connection/guest.hpp"

namespace hv::vmbus::test {
namespace {

using testing::ElementsAre;

struct OpenTest : testing::Test {
  explicit OpenTest(Version version = Version::V5_3)
      : guest(ConnectionConfig{.max_version = version}) {
    guest.connect(version);
    channel = guest.offered(3);
  }
  Result<void> open(uint32_t downstream = 4) {
    return guest.connection.open(*channel, ring, downstream, 2, user_data, request, 0);
  }
  Result<void> answer(uint32_t open_id, uint32_t status = 0) {
    return guest.host(MessageType::OpenChannelResult, wire::OpenChannelResult{3, open_id, status});
  }
  Guest guest;
  Channel* channel;
  Gpadl ring;
  Request request;
  std::vector<std::byte> user_data;
};

TEST_F(OpenTest, SaysWhatTheHostNeedsToKnow) {
  guest.make_gpadl(*channel, ring);
  user_data = {std::byte{1}, std::byte{2}};
  ASSERT_TRUE(open().ok());
  const auto messages = guest.sent();
  ASSERT_EQ(messages.size(), 1u);
  const auto message = messages[0].as<wire::OpenChannel>();
  EXPECT_EQ(message.channel_id, 3u);
  EXPECT_EQ(message.gpadl_id, ring.id());
  EXPECT_EQ(message.target_vp, 2u);
  EXPECT_EQ(message.downstream_offset, 4u);
  EXPECT_EQ(message.user_data[1], std::byte{2});
  EXPECT_EQ(message.user_data[2], std::byte{0});
  ASSERT_TRUE(answer(message.open_id).ok());
  EXPECT_EQ(channel->state(), Channel::State::Open);
  EXPECT_EQ(answer(message.open_id).error(), Error::BadState);
}

TEST_F(OpenTest, NeedsALiveRingOfItsOwn) {
  EXPECT_EQ(open().error(), Error::BadState);
  Channel* other = guest.offered(4);
  guest.make_gpadl(*other, ring);
  EXPECT_EQ(open().error(), Error::BadState);
  Gpadl own;
  guest.make_gpadl(*channel, own, 8);
  EXPECT_EQ(guest.connection.open(*channel, own, 0, 0, {}, request, 0).error(), Error::BadLength);
  EXPECT_EQ(guest.connection.open(*channel, own, 8, 0, {}, request, 0).error(), Error::BadLength);
  EXPECT_EQ(
      guest.connection.open(*channel, own, 4, 0, std::vector<std::byte>(121), request, 0).error(),
      Error::BadLength);
  EXPECT_TRUE(guest.connection.open(*channel, own, 4, 0, {}, request, 0).ok());
}

TEST_F(OpenTest, PostThatFailsAfterItsAnswerIsNotTheNextOnes) {
  guest.make_gpadl(*channel, ring);
  ASSERT_TRUE(open().ok());
  Post post;
  ASSERT_TRUE(guest.connection.next_post(post));
  ASSERT_TRUE(answer(1, 1).ok());
  ASSERT_EQ(guest.done(request)->error, Error::Refused);
  ASSERT_TRUE(open().ok());
  guest.connection.posted(false);
  EXPECT_FALSE(guest.done(request));
  const auto messages = guest.sent();
  ASSERT_EQ(messages.size(), 1u);
  ASSERT_TRUE(answer(messages[0].as<wire::OpenChannel>().open_id).ok());
  EXPECT_TRUE(guest.done(request)->ok);
}

TEST_F(OpenTest, ForgedAnswersAreRefused) {
  guest.make_gpadl(*channel, ring);
  ASSERT_TRUE(open().ok());
  EXPECT_EQ(answer(1).error(), Error::BadState);  // before it was posted
  const auto id = guest.sent()[0].as<wire::OpenChannel>().open_id;
  EXPECT_EQ(answer(id + 1).error(), Error::BadId);
  EXPECT_EQ(
      guest.host(MessageType::OpenChannelResult, wire::OpenChannelResult{2047, id, 0}).error(),
      Error::BadId);
  EXPECT_FALSE(guest.done(request));
}

TEST_F(OpenTest, RefusedCanBeTriedAgain) {
  guest.make_gpadl(*channel, ring);
  ASSERT_TRUE(open().ok());
  const auto id = guest.sent()[0].as<wire::OpenChannel>().open_id;
  ASSERT_TRUE(answer(id, 5).ok());
  EXPECT_EQ(guest.done(request)->host_status, 5u);
  ASSERT_TRUE(open().ok());
  EXPECT_NE(guest.sent()[0].as<wire::OpenChannel>().open_id, id);
}

TEST_F(OpenTest, RescindEndsTheWait) {
  guest.make_gpadl(*channel, ring);
  ASSERT_TRUE(open().ok());
  const auto id = guest.sent()[0].as<wire::OpenChannel>().open_id;
  ASSERT_TRUE(guest.host(MessageType::RescindChannelOffer, wire::ChannelId{3}).ok());
  EXPECT_EQ(guest.done(request)->error, Error::Gone);
  EXPECT_TRUE(answer(id).ok());  // crossed on the way: not a sin
  // It may have been opened: it is closed before its ring is taken back.
  ASSERT_TRUE(guest.connection.teardown_gpadl(ring, &request, 0).ok());
  EXPECT_THAT(guest.sent_types(),
              ElementsAre(MessageType::CloseChannel, MessageType::GpadlTeardown));
}

TEST_F(OpenTest, RescindWhileQueuedPostsNothing) {
  guest.make_gpadl(*channel, ring);
  ASSERT_TRUE(open().ok());
  ASSERT_TRUE(guest.host(MessageType::RescindChannelOffer, wire::ChannelId{3}).ok());
  EXPECT_TRUE(guest.sent().empty());
}

TEST_F(OpenTest, RescindWhileBeingPostedIsSafe) {
  guest.make_gpadl(*channel, ring);
  ASSERT_TRUE(open().ok());
  Post post;
  ASSERT_TRUE(guest.connection.next_post(post));
  ASSERT_TRUE(guest.host(MessageType::RescindChannelOffer, wire::ChannelId{3}).ok());
  EXPECT_EQ(guest.done(request)->error, Error::Gone);
  ASSERT_TRUE(guest.connection.release(*channel).ok());
  EXPECT_FALSE(guest.connection.next_post(post));  // one at a time
  guest.connection.posted(false);
  EXPECT_THAT(guest.sent_types(),
              ElementsAre(MessageType::CloseChannel, MessageType::RelIdReleased));
}

TEST_F(OpenTest, CloseThenTeardownGoOutInThisOrder) {
  guest.open(*channel, ring);
  EXPECT_EQ(guest.connection.teardown_gpadl(ring, &request, 0).error(), Error::BadState);
  ASSERT_TRUE(guest.connection.close(*channel).ok());
  EXPECT_EQ(guest.connection.close(*channel).error(), Error::BadState);
  ASSERT_TRUE(guest.connection.teardown_gpadl(ring, &request, 0).ok());
  EXPECT_THAT(guest.sent_types(),
              ElementsAre(MessageType::CloseChannel, MessageType::GpadlTeardown));
}

TEST_F(OpenTest, RescindedItStaysOpenUntilClosed) {
  guest.open(*channel, ring);
  ASSERT_TRUE(guest.host(MessageType::RescindChannelOffer, wire::ChannelId{3}).ok());
  EXPECT_EQ(channel->state(), Channel::State::Open);
  EXPECT_EQ(guest.connection.release(*channel).error(), Error::BadState);
  ASSERT_TRUE(guest.connection.close(*channel).ok());
  ASSERT_TRUE(guest.connection.teardown_gpadl(ring, &request, 0).ok());
  EXPECT_EQ(guest.connection.release(*channel).error(),
            Error::BadState);  // somebody waits for the teardown
  EXPECT_THAT(guest.sent_types(),
              ElementsAre(MessageType::CloseChannel, MessageType::GpadlTeardown));
  ASSERT_TRUE(guest.host(MessageType::GpadlTorndown, wire::GpadlTorndown{ring.id()}).ok());
  ASSERT_TRUE(guest.connection.release(*channel).ok());
  EXPECT_THAT(guest.sent_types(), ElementsAre(MessageType::RelIdReleased));
}

TEST_F(OpenTest, CanBeClosedAndOpenedAgain) {
  guest.open(*channel, ring);
  ASSERT_TRUE(guest.connection.close(*channel).ok());
  ASSERT_TRUE(open().ok());
  EXPECT_THAT(guest.sent_types(), ElementsAre(MessageType::CloseChannel, MessageType::OpenChannel));
}

TEST_F(OpenTest, ReleaseWithTheCloseStillQueuedPostsItFirst) {
  guest.open(*channel, ring);
  ASSERT_TRUE(guest.connection.close(*channel).ok());
  ASSERT_TRUE(guest.connection.release(*channel).ok());
  EXPECT_TRUE(guest.events().empty());
  EXPECT_THAT(guest.sent_types(), ElementsAre(MessageType::CloseChannel));
  EXPECT_THAT(guest.event_kinds(), ElementsAre(Event::Kind::ChannelFreed));
  // The GPADL outlives the channel's object; the relid is still the host's.
  ASSERT_TRUE(guest.connection.teardown_gpadl(ring, &request, 0).ok());
  EXPECT_EQ(guest.sent()[0].as<wire::GpadlTeardown>().channel_id, 3u);
}

TEST_F(OpenTest, ModifyEndsByTheHostsAnswer) {
  guest.open(*channel, ring);
  ASSERT_TRUE(guest.connection.modify(*channel, 1, request, 0).ok());
  Request second;
  EXPECT_EQ(guest.connection.modify(*channel, 0, second, 0).error(), Error::BadState);
  const auto messages = guest.sent();
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(messages[0].as<wire::ModifyChannel>().target_vp, 1u);
  EXPECT_TRUE(channel->modifying());
  EXPECT_EQ(channel->target_vp(), 0u);
  ASSERT_TRUE(
      guest.host(MessageType::ModifyChannelResponse, wire::ModifyChannelResponse{3, 0}).ok());
  EXPECT_EQ(channel->target_vp(), 1u);
  EXPECT_TRUE(guest.done(request)->ok);
  EXPECT_EQ(
      guest.host(MessageType::ModifyChannelResponse, wire::ModifyChannelResponse{3, 0}).error(),
      Error::BadState);
}

TEST_F(OpenTest, ModifyRefusedLeavesTheTarget) {
  guest.open(*channel, ring);
  ASSERT_TRUE(guest.connection.modify(*channel, 1, request, 0).ok());
  guest.sent();
  ASSERT_TRUE(
      guest.host(MessageType::ModifyChannelResponse, wire::ModifyChannelResponse{3, 1}).ok());
  EXPECT_EQ(channel->target_vp(), 0u);
  EXPECT_EQ(guest.done(request)->error, Error::Refused);
}

TEST_F(OpenTest, CloseEndsAModify) {
  guest.open(*channel, ring);
  ASSERT_TRUE(guest.connection.modify(*channel, 1, request, 0).ok());
  ASSERT_TRUE(guest.connection.close(*channel).ok());
  EXPECT_EQ(guest.done(request)->error, Error::Gone);
  EXPECT_THAT(guest.sent_types(), ElementsAre(MessageType::CloseChannel));
}

TEST_F(OpenTest, AnAnswerThatAClosePassedIsTakenAndMovesNothing) {
  guest.open(*channel, ring);
  ASSERT_TRUE(guest.connection.modify(*channel, 1, request, 0).ok());
  guest.sent();
  ASSERT_TRUE(guest.connection.close(*channel).ok());
  EXPECT_EQ(guest.done(request)->error, Error::Gone);
  ASSERT_TRUE(open().ok());
  EXPECT_EQ(channel->target_vp(), 2u);
  EXPECT_TRUE(
      guest.host(MessageType::ModifyChannelResponse, wire::ModifyChannelResponse{3, 0}).ok());
  EXPECT_EQ(channel->target_vp(), 2u);
  EXPECT_FALSE(channel->modifying());
}

struct OpenAt52 : OpenTest {
  OpenAt52() : OpenTest(Version::V5_2) {}
};
TEST_F(OpenAt52, ModifyEndsWhenItIsPosted) {
  guest.open(*channel, ring);
  ASSERT_TRUE(guest.connection.modify(*channel, 1, request, 0).ok());
  EXPECT_FALSE(guest.done(request));
  guest.sent();
  EXPECT_TRUE(guest.done(request)->ok);
  EXPECT_EQ(channel->target_vp(), 1u);
}

struct OpenAt40 : OpenTest {
  OpenAt40() : OpenTest(Version::V4_0) {}
};
TEST_F(OpenAt40, ModifyDoesNotExist) {
  guest.open(*channel, ring);
  EXPECT_EQ(guest.connection.modify(*channel, 1, request, 0).error(), Error::NotSupported);
}

TEST_F(OpenTest, ServiceRequestsAreQueuedToALimit) {
  for (int i = 0; i < 8; i++)
    ASSERT_TRUE(guest.connection.connect_service(instance(1), kDisk).ok());
  EXPECT_EQ(guest.connection.connect_service(instance(1), kDisk).error(), Error::Exhausted);
  const auto messages = guest.sent();
  ASSERT_EQ(messages.size(), 8u);
  EXPECT_EQ(messages[7].as<wire::TlConnectRequest>().service_id, kDisk);
  EXPECT_TRUE(guest.connection.connect_service(instance(1), kDisk).ok());
}

}  // namespace
}  // namespace hv::vmbus::test
