// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <gtest/gtest.h>

#include "host/vmbus/control.hpp"
#include "tests/unit/host_vmbus/guest.hpp"

namespace hv::host::vmbus {
namespace {

using namespace hv::test;
namespace wire = hv::wire::vmbus;

TEST(Rescind, OfADeviceThatTheGuestDoesNotKnowIsDoneAtOnce) {
  Talk talk;
  const auto key = talk.offer(1);
  ASSERT_TRUE(talk.machine.rescind(key, talk.actions).ok());
  ASSERT_EQ(talk.all<Gone>().size(), 1u);
  EXPECT_EQ(talk.all<Gone>()[0].primary, key);
  EXPECT_TRUE(talk.machine.channels().empty());
  EXPECT_EQ(talk.machine.rescind(key, talk.actions).error(), Error::BadId);
}

TEST(Rescind, ServesUntilTheGuestClosesAndEndsWithTheRelid) {
  Talk talk;
  const auto key = talk.offer(1);
  talk.connect().open_ring(1, 1).forget();
  ASSERT_TRUE(talk.machine.rescind(key, talk.actions).ok());
  ASSERT_TRUE(talk.machine.rescind(key, talk.actions).ok());
  EXPECT_EQ(talk.count(MessageType::RescindChannelOffer), 1u);
  EXPECT_TRUE(talk.all<CloseRings>().empty());
  talk.say(channel_message(MessageType::CloseChannel, 1));
  EXPECT_EQ(talk.all<CloseRings>().size(), 1u);
  EXPECT_TRUE(talk.all<Gone>().empty());
  talk.say(channel_message(MessageType::RelIdReleased, 1));
  EXPECT_EQ(talk.all<Gone>().size(), 1u);
  EXPECT_EQ(talk.machine.gpadls().count(), 0u);
  EXPECT_TRUE(talk.all<Complain>().empty());
}

TEST(Rescind, ClosesWhatTheGuestReleasesOpen) {
  Talk talk;
  const auto key = talk.offer(1);
  talk.connect().open_ring(1, 1).forget();
  ASSERT_TRUE(talk.machine.rescind(key, talk.actions).ok());
  talk.say(channel_message(MessageType::RelIdReleased, 1));
  EXPECT_EQ(talk.all<CloseRings>().size(), 1u);
  EXPECT_EQ(talk.all<Gone>().size(), 1u);
}

TEST(Rescind, TakesTheSubChannelsFirst) {
  Talk talk;
  const auto key = talk.offer(1);
  talk.connect().open_ring(1, 1);
  ASSERT_TRUE(talk.machine.offer_sub_channels(key, 2, talk.actions).ok());
  talk.open_ring(2, 2).open_ring(3, 3).forget();
  ASSERT_TRUE(talk.machine.rescind(key, talk.actions).ok());
  const auto rescinds = talk.posted<wire::ChannelId>(MessageType::RescindChannelOffer);
  ASSERT_EQ(rescinds.size(), 3u);
  EXPECT_EQ(rescinds[0].channel_id, 2u);
  EXPECT_EQ(rescinds[1].channel_id, 3u);
  EXPECT_EQ(rescinds[2].channel_id, 1u);
}

TEST(Rescind, IsForcedWhenTheGuestDoesNotAnswer) {
  Talk talk;
  const auto key = talk.offer(1);
  talk.connect().open_ring(1, 1);
  EXPECT_EQ(talk.machine.force(key, talk.actions).error(), Error::BadState);
  ASSERT_TRUE(talk.machine.rescind(key, talk.actions).ok());
  ASSERT_TRUE(talk.machine.force(key, talk.actions).ok());
  EXPECT_EQ(talk.all<CloseRings>().size(), 1u);
  EXPECT_EQ(talk.all<Gone>().size(), 1u);
  // The relid stays taken until the guest gives it back.
  talk.offer(2);
  EXPECT_EQ(talk.posted<wire::OfferChannel>(MessageType::OfferChannel).back().channel_id, 2u);
  talk.say(channel_message(MessageType::RelIdReleased, 1));
  EXPECT_EQ(talk.all<Gone>().size(), 1u);
  talk.offer(3);
  EXPECT_EQ(talk.posted<wire::OfferChannel>(MessageType::OfferChannel).back().channel_id, 1u);
}

TEST(Rescind, HoldsANewOfferOfTheSameInstanceBackUntilTheGuestLetGo) {
  Talk talk;
  const auto key = talk.offer(1);
  talk.connect().open_ring(1, 1).forget();
  ASSERT_TRUE(talk.machine.rescind(key, talk.actions).ok());
  const auto again = talk.offer(1);
  EXPECT_NE(again, key);
  EXPECT_EQ(talk.count(MessageType::OfferChannel), 0u);
  talk.say(channel_message(MessageType::CloseChannel, 1))
      .say(channel_message(MessageType::RelIdReleased, 1));
  EXPECT_EQ(talk.count(MessageType::OfferChannel), 1u);
  EXPECT_EQ(talk.all<Gone>().at(0).primary, key);
  talk.open_ring(1, 2);
  EXPECT_EQ(talk.all<OpenRings>().back().channel, again);
}

TEST(Rescind, RefusesToOpenWhatIsRescinded) {
  Talk talk;
  const auto key = talk.offer(1);
  talk.connect();
  ASSERT_TRUE(talk.machine.rescind(key, talk.actions).ok());
  talk.open_ring(1, 1);
  EXPECT_TRUE(talk.all<OpenRings>().empty());
  EXPECT_NE(talk.posted<wire::OpenChannelResult>(MessageType::OpenChannelResult).at(0).status, 0u);
}

TEST(Rescind, FollowsTheClosingOfAPrimaryForItsSubChannels) {
  Talk talk;
  const auto key = talk.offer(1);
  talk.connect().open_ring(1, 1);
  ASSERT_TRUE(talk.machine.offer_sub_channels(key, 2, talk.actions).ok());
  talk.open_ring(2, 2).forget();
  talk.say(channel_message(MessageType::CloseChannel, 1));
  EXPECT_EQ(talk.all<CloseRings>().size(), 2u);
  EXPECT_EQ(talk.count(MessageType::RescindChannelOffer), 2u);
  // Opened again it gets new ones, with relids that the guest does not still hold.
  talk.open_ring(1, 4).forget();
  ASSERT_TRUE(talk.machine.offer_sub_channels(key, 2, talk.actions).ok());
  const auto offers = talk.posted<wire::OfferChannel>(MessageType::OfferChannel);
  ASSERT_EQ(offers.size(), 2u);
  EXPECT_EQ(offers[0].channel_id, 4u);
  EXPECT_EQ(offers[1].channel_id, 5u);
  talk.say(channel_message(MessageType::RelIdReleased, 2))
      .say(channel_message(MessageType::RelIdReleased, 3));
  EXPECT_EQ(talk.machine.channels().size(), 3u);
  EXPECT_TRUE(talk.all<Complain>().empty());
}

TEST(Rescind, EndsWithTheConnection) {
  Talk talk;
  const auto key = talk.offer(1);
  talk.connect().open_ring(1, 1);
  ASSERT_TRUE(talk.machine.rescind(key, talk.actions).ok());
  talk.offer(1);
  talk.say(plain(MessageType::Unload));
  EXPECT_EQ(talk.all<CloseRings>().size(), 1u);
  EXPECT_EQ(talk.all<Gone>().size(), 1u);
  talk.forget();
  talk.connect();
  EXPECT_EQ(talk.count(MessageType::OfferChannel), 1u);
}

TEST(RelIdReleased, OfAChannelThatWasNotRescindedGivesItUpUntilTheNextContact) {
  Talk talk;
  talk.offer(1);
  talk.connect().open_ring(1, 1);
  talk.say(channel_message(MessageType::RelIdReleased, 1));
  EXPECT_TRUE(talk.complained(Complaint::BadChannelState));
  talk.say(channel_message(MessageType::CloseChannel, 1))
      .say(channel_message(MessageType::RelIdReleased, 1));
  EXPECT_EQ(talk.count(MessageType::OfferChannel), 1u);
  talk.connect();
  EXPECT_EQ(talk.count(MessageType::OfferChannel), 2u);
}

TEST(RelIdReleased, BehindUnloadIsWhatLinuxDoes) {
  Talk talk;
  talk.offer(1);
  talk.connect()
      .say(plain(MessageType::Unload))
      .say(channel_message(MessageType::RelIdReleased, 1));
  EXPECT_TRUE(talk.all<Complain>().empty());
}

TEST(Reset, ClosesEverythingAndSaysNothing) {
  Talk talk;
  talk.offer(1);
  talk.connect().open_ring(1, 1).forget();
  talk.machine.reset(talk.actions);
  EXPECT_EQ(talk.all<CloseRings>().size(), 1u);
  EXPECT_TRUE(talk.all<PostMessage>().empty());
  talk.machine.reset(talk.actions);
  EXPECT_EQ(talk.all<CloseRings>().size(), 1u);
}

}  // namespace
}  // namespace hv::host::vmbus
