// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "tests/unit/vmbus_connection/guest.hpp"

namespace hv::vmbus::test {
namespace {

using testing::ElementsAre;
using Kind = Event::Kind;

TEST(Offers, ComeBeforeTheEndOfTheRequest) {
  Guest guest;
  Request connect, offers;
  ASSERT_TRUE(guest.connection.connect(connect, 0).ok());
  guest.sent();
  ASSERT_TRUE(guest.host(MessageType::VersionResponse, wire::VersionResponse{1, 0, 0, 4}).ok());
  EXPECT_EQ(guest.host(MessageType::OfferChannel, Guest::offer(1)).error(),
            Error::BadState);  // not asked for yet
  ASSERT_TRUE(guest.connection.request_offers(offers, 0).ok());
  guest.sent();
  guest.events();
  ASSERT_TRUE(guest.host(MessageType::OfferChannel, Guest::offer(1)).ok());
  ASSERT_TRUE(guest.host(MessageType::OfferChannel, Guest::offer(2)).ok());
  ASSERT_TRUE(guest.host(MessageType::AllOffersDelivered).ok());
  EXPECT_THAT(guest.event_kinds(),
              ElementsAre(Kind::ChannelOffered, Kind::ChannelOffered, Kind::RequestDone));
}

TEST(Offers, RefuseImpossibleRelids) {
  Guest guest;
  guest.connect();
  EXPECT_EQ(guest.host(MessageType::OfferChannel, Guest::offer(0, 1)).error(), Error::BadId);
  EXPECT_EQ(guest.host(MessageType::OfferChannel, Guest::offer(2048, 1)).error(), Error::BadId);
  EXPECT_EQ(guest.host(MessageType::OfferChannel, Guest::offer(0xffffffff, 1)).error(),
            Error::BadId);
  EXPECT_TRUE(guest.host(MessageType::OfferChannel, Guest::offer(2047, 1)).ok());
}

TEST(Offers, DoNotReplaceWhoHasTheRelid) {
  Guest guest;
  guest.connect();
  Channel* first = guest.offered(5, 1);
  EXPECT_EQ(guest.host(MessageType::OfferChannel, Guest::offer(5, 2)).error(), Error::BadId);
  EXPECT_EQ(guest.connection.channel(5), first);
  EXPECT_EQ(first->offer().instance_id, instance(1));
}

TEST(Offers, OfOneInstanceAreTakenOnce) {
  Guest guest;
  guest.connect();
  guest.offered(5, 1);
  EXPECT_EQ(guest.host(MessageType::OfferChannel, Guest::offer(6, 1)).error(), Error::BadId);
  EXPECT_EQ(guest.connection.channel_count(), 1u);
}

TEST(Offers, OfAnInstanceInAnotherClassAreRefused) {
  Guest guest;
  guest.connect();
  guest.offered(5, 1);
  auto offer = Guest::offer(6, 1);
  offer.class_id.bytes[0] ^= 1;
  EXPECT_EQ(guest.host(MessageType::OfferChannel, offer).error(), Error::BadId);
  offer.sub_channel_index = 3;
  EXPECT_EQ(guest.host(MessageType::OfferChannel, offer).error(), Error::BadId);
  EXPECT_EQ(guest.connection.channel_count(), 1u);
}

TEST(Offers, RefuseAMonitorBitOutsideThePage) {
  Guest guest;
  guest.connect();
  auto offer = Guest::offer(1);
  offer.monitor_allocated = 1;
  offer.monitor_id = 128;
  EXPECT_EQ(guest.host(MessageType::OfferChannel, offer).error(), Error::BadValue);
}

TEST(Offers, WithoutStorageAreGivenBackWhenRescinded) {
  Guest guest({}, 1);
  guest.connect();
  guest.offered(1);
  EXPECT_TRUE(guest.connection.needs_storage());
  EXPECT_EQ(guest.host(MessageType::OfferChannel, Guest::offer(2)).error(), Error::NoMemory);
  EXPECT_TRUE(guest.sent().empty());
  ASSERT_TRUE(guest.host(MessageType::RescindChannelOffer, wire::ChannelId{2}).ok());
  EXPECT_THAT(guest.sent_types(), ElementsAre(MessageType::RelIdReleased));
}

TEST(SubChannels, BelongToTheirPrimary) {
  Guest guest;
  guest.connect();
  EXPECT_EQ(guest.host(MessageType::OfferChannel, Guest::offer(9, 1, 1)).error(), Error::BadId);
  Channel* primary = guest.offered(1, 1);
  Channel* sub = guest.offered(2, 1, 1);
  ASSERT_NE(sub, nullptr);
  EXPECT_EQ(sub->primary(), primary);
  EXPECT_EQ(guest.host(MessageType::OfferChannel, Guest::offer(3, 1, 1)).error(), Error::BadId);
  // A primary goes after its sub-channels.
  ASSERT_TRUE(guest.host(MessageType::RescindChannelOffer, wire::ChannelId{1}).ok());
  EXPECT_EQ(guest.connection.release(*primary).error(), Error::BadState);
  ASSERT_TRUE(guest.host(MessageType::RescindChannelOffer, wire::ChannelId{2}).ok());
  ASSERT_TRUE(guest.connection.release(*sub).ok());
  ASSERT_TRUE(guest.connection.release(*primary).ok());
  EXPECT_EQ(guest.sent().size(), 2u);
}

TEST(Rescind, IsToldOnceAndReleasedOnce) {
  Guest guest;
  guest.connect();
  Channel* channel = guest.offered(1);
  ASSERT_TRUE(guest.host(MessageType::RescindChannelOffer, wire::ChannelId{1}).ok());
  EXPECT_EQ(guest.host(MessageType::RescindChannelOffer, wire::ChannelId{1}).error(),
            Error::BadState);
  EXPECT_THAT(guest.event_kinds(), ElementsAre(Kind::ChannelRescinded));
  EXPECT_TRUE(guest.sent().empty());
  ASSERT_TRUE(guest.connection.release(*channel).ok());
  EXPECT_EQ(guest.connection.release(*channel).error(), Error::BadState);
  EXPECT_THAT(guest.event_kinds(), ElementsAre(Kind::ChannelFreed));
  EXPECT_THAT(guest.sent_types(), ElementsAre(MessageType::RelIdReleased));
  EXPECT_EQ(guest.connection.channel(1), nullptr);
  EXPECT_EQ(guest.host(MessageType::RescindChannelOffer, wire::ChannelId{1}).error(), Error::BadId);
}

TEST(Rescind, OfAnOfferNotYetToldOfTellsNothing) {
  Guest guest;
  guest.connect();
  ASSERT_TRUE(guest.host(MessageType::OfferChannel, Guest::offer(1)).ok());
  ASSERT_TRUE(guest.host(MessageType::OfferChannel, Guest::offer(2, 1, 1)).ok());
  ASSERT_TRUE(guest.host(MessageType::RescindChannelOffer, wire::ChannelId{1}).ok());
  ASSERT_TRUE(guest.host(MessageType::RescindChannelOffer, wire::ChannelId{2}).ok());
  EXPECT_THAT(guest.event_kinds(), ElementsAre(Kind::ChannelFreed, Kind::ChannelFreed));
  EXPECT_THAT(guest.sent_types(),
              ElementsAre(MessageType::RelIdReleased, MessageType::RelIdReleased));
  EXPECT_EQ(guest.connection.channel_count(), 0u);
}

TEST(Rescind, ARelidIsNotTakenAgainBeforeItWasGivenBack) {
  Guest guest;
  guest.connect();
  Channel* channel = guest.offered(1);
  ASSERT_TRUE(guest.host(MessageType::RescindChannelOffer, wire::ChannelId{1}).ok());
  EXPECT_EQ(guest.host(MessageType::OfferChannel, Guest::offer(1)).error(), Error::BadId);
  ASSERT_TRUE(guest.connection.release(*channel).ok());
  EXPECT_EQ(guest.host(MessageType::OfferChannel, Guest::offer(1)).error(), Error::BadId);
  guest.sent();
  EXPECT_TRUE(guest.host(MessageType::OfferChannel, Guest::offer(1)).ok());
}

TEST(Rescind, ANewOfferOfTheSameInstanceWaitsForTheOldOne) {
  Guest guest;
  guest.connect();
  Channel* old = guest.offered(1, 7);
  ASSERT_TRUE(guest.host(MessageType::RescindChannelOffer, wire::ChannelId{1}).ok());
  ASSERT_TRUE(guest.host(MessageType::OfferChannel, Guest::offer(2, 7)).ok());
  EXPECT_THAT(guest.event_kinds(), ElementsAre(Kind::ChannelRescinded));
  ASSERT_TRUE(guest.connection.release(*old).ok());
  EXPECT_THAT(guest.event_kinds(), ElementsAre(Kind::ChannelFreed, Kind::ChannelOffered));
}

TEST(Release, IsTheLastThatThePortHearsOfAChannelButItsStorage) {
  Guest guest;
  guest.connect();
  Channel* channel = guest.offered(1);
  ASSERT_TRUE(guest.host(MessageType::RescindChannelOffer, wire::ChannelId{1}).ok());
  ASSERT_TRUE(guest.connection.release(*channel).ok());
  EXPECT_THAT(guest.event_kinds(), ElementsAre(Kind::ChannelFreed));
}

TEST(Release, OfAChannelStillOfferedGivesTheRelidBackWithTheRescind) {
  Guest guest;
  guest.connect();
  Channel* channel = guest.offered(1);
  ASSERT_TRUE(guest.connection.release(*channel).ok());
  EXPECT_TRUE(guest.sent().empty());
  EXPECT_EQ(guest.host(MessageType::OfferChannel, Guest::offer(1)).error(), Error::BadId);
  ASSERT_TRUE(guest.host(MessageType::RescindChannelOffer, wire::ChannelId{1}).ok());
  EXPECT_THAT(guest.sent_types(), ElementsAre(MessageType::RelIdReleased));
}

}  // namespace
}  // namespace hv::vmbus::test
