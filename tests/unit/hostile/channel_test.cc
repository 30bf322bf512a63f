// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/hostile/channel.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <thread>

#include "tests/support/fake_channel.hpp"
#include "tests/support/fake_machine.hpp"

namespace hv::host::hostile {
namespace {

using hv::vmbus::Signal;

class HostileChannel : public ::testing::Test {
 protected:
  HostileChannel() : machine(16), inner(machine, 0, 16 * 1024), channel(inner, intent, 1) {}

  /// As a device does it: stages, commits, signals when it has to.
  void say(uint64_t first, uint64_t count) {
    std::array<std::byte, 64> payload{};
    const std::span<const std::byte> parts[] = {payload};
    for (uint64_t id = first; id < first + count; id++) {
      std::memcpy(payload.data(), &id, sizeof id);
      ASSERT_TRUE(channel.outgoing().stage(wire::PacketType::Completion, 0, id, {}, parts).ok());
    }
    if (channel.outgoing().commit() == Signal::Yes) channel.signal_guest();
  }

  test::FakeMachine machine;
  test::FakeChannel inner;
  Intent intent;
  Channel channel;
};

TEST_F(HostileChannel, PassesEverythingOnWhileItIsHonest) {
  auto reader = inner.to_guest().reader();
  std::array<std::byte, 4096> buffer;
  for (uint64_t round = 0; round < 1000; round++) {
    say(round * 3, 3);
    for (uint64_t id = round * 3; id < round * 3 + 3; id++) {
      const auto packet = reader.read(buffer);
      ASSERT_TRUE(packet);
      EXPECT_EQ(packet->transaction_id, id);
      EXPECT_EQ(packet->payload.size(), 64u);
    }
    (void)reader.commit();
  }
  EXPECT_EQ(intent.deeds(Deed::TamperedPacket), 0u);
}

TEST_F(HostileChannel, ABurstLargerThanTheRingArrivesWhenTheGuestReads) {
  constexpr uint64_t kPackets = 1000;  // five rings full
  std::atomic<bool> done{false};
  std::thread guest([&] {
    auto reader = inner.to_guest().reader();
    std::array<std::byte, 4096> buffer;
    for (uint64_t id = 0; id < kPackets;) {
      const auto packet = reader.read(buffer);
      if (!packet) {
        (void)reader.commit();
        std::this_thread::yield();
        continue;
      }
      EXPECT_EQ(packet->transaction_id, id);
      id++;
    }
    done = true;
  });
  say(0, kPackets);
  guest.join();
  EXPECT_TRUE(done);
}

TEST_F(HostileChannel, LiesAndTheRingStaysItsRing) {
  intent.start(7, 500);
  Dice dice(7);
  std::array<std::byte, 70000> buffer;
  auto reader = inner.to_guest().reader();
  size_t read = 0, broken = 0;
  for (uint64_t round = 0; round < 3000; round++) {
    say(round, 2);
    channel.attack(dice);
    for (;;) {
      const auto packet = reader.read(buffer);
      if (packet) {
        read++;
        continue;
      }
      if (packet.error() == Error::RingEmpty) break;
      if (packet.error() != Error::RingCorrupt) continue;
      broken++;  // as a guest that opens the channel anew
      auto& control = inner.outgoing().memory().control();
      control.read_index = control.write_index;
      auto again = hv::vmbus::RingReader::create(inner.outgoing().memory());
      if (!again) break;
      reader = again.take();
      break;
    }
    (void)reader.commit();
  }
  EXPECT_GT(read, 1000u);
  EXPECT_GT(broken, 10u);
  EXPECT_GT(intent.deeds(Deed::TamperedPacket), 1000u);
  EXPECT_GT(intent.deeds(Deed::Scribble), 1000u);
  EXPECT_FALSE(inner.failed);
}

}  // namespace
}  // namespace hv::host::hostile
