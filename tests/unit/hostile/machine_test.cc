// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/hostile/machine.hpp"

#include <gtest/gtest.h>

#include "core/wire/vmbus.hpp"
#include "tests/support/fake_machine.hpp"

namespace hv::host::hostile {
namespace {

constexpr std::array<std::byte, 8> kMessage = {std::byte{4}};

TEST(HostileMachine, IsHonestUntilToldOtherwise) {
  test::FakeMachine inner(16, 2);
  Intent intent;
  Machine machine(inner, intent);
  for (int i = 0; i < 200; i++) EXPECT_TRUE(machine.post_message(1, 2, 1, kMessage));
  machine.signal_event(1, 2, 77);
  for (int i = 0; i < 200; i++) {
    const auto posted = inner.take_message();
    ASSERT_TRUE(posted);
    EXPECT_EQ(posted->vp, 1u);
    EXPECT_TRUE(std::ranges::equal(posted->payload, kMessage));
  }
  EXPECT_FALSE(inner.take_message());
  EXPECT_EQ(inner.take_events(), (std::vector<test::FakeMachine::Event>{{1, 2, 77}}));
  EXPECT_EQ(intent.deeds(Deed::TamperedMessage), 0u);
}

TEST(HostileMachine, TampersAtItsRate) {
  test::FakeMachine inner(16);
  Intent intent;
  Machine machine(inner, intent);
  intent.start(1, 500);
  for (int i = 0; i < 1000; i++) (void)machine.post_message(0, 2, 1, kMessage);
  EXPECT_GT(intent.deeds(Deed::TamperedMessage), 400u);
  EXPECT_LT(intent.deeds(Deed::TamperedMessage), 600u);
  intent.stop();
  const uint64_t before = intent.deeds(Deed::TamperedMessage);
  for (int i = 0; i < 100; i++) (void)machine.post_message(0, 2, 1, kMessage);
  EXPECT_EQ(intent.deeds(Deed::TamperedMessage), before);
}

TEST(HostileMachine, AttacksGoToVpsThatExist) {
  test::FakeMachine inner(16, 3);
  Intent intent;
  Machine machine(inner, intent);
  Dice dice(1);
  for (int i = 0; i < 500; i++) machine.attack(dice);
  size_t others = 0;
  while (const auto posted = inner.take_message()) {
    EXPECT_LT(posted->vp, 3u);
    EXPECT_EQ(posted->sint, wire::vmbus::kMessageSint);
    others += posted->message_type != wire::vmbus::kSynicMessageType;
  }
  EXPECT_GT(others, 0u);
  for (const auto& event : inner.take_events()) EXPECT_LT(event.flag, wire::vmbus::kMaxChannels);
  EXPECT_EQ(intent.deeds(Deed::ForgedMessage) + intent.deeds(Deed::Signal), 500u);
}

}  // namespace
}  // namespace hv::host::hostile
