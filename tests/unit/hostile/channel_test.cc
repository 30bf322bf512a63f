// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/hostile/channel.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <thread>

#include "host/hostile/device.hpp"
#include "host/hostile/network.hpp"
#include "host/hostile/receive_buffer.hpp"
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
    for (uint64_t id = first; id < first + count; id++) {
      std::memcpy(payload.data(), &id, sizeof id);
      ASSERT_TRUE(channel.outgoing().stage(wire::PacketType::Completion, 0, id, {}, payload).ok());
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

TEST_F(HostileChannel, SpoilsTheMessagesThatItsPacketsNameWhereTheyLie) {
  constexpr uint64_t kPage = 2;
  ReceiveBuffer buffer;
  buffer.found(machine, 1, std::array<uint64_t, 1>{kPage});
  Channel nic(inner, intent, 2, &buffer);
  intent.start(11, 1000);
  auto& control = inner.outgoing().memory().control();
  const auto bytes = *machine.memory(kPage * wire::kPageSize, wire::kPageSize);
  Dice dice(11);
  for (uint64_t round = 0; round < 300; round++) {
    std::ranges::fill(bytes, std::byte{0x5a});
    const Packet honest = transfer_of(dice, round, 64, 100);
    ASSERT_TRUE(
        nic.outgoing().stage(honest.type, honest.flags, round, honest.extra, honest.payload).ok());
    if (nic.outgoing().commit() == Signal::Yes) nic.signal_guest();
    control.read_index = control.write_index;  // a guest that has read it all
  }
  EXPECT_GT(intent.deeds(Deed::SpoiltMessage), 50u);
  EXPECT_GT(intent.deeds(Deed::TamperedPacket), 50u);
  const uint64_t before = intent.deeds(Deed::ForgedRndis);
  std::ranges::fill(bytes, std::byte{0x5a});
  for (int i = 0; i < 50; i++) {
    nic.attack(dice);
    control.read_index = control.write_index;
  }
  EXPECT_GT(intent.deeds(Deed::ForgedRndis), before);
  EXPECT_FALSE(std::ranges::all_of(bytes, [](std::byte byte) { return byte == std::byte{0x5a}; }));
}

/// A network adapter that only keeps what it is told.
class SharingDevice final : public vmbus::Device {
 public:
  SharingDevice() { info_.class_id = wire::netvsc::kNetworkClass; }
  const vmbus::OfferInfo& offer() const override { return info_; }
  std::string name() const override { return "nic"; }
  bool opened(vmbus::OpenChannel& channel) override {
    open = &channel;
    return true;
  }
  void closed(vmbus::OpenChannel&) override { open = nullptr; }
  void gpadl_found(vmbus::OpenChannel& channel, uint32_t gpadl_id,
                   std::span<const uint64_t>) override {
    EXPECT_EQ(&channel, open);
    found = gpadl_id;
  }
  void gpadl_gone(vmbus::OpenChannel& channel, uint32_t gpadl_id) override {
    EXPECT_EQ(&channel, open);
    gone = gpadl_id;
  }

  vmbus::OpenChannel* open = nullptr;
  uint32_t found = 0, gone = 0;

 private:
  vmbus::OfferInfo info_;
};

TEST_F(HostileChannel, TheDeviceBehindItIsToldOfItsBuffers) {
  const auto honest = std::make_shared<SharingDevice>();
  OpenChannels channels(intent);
  Device device(honest, channels);
  ASSERT_TRUE(device.opened(inner));
  device.gpadl_found(inner, 7, std::array<uint64_t, 1>{1});
  EXPECT_EQ(honest->found, 7u);
  device.gpadl_gone(inner, 7);
  EXPECT_EQ(honest->gone, 7u);
  device.closed(inner);
  EXPECT_EQ(honest->open, nullptr);
}

}  // namespace
}  // namespace hv::host::hostile
