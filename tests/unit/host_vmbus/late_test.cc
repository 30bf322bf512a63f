// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/vmbus/late.hpp"

#include <gtest/gtest.h>

#include "tests/unit/host_vmbus/guest.hpp"

namespace hv::host::vmbus {
namespace {

using namespace hv::test;
using namespace std::chrono_literals;
namespace wire = hv::wire::vmbus;
using Clock = LateMessages::Clock;

GuestMessage modify(uint32_t relid, uint32_t vp) {
  return {4, message(MessageType::ModifyChannel, wire::ModifyChannel{relid, vp})};
}

TEST(LateMessages, KnowsWhatIsLateAndWhatWaitsForIt) {
  const Bytes move = modify(1, 0).bytes;
  EXPECT_TRUE(LateMessages::is_modify(move));
  EXPECT_FALSE(LateMessages::is_modify(plain(MessageType::Unload)));
  EXPECT_FALSE(LateMessages::is_modify({}));
  EXPECT_FALSE(LateMessages::is_modify(std::span(move).first(3)));
  for (const auto type :
       {MessageType::CloseChannel, MessageType::GpadlTeardown, MessageType::RelIdReleased})
    EXPECT_TRUE(LateMessages::goes_after(channel_message(type, 1)));
  EXPECT_FALSE(LateMessages::goes_after(move));
  EXPECT_FALSE(LateMessages::goes_after(plain(MessageType::RequestOffers)));
}

TEST(LateMessages, GivesThemBackInOrderWhenTheyAreDue) {
  LateMessages late;
  const auto start = Clock::now();
  EXPECT_FALSE(late.due());
  EXPECT_FALSE(late.take());
  late.keep(modify(1, 1), start + 5s);
  late.keep(modify(2, 1), start);
  EXPECT_EQ(late.due(), start + 5s);
  EXPECT_FALSE(late.take(start + 4s));
  EXPECT_EQ(late.take(start + 5s)->bytes, modify(1, 1).bytes);
  EXPECT_EQ(late.due(), start + 5s) << "the second was asked for behind the first";
  EXPECT_EQ(late.take()->bytes, modify(2, 1).bytes);
  EXPECT_EQ(late.count(), 0u);
}

}  // namespace
}  // namespace hv::host::vmbus
