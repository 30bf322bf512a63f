// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/hostile/messages.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "host/hostile/intent.hpp"
#include "tests/unit/host_vmbus/guest.hpp"

namespace hv::host::hostile {
namespace {

using namespace hv::test;
namespace wire = hv::wire::vmbus;

Message offer_of(uint32_t relid) {
  wire::OfferChannel offer{};
  offer.class_id = kScsi;
  offer.channel_id = relid;
  return message(MessageType::OfferChannel, offer);
}

std::vector<Message> forged(uint64_t seed, size_t count) {
  MessageForger forger;
  forger.listen(offer_of(7));
  Dice dice(seed);
  std::vector<Message> out;
  while (out.size() < count) out.push_back(forger.forge(dice));
  return out;
}

TEST(MessageForger, ASeedDecidesEverything) {
  EXPECT_EQ(forged(1, 200), forged(1, 200));
  EXPECT_NE(forged(1, 200), forged(2, 200));
}

TEST(MessageForger, ForgesEveryAnswerOfAHostAndTypesThatAreNone) {
  std::set<uint32_t> types;
  for (const Message& bytes : forged(3, 3000)) {
    ASSERT_LE(bytes.size(), wire::kMaxMessageSize);
    if (const auto header = ByteReader(bytes).take<wire::MessageHeader>())
      types.insert(static_cast<uint32_t>(header->type));
  }
  for (const uint32_t type : {1, 2, 4, 6, 10, 12, 15, 17, 23, 24})
    EXPECT_TRUE(types.contains(type)) << type;
  EXPECT_TRUE(types.contains(0xffffffff));
}

TEST(MessageForger, NamesChannelsThatExistAndSuchAsCannot) {
  size_t known = 0, impossible = 0;
  for (const Message& bytes : forged(4, 3000)) {
    if (bytes.size() < 8 + sizeof(wire::OfferChannel) ||
        type_of(bytes) != MessageType::OfferChannel)
      continue;
    const uint32_t relid = payload_of<wire::OfferChannel>(bytes).channel_id;
    known += relid == 7;
    impossible += relid == 0 || relid >= wire::kMaxChannels;
  }
  EXPECT_GT(known, 100u);
  EXPECT_GT(impossible, 20u);
}

TEST(MessageForger, TamperingRepeatsCutsSpoilsLosesAndReorders) {
  MessageForger forger;
  Dice dice(5);
  std::set<size_t> counts, sizes;
  bool overtaken = false, spoilt = false;
  uint32_t sent = 0, newest = 0;
  for (int i = 0; i < 2000; i++) {
    const Message honest = message(MessageType::RescindChannelOffer, wire::ChannelId{++sent});
    const auto out = forger.tamper(dice, honest);
    counts.insert(out.size());
    for (const Message& bytes : out) {
      ASSERT_LE(bytes.size(), wire::kMaxMessageSize);
      sizes.insert(bytes.size());
      if (bytes.size() != honest.size() || type_of(bytes) != MessageType::RescindChannelOffer)
        continue;
      const uint32_t id = payload_of<wire::ChannelId>(bytes).channel_id;
      overtaken |= id < sent && id + 5 > sent && newest > id;
      spoilt |= id > sent;
      if (id <= sent) newest = std::max(newest, id);
    }
  }
  EXPECT_TRUE(counts.contains(0));
  EXPECT_TRUE(counts.contains(2));
  EXPECT_TRUE(sizes.contains(3));
  EXPECT_GT(*sizes.rbegin(), 100u);
  EXPECT_TRUE(overtaken);
  EXPECT_TRUE(spoilt);
}

TEST(Intent, AStartBeginsEveryStreamAnew) {
  Intent intent;
  Stream one(intent, 1), two(intent, 2);
  EXPECT_FALSE(one.strikes());
  intent.start(9, 1000);
  EXPECT_TRUE(one.strikes());
  const uint64_t first = one.dice().next();
  EXPECT_NE(two.dice().next(), first);
  intent.start(9, 1000);
  EXPECT_TRUE(one.strikes());
  EXPECT_EQ(one.dice().next(), first);
  intent.stop();
  EXPECT_FALSE(one.strikes());
}

}  // namespace
}  // namespace hv::host::hostile
