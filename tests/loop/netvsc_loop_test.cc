// SPDX-License-Identifier: GPL-2.0-only OR MIT
// The core's netvsc against the host's netvsp: one process, a thread for the host's channel, one
// each for the guest's two sides, rings and buffers in shared memory. Frames go out by sections and
// by pages, come back from the echo, and are what they were.
#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <memory>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

#include "core/netvsc/discovery.hpp"
#include "core/netvsc/queue.hpp"
#include "host/netvsp/channel_service.hpp"
#include "tests/support/fake_channel.hpp"
#include "tests/support/network_guest.hpp"
#include "tests/support/seed.hpp"

namespace hv::test {
namespace {

using namespace netvsc;
using host::netvsp::ChannelService;
using host::netvsp::NicShared;

constexpr size_t kPage = wire::kPageSize;
constexpr SlotPlan kPlan{.sections = 32, .pages = 16};
// Guest memory, in pages.
constexpr uint64_t kReceive = 0, kReceivePages = 256, kSend = kReceivePages, kSendPages = 48,
                   kControl = kSend + kSendPages, kHeaders = kControl + 1, kData = kHeaders + 1,
                   kPages = kData + kPlan.pages;
constexpr size_t kMostFrame = 1514;
constexpr size_t kOut = 48;  ///< frames that are on their way at most
const MacAddress kMac{0x00, 0x15, 0x5d, 1, 2, 3};

/// Answers as the bus does: later, from a thread of its own, and with nothing of the NIC's held.
class LateHandle final : public host::vmbus::DeviceHandle {
 public:
  ~LateHandle() override {
    for (auto& answer : answers_) answer.join();
  }
  bool offer_sub_channels(uint16_t) override { return true; }
  void find_gpadl(uint16_t channel, uint32_t gpadl_id) override {
    answers_.emplace_back([this, channel, gpadl_id] { at_once.find_gpadl(channel, gpadl_id); });
  }
  NetHandle at_once;

 private:
  std::vector<std::thread> answers_;
};

class NetvscLoop : public ::testing::Test {
 protected:
  using Bytes = std::vector<std::byte>;

  NetvscLoop() {
    shared.handle = &handle;
    handle.at_once.machine = &machine;
    handle.at_once.service = &service;
    handle.at_once.gpadls[1] = frames_from(kReceive, kReceivePages);
    handle.at_once.gpadls[2] = frames_from(kSend, kSendPages);
    net.start([this](host::net::Frame&& frame) {
      if (!service.deliver(std::move(frame), std::nullopt)) lost++;
    });
    host = std::thread([this] { service.run(); });
  }
  ~NetvscLoop() override {
    service.stop();
    host.join();
  }

  std::span<std::byte> pages(uint64_t first, uint64_t count) {
    return *machine.memory(first * kPage, count * kPage);
  }
  void signal(vmbus::Signal signal) {
    if (signal == vmbus::Signal::Yes) channel.host_bell().ring();
  }
  void publish() {
    const std::lock_guard lock(mutex);
    signal(queue.sending().publish());
  }

  /// One round of the receiver: all there is, then what is owed. Waits for more when there was
  /// nothing.
  template <typename Understand>
  void receive(Understand understand) {
    auto& receiving = queue.receiving();
    bool nothing = true;
    receiving.mask();
    for (;;) {
      auto event = receiving.next();
      if (!event && event.error() == Error::RingEmpty) break;
      nothing = false;
      if (!event && event.error() == Error::Exhausted) {
        settle();
        continue;
      }
      ASSERT_TRUE(event.ok()) << name(event.error());
      understand(*event);
    }
    settle();
    const bool more = receiving.unmask_behind(receiving.position());
    if (nothing && !more) {
      ASSERT_TRUE(channel.guest_bell().wait()) << "a wake-up was lost";
    }
  }
  void settle() {
    const std::lock_guard lock(mutex);
    (void)queue.pay_completions().ok();
    signal(queue.sending().publish());
    signal(queue.receiving().give_back());
  }

  /// The answer to the message that is staged.
  Bytes answered() {
    publish();
    Bytes answer;
    while (answer.empty() && !HasFatalFailure()) {
      receive([&](const Event& event) {
        ASSERT_EQ(event.kind, Event::Kind::Answered);
        answer.assign(event.bytes.begin(), event.bytes.end());
      });
    }
    return answer;
  }
  void open() {
    Opening opening({});
    while (!opening.done()) {
      if (opening.state() == Opening::State::ReceiveBuffer)
        opening.give_buffer(1, kReceivePages * kPage).take();
      if (opening.state() == Opening::State::SendBuffer)
        opening.give_buffer(2, kSendPages * kPage).take();
      if (!opening.wants_answer()) {
        queue.sending().send_notice(opening.message()).take();
        opening.sent().take();
        continue;
      }
      queue.sending().send_setup(opening.message()).take();
      ASSERT_TRUE(opening.answered(answered()).ok());
    }
    EXPECT_EQ(opening.dialect().version(), wire::netvsc::Version::V6_1);
    queue.receiving().adopt(opening.dialect());
    queue.receiving().share(pages(kReceive, kReceivePages));
    queue.sending()
        .share({.bytes = pages(kSend, kSendPages),
                .first = 0,
                .section_size = opening.send_sections().size})
        .take();

    Discovery discovery(opening.dialect(), {});
    while (!discovery.done()) {
      ASSERT_NO_FATAL_FAILURE(request(discovery.write(pages(kControl, 1), conversation).take()));
      ASSERT_TRUE(discovery.answered(conversation.answer()).ok());
    }
    EXPECT_EQ(discovery.facts().mac, kMac);
    EXPECT_TRUE(discovery.facts().link_up);
    EXPECT_TRUE(discovery.facts().capabilities.tcp4_checksum);
    queue.sending().adopt(discovery.facts().limits);
    const auto id = conversation.begin(wire::rndis::MessageType::SetComplete);
    ASSERT_NO_FATAL_FAILURE(
        request(write_set_u32(pages(kControl, 1), id, wire::rndis::Oid::CurrentPacketFilter,
                              wire::rndis::kFilterDirected)
                    .take()));
    EXPECT_TRUE(parse_set_complete(conversation.answer()).ok());
  }
  void request(size_t bytes) {
    queue.sending().send_control(kControl * kPage, static_cast<uint32_t>(bytes)).take();
    publish();
    bool sent = false, taken = false;
    while (!sent || !taken) {
      ASSERT_NO_FATAL_FAILURE(receive([&](const Event& event) {
        if (event.kind == Event::Kind::ControlSent) sent = event.good;
        if (event.kind == Event::Kind::Control)
          taken |= conversation.take(event.bytes, parse_control(event.bytes).take()).ok();
      }));
    }
  }

  /// Frame number n, made from it alone.
  static size_t length_of(uint32_t number) {
    return 60 + (number * 2654435761u >> 8) % (kMostFrame - 59);
  }
  static void fill(std::span<std::byte> frame, uint32_t number) {
    for (size_t i = 0; i < 6; i++) {
      frame[i] = std::byte{0x20};
      frame[6 + i] = static_cast<std::byte>(kMac[i]);
    }
    frame[12] = std::byte{0x88};
    frame[13] = std::byte{0xb5};
    std::memcpy(frame.data() + 14, &number, sizeof(number));
    for (size_t i = 18; i < frame.size(); i++) frame[i] = static_cast<std::byte>(number + i);
  }

  /// The sender's thread: `count` frames, in batches of a random length.
  void send(uint32_t count, std::mt19937_64 random) {
    for (uint32_t number = 0; number < count && !failed.load();) {
      if (number - back.load() >= kOut) std::this_thread::yield();
      const std::lock_guard lock(mutex);
      auto& sending = queue.sending();
      for (uint32_t batch = static_cast<uint32_t>(random() % 6 + 1); batch > 0 && number < count;
           batch--) {
        if (number - back.load() >= kOut) break;
        if (!send_one(number, random() % 3 == 0)) break;
        number++;
      }
      if (sending.batch_open() && sending.flush()) batches++;
      signal(sending.publish());
    }
  }
  bool send_one(uint32_t number, bool by_pages) {
    auto& sending = queue.sending();
    const SendFrame frame{.length = static_cast<uint32_t>(length_of(number))};
    if (!by_pages) {
      auto place = sending.copy(frame);
      if (!place) return false;
      copied++;
      fill({*place, frame.length}, number);
      return true;
    }
    const auto slot = sending.take_pages();
    if (!slot) return false;
    const uint32_t index = *slot - kPlan.sections;
    fill(pages(kData + index, 1).first(frame.length), number);
    sending.list_header(frame, kHeaders * kPage + index * kHeaderRoom).take();
    sending.list_piece((kData + index) * kPage, frame.length).take();
    const auto sent = sending.send_pages(
        *slot, frame, pages(kHeaders, 1).subspan(index * kHeaderRoom, kHeaderRoom));
    if (!sent) sending.drop_pages(*slot);
    return sent.ok();
  }

  void check(const Event& event) {
    ASSERT_EQ(event.fragments.size(), 1u);
    std::vector<std::byte> frame(event.fragments[0].data, event.fragments[0].data + event.length);
    uint32_t number;
    std::memcpy(&number, frame.data() + 14, sizeof(number));
    ASSERT_EQ(number, back.load()) << "in order, each once";
    std::vector<std::byte> expected(length_of(number));
    fill(expected, number);
    std::swap_ranges(expected.begin(), expected.begin() + 6, expected.begin() + 6);
    ASSERT_EQ(frame, expected);
    back++;
  }

  FakeMachine machine{kPages};
  FakeChannel channel{machine, 0, 64 * 1024, true};
  host::EchoNet net;
  host::netvsp::NicShared shared{
      {.newest = wire::netvsc::Version::V6_1, .queues = 1},
      {.mac = host::netvsp::parse_mac("00:15:5d:01:02:03").value(), .name = "nic0"},
      net};
  ChannelService service{channel, shared};
  LateHandle handle;
  std::thread host;
  alignas(8) std::array<std::byte, QueueMemory::bytes_needed(kPlan)> memory{};
  Queue queue{{channel.to_host().writer(), channel.to_guest().reader()},
              kPlan,
              QueueMemory::create(memory, kPlan).take(),
              true};
  Conversation conversation;
  std::mutex mutex;  ///< the port's lock of the channel
  std::atomic<uint32_t> back{0};
  std::atomic<uint32_t> lost{0};
  std::atomic<bool> failed{false};
  uint32_t batches = 0;  ///< that were ended by their sender
  uint32_t copied = 0;
};

TEST_F(NetvscLoop, EveryFrameComesBackAsItWas) {
  constexpr uint32_t kFrames = 20000;
  ASSERT_NO_FATAL_FAILURE(open());
  std::thread sender([this, random = seeded()] { send(kFrames, random); });
  while (back.load() < kFrames && !HasFatalFailure()) {
    receive([&](const Event& event) {
      if (event.kind == Event::Kind::Frame) return check(event);
      ASSERT_NE(event.kind, Event::Kind::Dropped);
      if (event.kind != Event::Kind::Sent) return;
      EXPECT_TRUE(event.good);
      queue.release(event.slot);
    });
  }
  failed = HasFatalFailure();
  sender.join();
  EXPECT_EQ(back.load(), kFrames);
  EXPECT_EQ(lost.load(), 0u);
  EXPECT_FALSE(channel.failed.load()) << channel.failure;
  EXPECT_LT(batches, copied) << "frames shared sections";
}

}  // namespace
}  // namespace hv::test
