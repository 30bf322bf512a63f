// SPDX-License-Identifier: GPL-2.0-only OR MIT
// Unload, suspend and resume, crash.
#include "tests/unit/vmbus_connection/guest.hpp"

namespace hv::vmbus::test {
namespace {

using testing::ElementsAre;
using testing::UnorderedElementsAre;
using Kind = Event::Kind;

TEST(Unload, EndsEveryWaitAndFreesEverything) {
  Guest guest;
  guest.connect();
  Channel* channel = guest.offered(1);
  Gpadl live, growing;
  guest.open(*channel, live);
  Request create, unload;
  const std::vector<uint64_t> frames(4, 9);
  ASSERT_TRUE(
      guest.connection.create_gpadl(*channel, growing, frames, 4 * 4096, 0, create, 0).ok());
  guest.sent();
  ASSERT_TRUE(guest.connection.unload(false, unload, 0).ok());
  EXPECT_EQ(guest.done(create)->error, Error::Gone);
  EXPECT_TRUE(growing.host_may_use());
  EXPECT_THAT(guest.sent_types(), ElementsAre(MessageType::Unload));
  EXPECT_TRUE(guest.host(MessageType::GpadlCreated, wire::GpadlCreated{1, growing.id(), 0})
                  .ok());  // on its way: ignored
  ASSERT_TRUE(guest.host(MessageType::UnloadResponse).ok());
  EXPECT_THAT(guest.event_kinds(),
              UnorderedElementsAre(Kind::GpadlReleased, Kind::ChannelFreed, Kind::RequestDone));
  EXPECT_FALSE(live.host_may_use());
  EXPECT_EQ(guest.connection.channel_count(), 0u);
  EXPECT_EQ(guest.connection.gpadl_count(), 0u);
  EXPECT_EQ(guest.connection.state(), Connection::State::Disconnected);
  EXPECT_EQ(guest.host(MessageType::UnloadResponse).error(), Error::BadState);
}

TEST(Unload, WithoutAnAnswerKeepsTheHostsMemoryFromReuse) {
  Guest guest;
  guest.connect();
  Channel* channel = guest.offered(1);
  Gpadl ring;
  guest.open(*channel, ring);
  Request unload;
  ASSERT_TRUE(guest.connection.unload(false, unload, 0).ok());
  guest.sent();
  guest.connection.expire(guest.connection.next_deadline());
  EXPECT_EQ(guest.done(unload)->error, Error::TimedOut);
  EXPECT_TRUE(ring.host_may_use());
  EXPECT_EQ(guest.connection.state(), Connection::State::Disconnected);
}

TEST(Unload, OldHostsAreNotAsked) {
  Guest guest;
  guest.connect(Version::V2_4);
  Channel* channel = guest.offered(1);
  Gpadl left;
  guest.make_gpadl(*channel, left);
  Request unload;
  ASSERT_TRUE(guest.connection.unload(false, unload, 0).ok());
  EXPECT_TRUE(guest.sent().empty());
  EXPECT_TRUE(guest.done(unload)->ok);
  EXPECT_TRUE(left.host_may_use());  // nobody has told the host
}

TEST(Unload, CanConnectAgain) {
  Guest guest;
  guest.connect();
  Request unload;
  ASSERT_TRUE(guest.connection.unload(false, unload, 0).ok());
  guest.sent();
  ASSERT_TRUE(guest.host(MessageType::UnloadResponse).ok());
  guest.events();
  guest.connect();
}

struct SuspendTest : testing::Test {
  void SetUp() override {
    guest.connect();
    first = guest.offered(1);
    second = guest.offered(2);
    sub = guest.offered(3, 1, 1);
    Request unload;
    ASSERT_TRUE(guest.connection.unload(true, unload, 0).ok());
    guest.sent();
    ASSERT_TRUE(guest.host(MessageType::UnloadResponse).ok());
    bool sub_rescinded = false;
    for (const auto& event : guest.events())
      sub_rescinded |= event.kind == Kind::ChannelRescinded && event.channel == sub;
    EXPECT_TRUE(sub_rescinded);
    EXPECT_EQ(first->state(), Channel::State::Suspended);
    ASSERT_TRUE(guest.connection.release(*sub).ok());
    EXPECT_THAT(guest.event_kinds(), ElementsAre(Kind::ChannelFreed));
  }
  void contact() {
    ASSERT_TRUE(guest.connection.resume(request, 0).ok());
    EXPECT_EQ(guest.sent()[0].as<wire::InitiateContact>().version, Version::V5_3);
    ASSERT_TRUE(guest.host(MessageType::VersionResponse, wire::VersionResponse{1, 0, 0, 4}).ok());
    EXPECT_THAT(guest.sent_types(), ElementsAre(MessageType::RequestOffers));
  }
  Guest guest;
  Channel *first = nullptr, *second = nullptr, *sub = nullptr;
  Request request;
};

TEST_F(SuspendTest, ResumeFindsTheChannelsUnderNewRelids) {
  contact();
  ASSERT_TRUE(guest.host(MessageType::OfferChannel, Guest::offer(9, 2)).ok());
  ASSERT_TRUE(guest.host(MessageType::OfferChannel, Guest::offer(8, 1)).ok());
  ASSERT_TRUE(guest.host(MessageType::AllOffersDelivered).ok());
  EXPECT_THAT(guest.event_kinds(),
              ElementsAre(Kind::ChannelReattached, Kind::ChannelReattached, Kind::RequestDone));
  EXPECT_EQ(first->relid(), 8u);
  EXPECT_EQ(guest.connection.channel(9), second);
}

TEST_F(SuspendTest, ResumeRescindsWhatIsMissing) {
  contact();
  ASSERT_TRUE(guest.host(MessageType::OfferChannel, Guest::offer(1, 1)).ok());
  ASSERT_TRUE(guest.host(MessageType::AllOffersDelivered).ok());
  EXPECT_THAT(guest.event_kinds(),
              ElementsAre(Kind::ChannelReattached, Kind::ChannelRescinded, Kind::RequestDone));
  EXPECT_TRUE(second->rescinded());
  ASSERT_TRUE(guest.connection.release(*second).ok());
  EXPECT_TRUE(guest.sent().empty());  // its relid was forgotten with the old connection
}

TEST_F(SuspendTest, ResumeEndsByItsTimeLimitWhenOffersAreMissing) {
  contact();
  guest.connection.expire(guest.connection.next_deadline());
  EXPECT_THAT(guest.event_kinds(),
              ElementsAre(Kind::ChannelRescinded, Kind::ChannelRescinded, Kind::RequestDone));
}

TEST_F(SuspendTest, ResumeInsistsOnTheSameVersion) {
  ASSERT_TRUE(guest.connection.resume(request, 0).ok());
  guest.sent();
  ASSERT_TRUE(guest.host(MessageType::VersionResponse, wire::VersionResponse{}).ok());
  EXPECT_EQ(guest.done(request)->error, Error::NotSupported);
  EXPECT_TRUE(guest.sent().empty());
}

TEST(Crash, UnloadIsSaidOnceAndNothingAfterIt) {
  Guest guest;
  std::array<std::byte, 240> message{};
  EXPECT_EQ(guest.connection.crash_unload(message), 0u);  // not connected
  guest.connect();
  Request request;
  Channel* channel = guest.offered(1);
  Gpadl gpadl;
  const std::vector<uint64_t> frames(4, 9);
  ASSERT_TRUE(guest.connection.create_gpadl(*channel, gpadl, frames, 4 * 4096, 0, request, 0).ok());
  EXPECT_EQ(guest.connection.crash_unload(message), 8u);
  EXPECT_EQ(message[0], std::byte{16});
  EXPECT_EQ(guest.connection.crash_unload(message), 0u);
  EXPECT_TRUE(guest.sent().empty());
  EXPECT_EQ(guest.connection.state(), Connection::State::Crashed);
  const wire::MessageHeader response{MessageType::UnloadResponse, 0};
  EXPECT_TRUE(Connection::is_unload_response(bytes_of(response)));
  EXPECT_FALSE(Connection::is_unload_response(bytes_of(response).first(4)));
}

}  // namespace
}  // namespace hv::vmbus::test
