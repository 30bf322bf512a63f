// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "tests/unit/vmbus_connection/guest.hpp"

namespace hv::vmbus::test {
namespace {

using testing::ElementsAre;
using testing::UnorderedElementsAre;

struct GpadlTest : testing::Test {
  void SetUp() override {
    guest.connect();
    channel = guest.offered(3);
    ASSERT_NE(channel, nullptr);
  }
  Result<void> create(size_t pages) {
    frames.resize(pages);
    std::iota(frames.begin(), frames.end(), 1000);
    return guest.connection.create_gpadl(*channel, gpadl, frames,
                                         static_cast<uint32_t>(pages * 4096), 0, request, 0);
  }
  Result<void> created(uint32_t status = 0) {
    return guest.host(MessageType::GpadlCreated, wire::GpadlCreated{3, gpadl.id(), status});
  }
  Guest guest;
  Channel* channel = nullptr;
  Gpadl gpadl;
  Request request;
  std::vector<uint64_t> frames;
};

TEST_F(GpadlTest, SmallOneFitsItsHeader) {
  ASSERT_TRUE(create(26).ok());
  const auto messages = guest.sent();
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(messages[0].payload.size(), 12u + 8 + 26 * 8);
  const auto header = messages[0].as<wire::GpadlHeader>();
  EXPECT_EQ(header.channel_id, 3u);
  EXPECT_EQ(header.range_bytes, 8 + 26 * 8);
  EXPECT_EQ(header.range_count, 1);
}

TEST_F(GpadlTest, LargeOneGoesOnInBodiesInOrder) {
  ASSERT_TRUE(create(26 + 28 + 1).ok());
  const auto messages = guest.sent();
  ASSERT_EQ(messages.size(), 3u);
  EXPECT_EQ(messages[1].type, MessageType::GpadlBody);
  EXPECT_EQ(messages[1].payload.size(), 8u + 28 * 8);
  EXPECT_EQ(messages[2].payload.size(), 8u + 8);
  uint64_t last = 0;
  std::memcpy(&last, messages[2].payload.data() + 8, 8);
  EXPECT_EQ(last, 1000u + 54);
  ASSERT_TRUE(created().ok());
  EXPECT_TRUE(guest.done(request)->ok);
  EXPECT_EQ(gpadl.state(), Gpadl::State::Live);
}

TEST_F(GpadlTest, SizesThatTheWireCannotSayAreRefused) {
  EXPECT_EQ(create(0).error(), Error::BadLength);
  EXPECT_EQ(create(8191).error(), Error::BadLength);
  frames.assign(2, 1);
  EXPECT_EQ(guest.connection.create_gpadl(*channel, gpadl, frames, 4096, 0, request, 0).error(),
            Error::BadLength);
  EXPECT_EQ(guest.connection.create_gpadl(*channel, gpadl, frames, 4096, 4096, request, 0).error(),
            Error::BadLength);
  EXPECT_EQ(
      guest.connection.create_gpadl(*channel, gpadl, frames, 0xffffffff, 4095, request, 0).error(),
      Error::BadLength);
  EXPECT_TRUE(guest.connection.create_gpadl(*channel, gpadl, frames, 4096, 8, request, 0).ok());
}

TEST_F(GpadlTest, SuccessBeforeTheHostHasAllPagesIsRefused) {
  ASSERT_TRUE(create(100).ok());
  Post post;
  ASSERT_TRUE(guest.connection.next_post(post));
  guest.connection.posted(true);
  EXPECT_EQ(created().error(), Error::BadState);
  EXPECT_EQ(gpadl.state(), Gpadl::State::Creating);
  guest.sent();
  EXPECT_TRUE(created().ok());
  EXPECT_EQ(created().error(), Error::BadState);  // a second answer
}

TEST_F(GpadlTest, AnswersForOtherIdsOrChannelsAreRefused) {
  ASSERT_TRUE(create(4).ok());
  EXPECT_EQ(created().error(), Error::BadState);  // not posted yet
  guest.sent();
  EXPECT_EQ(guest.host(MessageType::GpadlCreated, wire::GpadlCreated{4, gpadl.id(), 0}).error(),
            Error::BadId);
  EXPECT_EQ(guest.host(MessageType::GpadlCreated, wire::GpadlCreated{3, gpadl.id() + 1, 0}).error(),
            Error::BadId);
  EXPECT_EQ(guest.host(MessageType::GpadlTorndown, wire::GpadlTorndown{gpadl.id()}).error(),
            Error::BadState);
  EXPECT_FALSE(guest.done(request));
}

TEST_F(GpadlTest, RefusedByTheHostGivesTheMemoryBack) {
  ASSERT_TRUE(create(4).ok());
  guest.sent();
  ASSERT_TRUE(created(0xc0000001).ok());
  const auto end = guest.done(request);
  EXPECT_EQ(end->error, Error::Refused);
  EXPECT_EQ(end->host_status, 0xc0000001u);
  EXPECT_FALSE(gpadl.host_may_use());
  EXPECT_EQ(guest.connection.gpadl_count(), 0u);
}

TEST_F(GpadlTest, HeaderThatCannotBePostedGivesTheMemoryBack) {
  ASSERT_TRUE(create(40).ok());
  guest.sent(false);
  EXPECT_EQ(guest.done(request)->error, Error::Exhausted);
  EXPECT_FALSE(gpadl.host_may_use());
}

TEST_F(GpadlTest, BodyThatCannotBePostedLeavesTheMemoryWithTheHost) {
  ASSERT_TRUE(create(40).ok());
  Post post;
  ASSERT_TRUE(guest.connection.next_post(post));
  guest.connection.posted(true);
  guest.sent(false);
  EXPECT_EQ(guest.done(request)->error, Error::Exhausted);
  EXPECT_TRUE(gpadl.host_may_use());
  EXPECT_EQ(created().error(), Error::BadState);
  // Until the channel is given back.
  ASSERT_TRUE(guest.host(MessageType::RescindChannelOffer, wire::ChannelId{3}).ok());
  EXPECT_TRUE(gpadl.host_may_use());
  ASSERT_TRUE(guest.connection.release(*channel).ok());
  EXPECT_THAT(guest.event_kinds(),
              UnorderedElementsAre(Event::Kind::ChannelFreed, Event::Kind::GpadlReleased));
  EXPECT_FALSE(gpadl.host_may_use());
}

TEST_F(GpadlTest, TeardownEndsWithTheHostsAnswer) {
  guest.make_gpadl(*channel, gpadl);
  ASSERT_TRUE(guest.connection.teardown_gpadl(gpadl, &request, 0).ok());
  EXPECT_EQ(guest.host(MessageType::GpadlTorndown, wire::GpadlTorndown{gpadl.id()}).error(),
            Error::BadState);
  const auto messages = guest.sent();
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(messages[0].as<wire::GpadlTeardown>().gpadl_id, gpadl.id());
  EXPECT_TRUE(gpadl.host_may_use());
  ASSERT_TRUE(guest.host(MessageType::GpadlTorndown, wire::GpadlTorndown{gpadl.id()}).ok());
  EXPECT_TRUE(guest.done(request)->ok);
  EXPECT_FALSE(gpadl.host_may_use());
}

TEST_F(GpadlTest, TeardownThatCannotBePostedMayBeAskedAgain) {
  guest.make_gpadl(*channel, gpadl);
  ASSERT_TRUE(guest.connection.teardown_gpadl(gpadl, &request, 0).ok());
  guest.sent(false);
  EXPECT_EQ(guest.done(request)->error, Error::Exhausted);
  EXPECT_EQ(gpadl.state(), Gpadl::State::Live);
  EXPECT_TRUE(guest.connection.teardown_gpadl(gpadl, &request, 0).ok());
}

TEST_F(GpadlTest, RescindEndsTheWaitAndTheLateAnswerTheHostsHold) {
  ASSERT_TRUE(create(4).ok());
  guest.sent();
  ASSERT_TRUE(guest.host(MessageType::RescindChannelOffer, wire::ChannelId{3}).ok());
  EXPECT_EQ(guest.done(request)->error, Error::Gone);
  EXPECT_EQ(create(4).error(), Error::Gone);
  EXPECT_TRUE(gpadl.host_may_use());
  // Given back only when the host has answered for all of it.
  ASSERT_TRUE(guest.connection.release(*channel).ok());
  EXPECT_TRUE(guest.sent().empty());
  ASSERT_TRUE(created().ok());
  EXPECT_THAT(guest.sent_types(), ElementsAre(MessageType::GpadlTeardown));
  ASSERT_TRUE(guest.host(MessageType::GpadlTorndown, wire::GpadlTorndown{gpadl.id()}).ok());
  EXPECT_THAT(guest.event_kinds(),
              UnorderedElementsAre(Event::Kind::GpadlReleased, Event::Kind::ChannelFreed));
  EXPECT_THAT(guest.sent_types(), ElementsAre(MessageType::RelIdReleased));
}

TEST_F(GpadlTest, ARescindedChannelsHostNeedNotAnswer) {
  guest.make_gpadl(*channel, gpadl);
  ASSERT_TRUE(guest.host(MessageType::RescindChannelOffer, wire::ChannelId{3}).ok());
  guest.events();
  ASSERT_TRUE(guest.connection.teardown_gpadl(gpadl, &request, 1000).ok());
  guest.sent();
  EXPECT_EQ(guest.connection.next_deadline(), 4000u);
  guest.connection.expire(4000);
  EXPECT_EQ(guest.done(request)->error, Error::TimedOut);
  EXPECT_FALSE(gpadl.host_may_use());
}

TEST_F(GpadlTest, ATeardownUnderWayIsShortenedByARescind) {
  guest.make_gpadl(*channel, gpadl);
  ASSERT_TRUE(guest.connection.teardown_gpadl(gpadl, &request, 1000).ok());
  guest.sent();
  EXPECT_EQ(guest.connection.next_deadline(), 61'000u);
  ASSERT_TRUE(guest.host(MessageType::RescindChannelOffer, wire::ChannelId{3}).ok());
  EXPECT_EQ(guest.connection.next_deadline(), 4000u);
}

TEST_F(GpadlTest, ReleaseGivesUpOnAHostThatDoesNotAnswer) {
  ASSERT_TRUE(create(4).ok());
  guest.sent();
  ASSERT_TRUE(guest.host(MessageType::RescindChannelOffer, wire::ChannelId{3}).ok());
  ASSERT_TRUE(guest.connection.release(*channel).ok());
  guest.events();
  EXPECT_EQ(guest.connection.next_deadline(), 3000u);
  guest.connection.expire(3000);
  EXPECT_THAT(guest.event_kinds(),
              UnorderedElementsAre(Event::Kind::GpadlReleased, Event::Kind::ChannelFreed));
  EXPECT_THAT(guest.sent_types(), ElementsAre(MessageType::RelIdReleased));
}

/// With the last answer that is waited for goes the channel, and with that what no answer is due
/// for. The host is asked for two, of which it has not seen the second whole, and the channel is
/// gone: an answer is due for the first alone.
struct ReleasedGpadlTest : GpadlTest {
  void SetUp() override {
    GpadlTest::SetUp();
    ASSERT_TRUE(create(4).ok());
    guest.sent();
    const std::vector<uint64_t> more(40, 7);
    ASSERT_TRUE(guest.connection.create_gpadl(*channel, other, more, 40 * 4096, 0, second, 0).ok());
    Post post;
    ASSERT_TRUE(guest.connection.next_post(post));
    guest.connection.posted(true);
    guest.sent(false);
    ASSERT_TRUE(guest.host(MessageType::RescindChannelOffer, wire::ChannelId{3}).ok());
    ASSERT_TRUE(guest.connection.release(*channel).ok());
    guest.events();
    ASSERT_TRUE(gpadl.host_may_use() && other.host_may_use());
  }
  void expect_all_freed() {
    EXPECT_THAT(guest.event_kinds(),
                UnorderedElementsAre(Event::Kind::GpadlReleased, Event::Kind::GpadlReleased,
                                     Event::Kind::ChannelFreed));
    EXPECT_FALSE(gpadl.host_may_use() || other.host_may_use());
  }
  Gpadl other;
  Request second;
};

TEST_F(ReleasedGpadlTest, TimeEndsAllThatTheHostHas) {
  guest.connection.expire(3000);
  expect_all_freed();
}

TEST_F(ReleasedGpadlTest, AnswerEndsAllThatTheHostHas) {
  ASSERT_TRUE(created(1).ok());
  expect_all_freed();
}

TEST_F(ReleasedGpadlTest, UnloadEndsAllThatTheHostHas) {
  Request unload;
  ASSERT_TRUE(guest.connection.unload(false, unload, 0).ok());
  guest.sent();
  ASSERT_TRUE(guest.host(MessageType::UnloadResponse).ok());
  ASSERT_TRUE(guest.connection.abandon(unload).ok());
  expect_all_freed();
}

TEST_F(GpadlTest, PostThatFailsAfterItsAnswerIsNotTheTeardowns) {
  ASSERT_TRUE(create(4).ok());
  Post post;
  ASSERT_TRUE(guest.connection.next_post(post));
  ASSERT_TRUE(created().ok());
  ASSERT_TRUE(guest.done(request)->ok);
  ASSERT_TRUE(guest.connection.teardown_gpadl(gpadl, &request, 0).ok());
  guest.connection.posted(false);
  EXPECT_FALSE(guest.done(request));
  EXPECT_THAT(guest.sent_types(), ElementsAre(MessageType::GpadlTeardown));
  ASSERT_TRUE(guest.host(MessageType::GpadlTorndown, wire::GpadlTorndown{gpadl.id()}).ok());
  EXPECT_TRUE(guest.done(request)->ok);
}

TEST_F(GpadlTest, TeardownOfWhatIsDeadIsDoneAtOnce) {
  ASSERT_TRUE(guest.connection.teardown_gpadl(gpadl, &request, 0).ok());
  EXPECT_TRUE(guest.done(request)->ok);
}

TEST_F(GpadlTest, TwoMayGrowAtOnce) {
  Gpadl other;
  Request second;
  ASSERT_TRUE(create(60).ok());
  const std::vector<uint64_t> more(60, 7);
  ASSERT_TRUE(guest.connection.create_gpadl(*channel, other, more, 60 * 4096, 0, second, 0).ok());
  EXPECT_NE(gpadl.id(), other.id());
  EXPECT_EQ(guest.sent().size(), 6u);
  ASSERT_TRUE(guest.host(MessageType::GpadlCreated, wire::GpadlCreated{3, other.id(), 0}).ok());
  ASSERT_TRUE(created().ok());
  EXPECT_EQ(guest.events().size(), 2u);
}

}  // namespace
}  // namespace hv::vmbus::test
