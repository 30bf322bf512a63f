// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/vmbus/control.hpp"

#include <gtest/gtest.h>

#include "host/vmbus/versions.hpp"
#include "tests/unit/host_vmbus/guest.hpp"

namespace hv::host::vmbus {
namespace {

using namespace hv::test;
namespace wire = hv::wire::vmbus;

wire::VersionResponse answer(Version asked, Version limit, uint32_t connection = 4) {
  Talk talk({.max_version = limit});
  talk.say(contact(asked), connection);
  const auto answers = talk.posted<wire::VersionResponse>(MessageType::VersionResponse);
  return answers.size() == 1 ? answers[0] : wire::VersionResponse{9, 9, 9, 9};
}

TEST(VmbusControl, AgreesOnEveryVersionUpToItsLimit) {
  for (const auto limit : kVersions) {
    for (const auto asked : kVersions) {
      const uint32_t connection = asked >= Version::V5_0 ? 4 : 1;
      if (connection == 4 && limit < Version::V5_0) continue;
      const auto response = answer(asked, limit, connection);
      EXPECT_EQ(response.supported, asked <= limit) << text(asked) << " with " << text(limit);
      EXPECT_EQ(response.connection_state, 0);
      const uint32_t id = asked >= Version::V5_0 ? 4 : static_cast<uint32_t>(asked);
      EXPECT_EQ(response.message_connection_id, asked <= limit ? id : 0);
    }
  }
}

TEST(VmbusControl, RefusesVersionsThatItDoesNotKnow) {
  for (const uint32_t version : {0u, 0xdu, 0x10001u, 0x20005u, 0x50004u, 0x60000u, 0xffffffffu}) {
    EXPECT_EQ(answer(static_cast<Version>(version), Version::V5_3).supported, 0) << version;
  }
}

TEST(VmbusControl, HasConnection4OnlyFrom5_0On) {
  Actions actions;
  ControlMachine old({.max_version = Version::V4_1});
  EXPECT_FALSE(old.message(4, contact(Version::V5_0), actions));
  EXPECT_TRUE(actions.empty());
  EXPECT_TRUE(old.message(1, contact(Version::V4_0), actions));
  ControlMachine current({});
  EXPECT_TRUE(current.message(4, contact(Version::V5_3), actions));
  EXPECT_FALSE(current.message(2, contact(Version::V5_3), actions));
}

TEST(VmbusControl, AnswersOnTheVpOfTheContactFrom3_0On) {
  for (const auto version : {Version::V2_4, Version::V3_0, Version::V5_3}) {
    Talk talk({.vp_count = 4});
    talk.say(contact(version, 3)).say(plain(MessageType::RequestOffers));
    for (const auto& post : talk.all<PostMessage>()) {
      EXPECT_EQ(post.vp, version >= Version::V3_0 ? 3u : 0u);
      EXPECT_EQ(post.sint, 2u);
    }
  }
}

TEST(VmbusControl, RefusesAContactForAnotherSintVtlOrVp) {
  for (const auto& bytes : {contact(Version::V5_3, 0, 3), contact(Version::V5_3, 0, 0x102),
                            contact(Version::V5_3, 1, 2)}) {
    Talk talk;
    talk.say(bytes);
    EXPECT_EQ(talk.posted<wire::VersionResponse>(MessageType::VersionResponse).at(0).supported, 0);
    EXPECT_TRUE(talk.complained(Complaint::BadContact));
    EXPECT_FALSE(talk.machine.version());
  }
}

TEST(VmbusControl, OffersInTheOrderOfAddingAndThenSaysThatAllAreDelivered) {
  Talk talk;
  talk.offer(1);
  talk.offer(2);
  EXPECT_TRUE(talk.actions.empty());
  talk.connect();
  const auto offers = talk.posted<wire::OfferChannel>(MessageType::OfferChannel);
  ASSERT_EQ(offers.size(), 2u);
  for (uint32_t i = 0; i < 2; i++) {
    EXPECT_EQ(offers[i].instance_id.bytes[0], i + 1);
    EXPECT_EQ(offers[i].channel_id, i + 1);
    EXPECT_EQ(offers[i].connection_id, 0x2000 + i + 1);
    EXPECT_EQ(offers[i].monitor_allocated, 0);
    EXPECT_EQ(offers[i].dedicated_interrupt, 1);
    EXPECT_EQ(offers[i].sub_channel_index, 0);
  }
  EXPECT_EQ(type_of(talk.all<PostMessage>().back().message.bytes()),
            MessageType::AllOffersDelivered);
  talk.say(plain(MessageType::RequestOffers));
  EXPECT_TRUE(talk.complained(Complaint::OffersTwice));
  EXPECT_EQ(talk.count(MessageType::OfferChannel), 2u);
}

TEST(VmbusControl, OffersAHotAddedDeviceAtOnce) {
  Talk talk;
  talk.say(contact(Version::V5_3));
  talk.offer(1);
  EXPECT_EQ(talk.count(MessageType::OfferChannel), 0u);
  talk.say(plain(MessageType::RequestOffers));
  EXPECT_EQ(talk.count(MessageType::OfferChannel), 1u);
  talk.offer(2);
  EXPECT_EQ(talk.count(MessageType::OfferChannel), 2u);
  EXPECT_EQ(talk.machine.offer(offer_info(2), talk.actions).error(), Error::BadId);
}

TEST(VmbusControl, SplitsTheRingAtTheDownstreamOffset) {
  Talk talk({.vp_count = 2});
  const auto key = talk.offer(1);
  talk.connect().open_ring(1, 0xe1e10, 10, 1);
  const auto rings = talk.all<OpenRings>().at(0);
  EXPECT_EQ(rings.channel, key);
  EXPECT_EQ(rings.primary, key);
  EXPECT_EQ(rings.connection_id, 0x2001u);
  EXPECT_EQ(rings.vp, 1u);
  EXPECT_EQ(rings.incoming, (std::vector<uint64_t>{16, 17, 18, 19, 20}));
  EXPECT_EQ(rings.outgoing, (std::vector<uint64_t>{21, 22, 23, 24, 25}));
  const auto result = talk.posted<wire::OpenChannelResult>(MessageType::OpenChannelResult).at(0);
  EXPECT_EQ(result.channel_id, 1u);
  EXPECT_EQ(result.open_id, 77u);
  EXPECT_EQ(result.status, 0u);
}

TEST(VmbusControl, TellsTheGuestThatADeviceRefused) {
  Talk talk;
  talk.offer(1);
  talk.opens = false;
  talk.connect().open_ring(1, 1);
  EXPECT_NE(talk.posted<wire::OpenChannelResult>(MessageType::OpenChannelResult).at(0).status, 0u);
  talk.opens = true;
  talk.say(open(1, 1, 4));
  EXPECT_EQ(talk.posted<wire::OpenChannelResult>(MessageType::OpenChannelResult).at(1).status, 0u);
}

TEST(VmbusControl, RefusesImpossibleRings) {
  Talk talk;
  talk.offer(1);
  talk.connect();
  const auto words = range_words(8);
  talk.say(gpadl_header(1, 1, words, words.size()));
  auto unaligned = range_words(8);
  unaligned[0] -= 8;
  talk.say(gpadl_header(1, 2, unaligned, unaligned.size()));
  std::vector<uint64_t> two = range_words(4);
  two.insert(two.end(), two.begin(), two.begin() + 5);
  talk.say(gpadl_header(1, 3, two, two.size(), 2));
  EXPECT_EQ(talk.count(MessageType::GpadlCreated), 3u);
  for (const auto& bytes :
       {open(1, 1, 0), open(1, 1, 1), open(1, 1, 7), open(1, 1, 8), open(1, 1, 0xffffffff),
        open(1, 2, 4), open(1, 3, 4), open(1, 9, 4), open(1, 1, 4, 5)}) {
    talk.say(bytes);
  }
  EXPECT_TRUE(talk.all<OpenRings>().empty());
  const auto results = talk.posted<wire::OpenChannelResult>(MessageType::OpenChannelResult);
  ASSERT_EQ(results.size(), 9u);
  for (const auto& result : results) EXPECT_NE(result.status, 0u);
  talk.say(open(2, 1, 4));
  EXPECT_TRUE(talk.complained(Complaint::UnknownChannel));
}

TEST(VmbusControl, OpensOnceAndAgainAfterClosing) {
  Talk talk;
  const auto key = talk.offer(1);
  talk.connect().open_ring(1, 1);
  talk.say(open(1, 1, 4));
  EXPECT_NE(talk.posted<wire::OpenChannelResult>(MessageType::OpenChannelResult).at(1).status, 0u);
  talk.say(channel_message(MessageType::CloseChannel, 1));
  ASSERT_EQ(talk.all<CloseRings>().size(), 1u);
  EXPECT_EQ(talk.all<CloseRings>()[0].channel, key);
  talk.say(channel_message(MessageType::CloseChannel, 1));
  EXPECT_EQ(talk.all<CloseRings>().size(), 1u);
  EXPECT_TRUE(talk.complained(Complaint::BadChannelState));
  talk.say(message(MessageType::GpadlTeardown, wire::GpadlTeardown{1, 1}));
  EXPECT_EQ(talk.posted<wire::GpadlTorndown>(MessageType::GpadlTorndown).at(0).gpadl_id, 1u);
  talk.open_ring(1, 2);
  EXPECT_EQ(talk.all<OpenRings>().size(), 2u);
}

TEST(VmbusControl, ClosesAChannelWhoseRingIsTornDownUnderIt) {
  Talk talk;
  talk.offer(1);
  talk.connect().open_ring(1, 1);
  talk.forget();
  talk.say(message(MessageType::GpadlTeardown, wire::GpadlTeardown{1, 1}));
  ASSERT_EQ(talk.actions.size(), 3u);
  EXPECT_TRUE(std::holds_alternative<Complain>(talk.actions[0]));
  EXPECT_TRUE(std::holds_alternative<CloseRings>(talk.actions[1]));
  EXPECT_EQ(talk.count(MessageType::GpadlTorndown), 1u);
}

TEST(VmbusControl, AnswersAGpadlWhenItsLastBodyIsThere) {
  Talk talk;
  talk.offer(1);
  talk.connect();
  const auto words = range_words(100);
  talk.say(gpadl_header(1, 5, words, 26));
  EXPECT_EQ(talk.count(MessageType::GpadlCreated), 0u);
  size_t at = 26;
  while (at < words.size()) {
    const size_t count = std::min<size_t>(28, words.size() - at);
    talk.say(message(MessageType::GpadlBody, wire::GpadlBody{0, 5},
                     std::span(words).subspan(at, count)));
    at += count;
  }
  const auto created = talk.posted<wire::GpadlCreated>(MessageType::GpadlCreated);
  ASSERT_EQ(created.size(), 1u);
  EXPECT_EQ(created[0].channel_id, 1u);
  EXPECT_EQ(created[0].gpadl_id, 5u);
  EXPECT_EQ(created[0].status, 0u);
  talk.say(message(MessageType::GpadlBody, wire::GpadlBody{0, 5}));
  EXPECT_TRUE(talk.complained(Complaint::UnknownGpadl));
}

TEST(VmbusControl, RefusesAGpadlForAChannelThatDoesNotExist) {
  Talk talk;
  talk.connect();
  const auto words = range_words(2);
  for (const uint32_t relid : {0u, 1u, 2047u, 2048u, 0xffffffffu})
    talk.say(gpadl_header(relid, 5, words, words.size()));
  const auto created = talk.posted<wire::GpadlCreated>(MessageType::GpadlCreated);
  ASSERT_EQ(created.size(), 5u);
  for (const auto& one : created) EXPECT_NE(one.status, 0u);
  EXPECT_EQ(talk.machine.gpadls().count(), 0u);
}

TEST(VmbusControl, RetargetsBeforeItSaysSo) {
  Talk talk({.vp_count = 4});
  talk.offer(1);
  talk.connect().open_ring(1, 1);
  talk.forget();
  talk.say(message(MessageType::ModifyChannel, wire::ModifyChannel{1, 3}));
  ASSERT_EQ(talk.actions.size(), 2u);
  EXPECT_EQ(std::get<Retarget>(talk.actions[0]).vp, 3u);
  EXPECT_EQ(
      talk.posted<wire::ModifyChannelResponse>(MessageType::ModifyChannelResponse).at(0).status,
      0u);
  talk.say(message(MessageType::ModifyChannel, wire::ModifyChannel{1, 4}));
  EXPECT_NE(
      talk.posted<wire::ModifyChannelResponse>(MessageType::ModifyChannelResponse).at(1).status,
      0u);
  EXPECT_EQ(talk.all<Retarget>().size(), 1u);
}

TEST(VmbusControl, AnswersModifyChannelFrom5_3OnAndKnowsItFrom4_1On) {
  for (const auto version : kVersions) {
    Talk talk({.vp_count = 2});
    talk.offer(1);
    talk.connect(version).open_ring(1, 1);
    talk.say(message(MessageType::ModifyChannel, wire::ModifyChannel{1, 1}));
    EXPECT_EQ(talk.all<Retarget>().size(), version >= Version::V4_1) << text(version);
    EXPECT_EQ(talk.count(MessageType::ModifyChannelResponse), version >= Version::V5_3)
        << text(version);
  }
}

TEST(VmbusControl, OffersSubChannelsOfAnOpenPrimaryOnce) {
  Talk talk;
  const auto key = talk.offer(1);
  EXPECT_EQ(talk.machine.offer_sub_channels(key, 2, talk.actions).error(), Error::BadState);
  talk.connect().open_ring(1, 1);
  ASSERT_TRUE(talk.machine.offer_sub_channels(key, 2, talk.actions).ok());
  ASSERT_TRUE(talk.machine.offer_sub_channels(key, 3, talk.actions).ok());
  EXPECT_EQ(talk.machine.offer_sub_channels(key, 256, talk.actions).error(), Error::BadValue);
  const auto offers = talk.posted<wire::OfferChannel>(MessageType::OfferChannel);
  ASSERT_EQ(offers.size(), 4u);
  for (uint16_t i = 1; i < 4; i++) {
    EXPECT_EQ(offers[i].sub_channel_index, i);
    EXPECT_EQ(offers[i].channel_id, i + 1u);
    EXPECT_EQ(offers[i].instance_id, offers[0].instance_id);
  }
  talk.open_ring(2, 2);
  EXPECT_EQ(talk.all<OpenRings>().back().index, 1);
  EXPECT_EQ(talk.all<OpenRings>().back().primary, key);
}

TEST(VmbusControl, AnswersUnloadWhenEverythingIsClosed) {
  Talk talk({.vp_count = 2});
  talk.offer(1);
  talk.say(contact(Version::V5_3, 1)).say(plain(MessageType::RequestOffers)).open_ring(1, 1);
  talk.forget();
  talk.say(plain(MessageType::Unload));
  ASSERT_EQ(talk.actions.size(), 3u);
  EXPECT_TRUE(std::holds_alternative<CloseRings>(talk.actions[0]));
  const auto& post = std::get<PostMessage>(talk.actions[2]);
  EXPECT_EQ(post.vp, 1u);
  EXPECT_EQ(type_of(post.message.bytes()), MessageType::UnloadResponse);
  EXPECT_EQ(talk.machine.gpadls().count(), 0u);
  talk.forget();
  talk.say(plain(MessageType::Unload));
  EXPECT_EQ(talk.count(MessageType::UnloadResponse), 0u);
  talk.connect();
  EXPECT_EQ(talk.posted<wire::OfferChannel>(MessageType::OfferChannel).at(0).channel_id, 1u);
}

TEST(VmbusControl, StartsAfreshWhenTheGuestConnectsAgain) {
  Talk talk;
  const auto key = talk.offer(1);
  talk.connect().open_ring(1, 1);
  ASSERT_TRUE(talk.machine.offer_sub_channels(key, 1, talk.actions).ok());
  talk.open_ring(2, 2).forget();
  talk.connect(Version::V4_0);
  EXPECT_EQ(talk.all<CloseRings>().size(), 2u);
  EXPECT_EQ(talk.count(MessageType::RescindChannelOffer), 0u);
  EXPECT_EQ(talk.count(MessageType::OfferChannel), 1u);
  EXPECT_EQ(*talk.machine.version(), Version::V4_0);
  EXPECT_EQ(talk.machine.channels().size(), 1u);
}

TEST(VmbusControl, IgnoresEverythingBeforeContactAndSaysSoOnce) {
  Talk talk;
  for (int i = 0; i < 3; i++)
    talk.say(plain(MessageType::RequestOffers)).say(open(1, 1, 1)).say(plain(MessageType::Unload));
  EXPECT_EQ(talk.actions.size(), 1u);
  EXPECT_TRUE(talk.complained(Complaint::NotConnected));
}

TEST(VmbusControl, SurvivesEveryMessageCutShort) {
  for (uint32_t type = 0; type < 40; type++) {
    for (size_t size = 0; size <= 240; size++) {
      Talk talk;
      talk.offer(1);
      talk.connect().open_ring(1, 1);
      Bytes bytes = plain(static_cast<MessageType>(type));
      bytes.resize(std::max<size_t>(size, 1));
      talk.say(bytes);
    }
  }
}

TEST(VmbusControl, RefusesHvSockets) {
  const wire::TlConnectRequest request{kScsi, kScsi};
  Talk talk;
  talk.connect().say(message(MessageType::TlConnectRequest, request));
  EXPECT_EQ(talk.posted<wire::TlConnectResult>(MessageType::TlConnectResult).at(0).status,
            0xc0000236u);
  Talk old;
  old.connect(Version::V4_0).say(message(MessageType::TlConnectRequest, request));
  EXPECT_EQ(old.count(MessageType::TlConnectResult), 0u);
}

TEST(VmbusControl, OpensAChannelThatIsPolled) {
  Talk talk;
  talk.offer(1);
  talk.connect().open_ring(1, 1, 8, wire::kNoInterrupt);
  EXPECT_EQ(talk.all<OpenRings>().at(0).vp, wire::kNoInterrupt);
  talk.say(message(MessageType::ModifyChannel, wire::ModifyChannel{1, 0}));
  EXPECT_TRUE(talk.all<Retarget>().empty());
}

TEST(VmbusControl, HoldsNoMoreThanItsChannels) {
  Talk talk;
  talk.connect();
  for (uint32_t i = 0; i < 2047; i++) {
    OfferInfo info = offer_info(static_cast<uint8_t>(i));
    info.instance_id.bytes[1] = static_cast<uint8_t>(i >> 8);
    ASSERT_TRUE(talk.machine.offer(info, talk.actions).ok());
  }
  EXPECT_EQ(talk.posted<wire::OfferChannel>(MessageType::OfferChannel).back().channel_id, 2047u);
  OfferInfo last = offer_info(1);
  last.instance_id.bytes[15] = 1;
  EXPECT_EQ(talk.machine.offer(last, talk.actions).error(), Error::Exhausted);
  EXPECT_EQ(talk.machine.broken_invariant(), nullptr);
}

}  // namespace
}  // namespace hv::host::vmbus
