// SPDX-License-Identifier: GPL-2.0-only OR MIT
// The core's netvsc takes all that the hostile host makes: nothing of it reaches out of the receive
// buffer, completes what is not out, or ends it.
#include <gtest/gtest.h>

#include <cstring>
#include <deque>

#include "core/netvsc/discovery.hpp"
#include "host/hostile/network.hpp"
#include "host/hostile/packets.hpp"
#include "tests/unit/netvsc/queue_pair.hpp"

namespace hv::host::hostile {
namespace {

using netvsc::Event;

class Attacked {
 public:
  explicit Attacked(uint64_t seed) : dice_(seed) {}

  void round() {
    for (uint32_t i = dice_.below(3); i > 0; i--) send_frame();
    take_what_the_guest_sent();
    while (!ids_.empty()) {
      answer(ids_.front());
      ids_.pop_front();
    }
    for (uint32_t i = dice_.below(4); i > 0; i--) say(forger_.forge(dice_));
    for (uint32_t i = dice_.below(4); i > 0; i--) deliver();
    ASSERT_NO_FATAL_FAILURE(receive());
  }
  /// An honest host's frame comes.
  void goes_on() {
    frames_ = 0;
    wire::rndis::Packet head{};
    head.data_offset = sizeof(head);
    head.data_length = 60;
    pair_.host_delivers(1, {test::rndis(wire::rndis::MessageType::Packet, head, test::Bytes(60))});
    ASSERT_NO_FATAL_FAILURE(receive());
    EXPECT_EQ(frames_, 1u);
  }

 private:
  void send_frame() {
    auto& sending = pair_.queue.sending();
    const auto place = sending.copy({.length = 60});
    if (!place) return;  // the host has lost its completions
    std::memset(*place, 1, 60);
    (void)sending.flush().ok();
    (void)sending.publish();
  }
  void take_what_the_guest_sent() {
    while (!pair_.host_has_none()) {
      const auto packet = pair_.host_reads();
      if (packet.wants_completion()) ids_.push_back(packet.transaction_id);
    }
  }
  void answer(uint64_t id) {
    Packet honest;
    honest.type = wire::PacketType::Completion;
    honest.transaction_id = id;
    honest.payload =
        test::join(wire::netvsc::Header{wire::netvsc::MessageType::SendRndisPacketComplete},
                   wire::netvsc::RndisPacketComplete{wire::netvsc::Status::Success});
    forger_.listen(honest);
    for (const Packet& packet : forger_.tamper(dice_, honest)) say(packet);
  }
  void deliver() {
    const auto message = forge_rndis(dice_);
    const auto offset = static_cast<uint32_t>(dice_.below(pair_.receive.size() - message.size()));
    std::memcpy(pair_.receive.data() + offset, message.data(), message.size());
    Packet packet = transfer_of(dice_, forger_.transaction_id(dice_), offset,
                                static_cast<uint32_t>(message.size()));
    if (dice_.chance(300)) spoil_nvsp(dice_, packet);
    say(packet);
  }
  void say(const Packet& packet) {
    if (pair_.host_out.stage(packet.type, packet.flags, packet.transaction_id, packet.extra,
                             packet.payload))
      (void)pair_.host_out.commit();
  }
  void receive() {
    auto& receiving = pair_.queue.receiving();
    for (size_t steps = 0;; steps++) {
      ASSERT_LT(steps, 100'000u) << "it has no end";
      const auto event = receiving.next();
      if (event) {
        ASSERT_NO_FATAL_FAILURE(understand(*event));
        continue;
      }
      if (event.error() == Error::RingEmpty) break;
      ASSERT_NE(event.error(), Error::RingCorrupt);
      if (event.error() == Error::Exhausted) pay();
    }
    pay();
    (void)receiving.give_back();
  }
  void pay() {
    for (bool left = true; left;) {
      left = !pair_.queue.pay_completions();
      (void)pair_.queue.sending().publish();
      take_what_the_guest_sent();
    }
  }
  void understand(const Event& event) {
    const std::byte* begin = pair_.receive.data();
    const std::byte* end = begin + pair_.receive.size();
    uint64_t length = 0;
    for (const auto& fragment : event.fragments) {
      ASSERT_GE(fragment.data, begin);
      ASSERT_LE(fragment.data, end);
      ASSERT_LE(fragment.length, static_cast<size_t>(end - fragment.data));
      length += fragment.length;
    }
    switch (event.kind) {
      case Event::Kind::Frame:
        ASSERT_EQ(length, event.length);
        ASSERT_GE(event.length, netvsc::kEthernetHeader);
        ASSERT_LE(event.length, netvsc::Receiver::kMostFrame);
        frames_++;
        break;
      case Event::Kind::Sent:
        ASSERT_EQ(event.slot_kind, netvsc::SlotKind::Section);
        ASSERT_FALSE(pair_.queue.alive(event.slot)) << "completed, and still out";
        pair_.queue.release(event.slot);
        break;
      case Event::Kind::Control:
        if (const auto view = netvsc::parse_control(event.bytes)) {
          (void)netvsc::parse_indication(*view).ok();
          (void)conversation_.take(event.bytes, *view).ok();
        }
        break;
      case Event::Kind::ControlSent:
      case Event::Kind::Answered:
        FAIL() << "nothing was asked";
      case Event::Kind::SendTable:
      case Event::Kind::VfAssociation:
      case Event::Kind::Dropped:
      case Event::Kind::Ignored:
        break;
    }
  }

  Dice dice_;
  PacketForger forger_{Protocol::Network};
  test::QueuePair pair_;
  netvsc::Conversation conversation_;
  std::deque<uint64_t> ids_;
  size_t frames_ = 0;
};

TEST(HostileNetvsc, TheChannelGoesOnUnderEveryLie) {
  for (uint64_t seed = 1; seed <= 60; seed++) {
    SCOPED_TRACE(seed);
    Attacked guest(seed);
    for (int round = 0; round < 200; round++) ASSERT_NO_FATAL_FAILURE(guest.round());
    ASSERT_NO_FATAL_FAILURE(guest.goes_on());
  }
}

TEST(HostileNetvsc, NoAnswerCutsABufferIntoWhatIsNotThere) {
  constexpr uint32_t kBuffer = 1 << 20;
  size_t opened = 0;
  for (uint64_t seed = 1; seed <= 3000; seed++) {
    Dice dice(seed);
    netvsc::Opening opening({});
    while (!opening.done() && opening.state() != netvsc::Opening::State::Failed) {
      const auto state = opening.state();
      if (state == netvsc::Opening::State::ReceiveBuffer ||
          state == netvsc::Opening::State::SendBuffer)
        opening.give_buffer(1, kBuffer).take();
      if (!opening.wants_answer()) {
        opening.sent().take();
        continue;
      }
      namespace nvsp = wire::netvsc;
      Packet answer;
      answer.type = wire::PacketType::Completion;
      if (state == netvsc::Opening::State::Version) {
        answer.payload =
            test::nvsp(nvsp::MessageType::InitComplete,
                       nvsp::InitComplete{nvsp::Version::V6_1, 34, nvsp::Status::Success});
      } else if (state == netvsc::Opening::State::ReceiveBuffer) {
        answer.payload = test::nvsp(
            nvsp::MessageType::SendReceiveBufferComplete,
            nvsp::ReceiveBufferComplete{nvsp::Status::Success, 1, {0, 1728, 100, 172800}});
      } else {
        answer.payload = test::nvsp(nvsp::MessageType::SendSendBufferComplete,
                                    nvsp::SendBufferComplete{nvsp::Status::Success, 6144});
      }
      if (dice.chance(500)) spoil_nvsp(dice, answer);
      (void)opening.answered(answer.payload).ok();
    }
    if (!opening.done()) continue;
    opened++;
    for (const auto& sections : {opening.receive_sections(), opening.send_sections()}) {
      EXPECT_LE(uint64_t{sections.size} * sections.count, kBuffer);
      EXPECT_TRUE(sections.count == 0 || sections.size >= netvsc::kLeastMtu);
    }
    EXPECT_GT(opening.receive_sections().count, 0u);
  }
  EXPECT_GT(opened, 500u);
}

TEST(HostileNetvsc, DiscoveryEndsWithWhatAnAdapterCanBe) {
  for (uint64_t seed = 1; seed <= 3000; seed++) {
    Dice dice(seed);
    netvsc::Discovery discovery(netvsc::Dialect(wire::netvsc::Version::V6_1), {});
    netvsc::Conversation conversation;
    std::array<std::byte, netvsc::kMostControl> page;
    while (!discovery.done() && discovery.state() != netvsc::Discovery::State::Failed) {
      discovery.write(page, conversation).take();
      auto answer =
          discovery.state() == netvsc::Discovery::State::Initialize
              ? test::rndis(wire::rndis::MessageType::InitializeComplete,
                            wire::rndis::InitializeComplete{1, wire::rndis::Status::Success, 1, 0,
                                                            1, 0, 8, 0x4000, 3, 0, 0})
              : test::query_answer(1, test::Bytes(64, std::byte{2}));
      if (dice.chance(600)) spoil_rndis(dice, answer);
      if (dice.chance(200)) answer = forge_rndis(dice);
      (void)discovery.answered(answer).ok();
    }
    if (!discovery.done()) continue;
    const auto& facts = discovery.facts();
    EXPECT_GE(facts.limits.max_packets, 1u);
    EXPECT_TRUE(facts.limits.alignment >= 1 && facts.limits.alignment <= 4096);
    EXPECT_TRUE(facts.most_mtu >= netvsc::kLeastMtu && facts.most_mtu <= netvsc::kMostMtu);
    EXPECT_GE(facts.rss.queues, 1u);
    EXPECT_LE(facts.rss.table_entries, netvsc::kMostRssEntries);
    for (const uint32_t most : {facts.capabilities.large_send4, facts.capabilities.large_send6})
      EXPECT_TRUE(most == 0 || most >= 4096);
  }
}

}  // namespace
}  // namespace hv::host::hostile
