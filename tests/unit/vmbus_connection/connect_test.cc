// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "tests/unit/vmbus_connection/guest.hpp"

namespace hv::vmbus::test {
namespace {

using testing::ElementsAre;

TEST(Connect, ProposesTheHighestVersionFirst) {
  Guest guest(ConnectionConfig{.message_vp = 3, .monitor_page1 = 0x1000, .monitor_page2 = 0x2000});
  Request request;
  ASSERT_TRUE(guest.connection.connect(request, 0).ok());
  const auto messages = guest.sent();
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(messages[0].type, MessageType::InitiateContact);
  EXPECT_EQ(messages[0].connection_id, wire::kMessageConnectionIdWin10);
  const auto contact = messages[0].as<wire::InitiateContact>();
  EXPECT_EQ(contact.version, Version::V5_3);
  EXPECT_EQ(contact.target_vp, 3u);
  EXPECT_EQ(contact.interrupt_page, wire::kMessageSint);
  EXPECT_EQ(contact.monitor_page1, 0x1000u);
}

TEST(Connect, StepsDownThroughAllVersionsAndThenFails) {
  Guest guest(ConnectionConfig{.interrupt_page = 0x5000});
  Request request;
  ASSERT_TRUE(guest.connection.connect(request, 0).ok());
  std::vector<Version> tried;
  for (auto messages = guest.sent(); !messages.empty(); messages = guest.sent()) {
    const auto contact = messages[0].as<wire::InitiateContact>();
    tried.push_back(contact.version);
    const bool old = contact.version < Version::V5_0;
    EXPECT_EQ(messages[0].connection_id,
              old ? wire::kMessageConnectionId : wire::kMessageConnectionIdWin10);
    EXPECT_EQ(contact.interrupt_page, old ? 0x5000u : 2u);
    ASSERT_TRUE(guest.host(MessageType::VersionResponse, wire::VersionResponse{}).ok());
  }
  EXPECT_THAT(tried, ElementsAre(Version::V5_3, Version::V5_2, Version::V5_1, Version::V5_0,
                                 Version::V4_1, Version::V4_0, Version::V3_0, Version::V2_4));
  const auto end = guest.done(request);
  ASSERT_TRUE(end);
  EXPECT_EQ(end->error, Error::NotSupported);
}

TEST(Connect, StartsAtMaxVersion) {
  Guest guest(ConnectionConfig{.max_version = Version::V4_0});
  guest.connect(Version::V3_0);
  EXPECT_EQ(guest.connection.version(), Version::V3_0);
  EXPECT_EQ(guest.connection.message_connection_id(), 1u);
}

TEST(Connect, UsesTheConnectionIdThatTheHostNames) {
  Guest guest;
  Request request;
  ASSERT_TRUE(guest.connection.connect(request, 0).ok());
  guest.sent();
  ASSERT_TRUE(guest.host(MessageType::VersionResponse, wire::VersionResponse{1, 0, 0, 9}).ok());
  Request offers;
  ASSERT_TRUE(guest.connection.request_offers(offers, 0).ok());
  const auto messages = guest.sent();
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(messages[0].connection_id, 9u);
  EXPECT_TRUE(messages[0].payload.empty());
}

TEST(Connect, AcceptsAShortAnswerFromAnOldHostOnly) {
  Guest guest(ConnectionConfig{.max_version = Version::V4_0});
  Request request;
  ASSERT_TRUE(guest.connection.connect(request, 0).ok());
  guest.sent();
  ASSERT_TRUE(guest.host(MessageType::VersionResponse, uint16_t{1}).ok());
  EXPECT_EQ(guest.connection.state(), Connection::State::Connected);

  Guest modern;
  Request other;
  ASSERT_TRUE(modern.connection.connect(other, 0).ok());
  modern.sent();
  EXPECT_EQ(modern.host(MessageType::VersionResponse, uint16_t{1}).error(), Error::Truncated);
}

TEST(Connect, RefusesAnAnswerThatNobodyAwaits) {
  Guest guest;
  EXPECT_EQ(guest.host(MessageType::VersionResponse, wire::VersionResponse{1, 0, 0, 4}).error(),
            Error::BadState);
  Request request;
  ASSERT_TRUE(guest.connection.connect(request, 0).ok());
  // Queued, but not posted yet: no host can have answered.
  EXPECT_EQ(guest.host(MessageType::VersionResponse, wire::VersionResponse{1, 0, 0, 4}).error(),
            Error::BadState);
  EXPECT_EQ(guest.connection.violations(), 2u);
}

TEST(Connect, ReportsAHostThatCannot) {
  Guest guest;
  Request request;
  ASSERT_TRUE(guest.connection.connect(request, 0).ok());
  guest.sent();
  ASSERT_TRUE(guest.host(MessageType::VersionResponse, wire::VersionResponse{1, 1, 0, 4}).ok());
  const auto end = guest.done(request);
  ASSERT_TRUE(end);
  EXPECT_EQ(end->error, Error::Refused);
  EXPECT_EQ(guest.connection.state(), Connection::State::Disconnected);
}

TEST(Connect, APostThatFailsThoughItWasAnsweredChangesNothing) {
  Guest guest;
  Request request;
  ASSERT_TRUE(guest.connection.connect(request, 0).ok());
  Post post;
  ASSERT_TRUE(guest.connection.next_post(post));
  ASSERT_TRUE(guest.host(MessageType::VersionResponse, wire::VersionResponse{}).ok());
  guest.connection.posted(false);
  const auto messages = guest.sent();
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(messages[0].as<wire::InitiateContact>().version, Version::V5_2);
}

TEST(Connect, EndsWhenThePostFails) {
  Guest guest(ConnectionConfig{.max_version = Version::V4_1});
  Request request;
  ASSERT_TRUE(guest.connection.connect(request, 0).ok());
  guest.sent(false);
  EXPECT_EQ(guest.done(request)->error, Error::Exhausted);
  EXPECT_TRUE(guest.connection.connect(request, 0).ok());
}

TEST(Connect, ProposesAnOlderVersionWhereTheHostHasNoPortForNewerOnes) {
  Guest guest;
  Request request;
  ASSERT_TRUE(guest.connection.connect(request, 0).ok());
  Post post;
  ASSERT_TRUE(guest.connection.next_post(post));
  EXPECT_EQ(post.connection_id, wire::kMessageConnectionIdWin10);
  guest.connection.posted(false);
  const auto messages = guest.sent();
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(messages[0].connection_id, wire::kMessageConnectionId);
  EXPECT_EQ(messages[0].as<wire::InitiateContact>().version, Version::V4_1);
  ASSERT_TRUE(guest.host(MessageType::VersionResponse, uint16_t{1}).ok());
  EXPECT_EQ(guest.connection.version(), Version::V4_1);
}

TEST(Post, IsTriedAgainWhileTheHostIsShortOfMemory) {
  const wire::MessageHeader open{MessageType::OpenChannel, 0};
  EXPECT_EQ(post_result(bytes_of(open), 0), PostResult::Posted);
  EXPECT_EQ(post_result(bytes_of(open), 0x0b), PostResult::Again);
  EXPECT_EQ(post_result(bytes_of(open), 0x33), PostResult::Again);
  EXPECT_EQ(post_result(bytes_of(open), 0x05), PostResult::Refused);
}

TEST(Post, ToAPortThatIsNotThereEndsAFirstContactAlone) {
  const wire::MessageHeader contact{MessageType::InitiateContact, 0};
  const wire::MessageHeader open{MessageType::OpenChannel, 0};
  EXPECT_EQ(post_result(bytes_of(contact), 0x12), PostResult::NoPort);
  EXPECT_EQ(post_result(bytes_of(open), 0x12), PostResult::Again);
  EXPECT_EQ(post_result({}, 0x12), PostResult::Again);
}

TEST(Isolation, InsistsOn52) {
  Guest guest(ConnectionConfig{.isolated = true});
  Request request;
  ASSERT_TRUE(guest.connection.connect(request, 0).ok());
  guest.sent();
  ASSERT_TRUE(guest.host(MessageType::VersionResponse, wire::VersionResponse{}).ok());
  EXPECT_EQ(guest.sent()[0].as<wire::InitiateContact>().version, Version::V5_2);
  ASSERT_TRUE(guest.host(MessageType::VersionResponse, wire::VersionResponse{}).ok());
  EXPECT_TRUE(guest.sent().empty());
  EXPECT_EQ(guest.done(request)->error, Error::NotSupported);
}

TEST(Isolation, RefusesAnOlderMaxVersionAtOnce) {
  Guest guest(ConnectionConfig{.max_version = Version::V4_1, .isolated = true});
  Request request;
  EXPECT_EQ(guest.connection.connect(request, 0).error(), Error::NotSupported);
}

TEST(Isolation, TakesTheClassesThatThePortNames) {
  static constexpr Guid kPci = "44c4f61d-4444-4400-9d52-802e27ede19f"_guid;
  static constexpr std::array kNamed = {kPci};
  Guest guest(ConnectionConfig{.isolated = true, .safe_classes = kNamed});
  guest.connect();
  auto offer = Guest::offer(1);
  offer.class_id = kPci;
  EXPECT_TRUE(guest.host(MessageType::OfferChannel, offer).ok());
  EXPECT_EQ(guest.host(MessageType::OfferChannel, Guest::offer(2)).error(), Error::NotSupported);
}

TEST(Isolation, TakesOnlyClassesFromTheList) {
  Guest guest(ConnectionConfig{.isolated = true});
  guest.connect();
  auto offer = Guest::offer(1);
  EXPECT_TRUE(guest.host(MessageType::OfferChannel, offer).ok());
  offer = Guest::offer(2);
  offer.class_id = kKeyboard;
  EXPECT_EQ(guest.host(MessageType::OfferChannel, offer).error(), Error::NotSupported);
  EXPECT_EQ(guest.connection.channel_count(), 1u);
  // The relid goes back when the host takes the offer back, so that it can be used again.
  ASSERT_TRUE(guest.host(MessageType::RescindChannelOffer, wire::ChannelId{2}).ok());
  const auto messages = guest.sent();
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(messages[0].type, MessageType::RelIdReleased);
  EXPECT_EQ(messages[0].as<wire::ChannelId>().channel_id, 2u);
}

TEST(Messages, ShortUnknownAndGuestsOwnAreRefused) {
  Guest guest;
  guest.connect();
  EXPECT_EQ(guest.connection.on_message(std::array<std::byte, 7>{}).error(), Error::Truncated);
  EXPECT_EQ(guest.connection.on_message(std::array<std::byte, 241>{}).error(), Error::BadLength);
  EXPECT_EQ(guest.host(MessageType{25}).error(), Error::NotSupported);
  EXPECT_EQ(guest.host(MessageType{0x80000001}).error(), Error::NotSupported);
  EXPECT_EQ(guest.host(MessageType::OpenChannel).error(), Error::NotSupported);
  EXPECT_EQ(guest.host(MessageType::OfferChannel, uint32_t{1}).error(), Error::Truncated);
  EXPECT_EQ(guest.connection.violations(), 6u);
  Violation violation;
  ASSERT_TRUE(guest.connection.next_violation(violation));
  EXPECT_EQ(violation.why, Error::Truncated);
}

}  // namespace
}  // namespace hv::vmbus::test
