// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/vmbus/server.hpp"

#include <gtest/gtest.h>
#include <poll.h>

#include <atomic>

#include "tests/support/fake_machine.hpp"
#include "tests/unit/host_vmbus/guest.hpp"

namespace hv::host::vmbus {
namespace {

using namespace hv::test;
using namespace std::chrono_literals;
namespace wire = hv::wire::vmbus;

class TestDevice final : public Device {
 public:
  explicit TestDevice(uint8_t number) : info_(offer_info(number)) {}
  const OfferInfo& offer() const override { return info_; }
  std::string name() const override { return "test"; }
  void attached(DeviceHandle& attached_handle) override { handle = &attached_handle; }
  void detached() override { handle = nullptr; }
  bool opened(OpenChannel& channel) override {
    if (refuse) return false;
    open[channel.index()] = &channel;
    return true;
  }
  void closed(OpenChannel& channel) override {
    vp_at_close = channel.vp();
    open.erase(channel.index());
  }

  void gpadl_found(OpenChannel&, uint32_t id, std::span<const uint64_t> frames) override {
    found[id] = {frames.begin(), frames.end()};
  }
  void gpadl_gone(OpenChannel&, uint32_t id) override { found.erase(id); }

  DeviceHandle* handle = nullptr;
  std::map<uint32_t, std::vector<uint64_t>> found;  ///< GPADLs asked for and not taken back
  std::map<uint16_t, OpenChannel*> open;
  uint32_t vp_at_close = 99;
  bool refuse = false;

 private:
  OfferInfo info_;
};

/// A guest that talks to a real server over a fake machine.
class ServerTest : public ::testing::Test {
 protected:
  ServerTest()
      : machine(256, 2),
        server(machine, {.log = [this](const std::string& line) { lines.push_back(line); }}) {}

  void say(const Bytes& bytes) {
    ASSERT_TRUE(server.message_from_guest(4, 1, bytes));
    server.drain();
  }
  void connect() {
    say(contact(Version::V5_3));
    say(plain(MessageType::RequestOffers));
  }
  void open_ring(uint32_t relid, uint32_t id, uint64_t first = 16) {
    const auto words = range_words(8, first);
    say(gpadl_header(relid, id, words, words.size()));
    say(open(relid, id, 4));
  }
  /// The newest message of that type, if any; all are taken.
  template <WireStruct T>
  std::optional<T> last(MessageType type) {
    std::optional<T> found;
    while (const auto message = machine.take_message()) {
      if (type_of(message->payload) == type) found = payload_of<T>(message->payload);
    }
    return found;
  }

  FakeMachine machine;
  std::vector<std::string> lines;
  Server server;
};

TEST_F(ServerTest, ADeviceGetsTheGpadlsOfItsOpenChannelUntilTheyAreTakenBack) {
  auto device = std::make_shared<TestDevice>(1);
  server.add(device).take();
  connect();
  open_ring(1, 1);
  const auto words = range_words(3, 40);
  say(gpadl_header(1, 2, words, words.size()));
  for (const uint32_t id : {2u, 9u}) device->handle->find_gpadl(0, id);
  device->handle->find_gpadl(7, 2);
  server.drain();
  EXPECT_EQ(device->found.at(2), (std::vector<uint64_t>{40, 41, 42}));
  EXPECT_TRUE(device->found.at(9).empty());
  say(message(MessageType::GpadlTeardown, wire::GpadlTeardown{1, 2}));
  EXPECT_FALSE(device->found.contains(2));
  say(channel_message(MessageType::CloseChannel, 1));
  device->handle->find_gpadl(0, 1);
  server.drain();
  EXPECT_FALSE(device->found.contains(1));
}

TEST_F(ServerTest, WhatTheLastGuestHasNotTakenTheNextDoesNotGet) {
  ASSERT_TRUE(server.add(std::make_shared<TestDevice>(1)).ok());
  connect();
  say(contact(Version::V5_2));
  const auto first = machine.take_message();
  ASSERT_TRUE(first);
  EXPECT_EQ(type_of(first->payload), MessageType::VersionResponse);
  EXPECT_FALSE(machine.take_message());
}

TEST_F(ServerTest, HandsTheDeviceBothRings) {
  auto device = std::make_shared<TestDevice>(1);
  ASSERT_TRUE(server.add(device).ok());
  EXPECT_NE(device->handle, nullptr);
  connect();
  open_ring(1, 1);
  ASSERT_EQ(device->open.size(), 1u);
  OpenChannel& channel = *device->open.at(0);

  const auto guest_out = hv::vmbus::RingMemory::create(*machine.memory(16 * 4096, 4 * 4096)).take();
  const auto guest_in = hv::vmbus::RingMemory::create(*machine.memory(20 * 4096, 4 * 4096)).take();
  auto writer = hv::vmbus::RingWriter::create(guest_out).take();
  auto reader = hv::vmbus::RingReader::create(guest_in).take();
  const std::array<std::byte, 24> data{std::byte{1}, std::byte{2}};
  std::array<std::byte, 256> buffer;
  for (int i = 0; i < 2000; i++) {
    ASSERT_TRUE(
        writer.stage(hv::wire::PacketType::DataInBand, 0, static_cast<uint64_t>(i), {}, data).ok());
    (void)writer.commit();
    const auto packet = channel.incoming().read(buffer);
    ASSERT_TRUE(packet.ok());
    EXPECT_EQ(packet->transaction_id, static_cast<uint64_t>(i));
    (void)channel.incoming().commit();
    ASSERT_TRUE(channel.outgoing()
                    .stage(hv::wire::PacketType::Completion, 0, packet->transaction_id, {}, data)
                    .ok());
    (void)channel.outgoing().commit();
    ASSERT_EQ(reader.read(buffer)->transaction_id, static_cast<uint64_t>(i));
    (void)reader.commit();
  }
}

TEST_F(ServerTest, CountsSignalsBothWays) {
  auto device = std::make_shared<TestDevice>(1);
  ASSERT_TRUE(server.add(device).ok());
  connect();
  EXPECT_FALSE(machine.signal_host(0x2001));
  open_ring(1, 1);
  OpenChannel& channel = *device->open.at(0);
  for (int i = 0; i < 3; i++) EXPECT_TRUE(machine.signal_host(0x2001));
  EXPECT_EQ(channel.take_signals(), 3u);
  EXPECT_EQ(channel.take_signals(), 0u);
  channel.signal_guest();
  EXPECT_EQ(machine.take_events(), (std::vector<FakeMachine::Event>{{0, 2, 1}}));
  say(message(MessageType::ModifyChannel, wire::ModifyChannel{1, 1}));
  channel.signal_guest();
  EXPECT_EQ(machine.take_events(), (std::vector<FakeMachine::Event>{{1, 2, 1}}));
  const auto status = server.status();
  ASSERT_EQ(status.devices.size(), 1u);
  ASSERT_EQ(status.devices[0].channels.size(), 1u);
  EXPECT_EQ(status.devices[0].channels[0].signals_in, 3u);
  EXPECT_EQ(status.devices[0].channels[0].signals_out, 2u);
  EXPECT_EQ(status.devices[0].channels[0].vp, 1u);
  EXPECT_EQ(*status.version, Version::V5_3);
}

/// A server that offers monitored channels.
class MonitoredServerTest : public ::testing::Test {
 protected:
  static constexpr uint64_t kPage = 200 * 4096;

  void say(const Bytes& bytes) {
    ASSERT_TRUE(server.message_from_guest(4, 1, bytes));
    server.drain();
  }
  void connect(uint64_t page) {
    say(contact(Version::V5_3, 0, 2, page));
    say(plain(MessageType::RequestOffers));
  }
  void open_ring(uint32_t relid, uint32_t id, uint64_t first) {
    const auto words = range_words(8, first);
    say(gpadl_header(relid, id, words, words.size()));
    say(open(relid, id, 4));
  }
  wire::MonitorPage& page() {
    return *reinterpret_cast<wire::MonitorPage*>(machine.memory(kPage, 4096)->data());
  }
  void trigger(uint32_t monitor) {
    std::atomic_ref(page().trigger_group[monitor / 32].pending).fetch_or(1u << monitor % 32);
  }
  static bool signalled(OpenChannel& channel) {
    pollfd fd{.fd = channel.signal_fd(), .events = POLLIN, .revents = 0};
    return ::poll(&fd, 1, 10'000) == 1 && channel.take_signals() > 0;
  }

  FakeMachine machine{256, 1};
  Server server{machine, {.log = {}, .monitor = true}};
};

TEST_F(MonitoredServerTest, ATriggerInTheMonitorPageIsASignalOfItsChannel) {
  const auto one = std::make_shared<TestDevice>(1), two = std::make_shared<TestDevice>(2);
  ASSERT_TRUE(server.add(one).ok());
  ASSERT_TRUE(server.add(two).ok());
  connect(kPage);
  EXPECT_EQ(page().group_enable, 1u);
  EXPECT_EQ(page().parameter[1].connection_id, 0x2002u);
  EXPECT_EQ(page().latency[1], 10'000u);
  open_ring(1, 1, 16);
  open_ring(2, 2, 32);
  trigger(1);
  EXPECT_TRUE(signalled(*two->open.at(0)));
  EXPECT_EQ(one->open.at(0)->take_signals(), 0u);
  EXPECT_TRUE(machine.signal_host(0x2001)) << "by hypercall, too";
  EXPECT_TRUE(signalled(*one->open.at(0)));
  say(plain(MessageType::Unload));
  EXPECT_EQ(page().group_enable, 0u);
  trigger(0);
  server.drain();
  EXPECT_EQ(page().trigger_group[0].pending, 1u) << "the page is the guest's again";
}

TEST_F(MonitoredServerTest, APageThatIsNoneMeansChannelsWithoutMonitor) {
  ASSERT_TRUE(server.add(std::make_shared<TestDevice>(1)).ok());
  for (const uint64_t page : {uint64_t{0}, kPage + 8, uint64_t{256} * 4096, ~uint64_t{0} << 12}) {
    connect(page);
    std::optional<wire::OfferChannel> offer;
    while (const auto message = machine.take_message()) {
      if (type_of(message->payload) == MessageType::OfferChannel)
        offer = payload_of<wire::OfferChannel>(message->payload);
    }
    ASSERT_TRUE(offer) << page;
    EXPECT_EQ(offer->monitor_allocated, 0) << page;
    EXPECT_EQ(offer->monitor_id, wire::kNoMonitor) << page;
  }
}

TEST_F(ServerTest, RefusesRingsThatAreNotRam) {
  ASSERT_TRUE(server.add(std::make_shared<TestDevice>(1)).ok());
  connect();
  open_ring(1, 1, 250);
  EXPECT_NE(last<wire::OpenChannelResult>(MessageType::OpenChannelResult)->status, 0u);
  EXPECT_EQ(machine.mappings(), 0u);
  EXPECT_EQ(machine.bound(), 0u);
}

TEST_F(ServerTest, RefusesRingsWithImpossibleIndices) {
  ASSERT_TRUE(server.add(std::make_shared<TestDevice>(1)).ok());
  connect();
  (*machine.memory(16 * 4096, 4))[1] = std::byte{0xff};
  open_ring(1, 1);
  EXPECT_NE(last<wire::OpenChannelResult>(MessageType::OpenChannelResult)->status, 0u);
  EXPECT_EQ(machine.mappings(), 0u);
}

TEST_F(ServerTest, TakesNothingWhenTheDeviceRefuses) {
  auto device = std::make_shared<TestDevice>(1);
  device->refuse = true;
  ASSERT_TRUE(server.add(device).ok());
  connect();
  open_ring(1, 1);
  EXPECT_NE(last<wire::OpenChannelResult>(MessageType::OpenChannelResult)->status, 0u);
  EXPECT_EQ(machine.mappings(), 0u);
  EXPECT_EQ(machine.bound(), 0u);
}

TEST_F(ServerTest, OffersSubChannelsWhenTheDeviceAsks) {
  auto device = std::make_shared<TestDevice>(1);
  ASSERT_TRUE(server.add(device).ok());
  connect();
  open_ring(1, 1);
  EXPECT_FALSE(device->handle->offer_sub_channels(256));
  EXPECT_TRUE(device->handle->offer_sub_channels(3));
  server.drain();
  EXPECT_EQ(last<wire::OfferChannel>(MessageType::OfferChannel)->sub_channel_index, 3);
  open_ring(3, 2, 32);
  EXPECT_TRUE(device->open.contains(2));
  say(channel_message(MessageType::CloseChannel, 1));
  EXPECT_TRUE(device->open.empty());
  EXPECT_EQ(machine.mappings(), 0u);
}

TEST_F(ServerTest, RemovesADeviceWhenTheGuestLetsGo) {
  auto device = std::make_shared<TestDevice>(1);
  ASSERT_TRUE(server.add(device).ok());
  connect();
  open_ring(1, 1);
  std::thread guest([this] {
    // The guest waits for the rescind, then closes and releases.
    for (;;) {
      const auto message = machine.take_message();
      if (!message) std::this_thread::yield();
      if (message && type_of(message->payload) == MessageType::RescindChannelOffer) break;
    }
    server.message_from_guest(4, 1, channel_message(MessageType::CloseChannel, 1));
    server.message_from_guest(4, 1, channel_message(MessageType::RelIdReleased, 1));
  });
  EXPECT_EQ(server.remove(offer_info(1).instance_id, 60s), Server::Removal::Released);
  guest.join();
  EXPECT_EQ(device->handle, nullptr);
  EXPECT_TRUE(device->open.empty());
  EXPECT_EQ(server.remove(offer_info(1).instance_id, 60s), Server::Removal::NotFound);
}

TEST_F(ServerTest, ForcesADeviceOutWhenTheGuestDoesNot) {
  auto device = std::make_shared<TestDevice>(1);
  ASSERT_TRUE(server.add(device).ok());
  connect();
  open_ring(1, 1);
  EXPECT_EQ(server.remove(offer_info(1).instance_id, 1ms), Server::Removal::Forced);
  EXPECT_EQ(device->handle, nullptr);
  EXPECT_EQ(machine.mappings(), 0u);
  EXPECT_TRUE(server.status().devices.empty());
}

TEST_F(ServerTest, ResetLeavesNoGuestMemoryInUse) {
  auto device = std::make_shared<TestDevice>(1);
  ASSERT_TRUE(server.add(device).ok());
  connect();
  open_ring(1, 1);
  EXPECT_EQ(machine.mappings(), 2u);
  server.reset();
  EXPECT_EQ(machine.mappings(), 0u);
  EXPECT_EQ(machine.bound(), 0u);
  EXPECT_TRUE(device->open.empty());
  connect();
  open_ring(1, 1);
  EXPECT_EQ(device->open.size(), 1u);
}

TEST_F(ServerTest, ANewKernelsContactLeavesNothingOfTheDeadOneInUse) {
  auto device = std::make_shared<TestDevice>(1);
  ASSERT_TRUE(server.add(device).ok());
  connect();
  open_ring(1, 1);
  ASSERT_EQ(device->open.size(), 1u);
  say(contact(Version::V5_2));
  EXPECT_TRUE(device->open.empty());
  EXPECT_EQ(machine.mappings(), 0u);
  EXPECT_EQ(machine.bound(), 0u);
  say(plain(MessageType::RequestOffers));
  open_ring(1, 1, 32);
  EXPECT_EQ(device->open.size(), 1u);
}

TEST_F(ServerTest, DropsAConnectionThatDoesNotTakeItsMessages) {
  auto device = std::make_shared<TestDevice>(1);
  ASSERT_TRUE(server.add(device).ok());
  connect();
  open_ring(1, 1);
  machine.limit_messages(0);
  say(plain(MessageType::TlConnectRequest));
  say(message(MessageType::ModifyChannel, wire::ModifyChannel{1, 1}));
  EXPECT_TRUE(device->open.empty());
  EXPECT_FALSE(server.status().version);
}

TEST_F(ServerTest, AnswersOnlyItsConnections) {
  EXPECT_FALSE(server.message_from_guest(2, 1, contact(Version::V5_3)));
  EXPECT_TRUE(server.message_from_guest(1, 1, contact(Version::V4_0)));
  server.drain();
  EXPECT_EQ(last<wire::VersionResponse>(MessageType::VersionResponse)->supported, 1);
  // Not a message of VMBus: taken and ignored.
  EXPECT_TRUE(server.message_from_guest(4, 2, contact(Version::V5_3)));
}

TEST_F(ServerTest, RefusesTheSameInstanceTwice) {
  ASSERT_TRUE(server.add(std::make_shared<TestDevice>(1)).ok());
  EXPECT_EQ(server.add(std::make_shared<TestDevice>(1)).error(), Error::BadId);
}

TEST_F(ServerTest, StaysSoundWhileVpsTalkAndDevicesComeAndGo) {
  const auto words = range_words(8);
  const std::vector<Bytes> messages = {
      contact(Version::V5_3),
      plain(MessageType::RequestOffers),
      gpadl_header(1, 1, words, words.size()),
      gpadl_header(2, 2, words, words.size()),
      open(1, 1, 4),
      open(2, 2, 4),
      message(MessageType::ModifyChannel, wire::ModifyChannel{1, 1}),
      channel_message(MessageType::CloseChannel, 1),
      channel_message(MessageType::RelIdReleased, 2),
      message(MessageType::GpadlTeardown, wire::GpadlTeardown{2, 2}),
      plain(MessageType::Unload),
  };
  ASSERT_TRUE(server.add(std::make_shared<TestDevice>(1)).ok());
  std::atomic<bool> over{false};
  std::vector<std::thread> threads;
  for (uint32_t vp = 0; vp < 2; vp++) {
    threads.emplace_back([&, vp] {
      uint32_t state = vp + 1;
      for (int i = 0; i < 3000; i++) {
        state = state * 1664525 + 1013904223;
        server.message_from_guest(4, 1, messages[(state >> 16) % messages.size()]);
      }
    });
  }
  std::thread looker([&] {
    while (!over) server.status();
  });
  for (int i = 0; i < 50; i++) {
    auto device = std::make_shared<TestDevice>(2);
    ASSERT_TRUE(server.add(device).ok());
    (void)device->handle->offer_sub_channels(2);
    EXPECT_NE(server.remove(offer_info(2).instance_id, 0ms), Server::Removal::NotFound);
    EXPECT_TRUE(device->open.empty());
  }
  for (auto& thread : threads) thread.join();
  over = true;
  looker.join();
  server.reset();
  EXPECT_EQ(machine.mappings(), 0u);
  EXPECT_EQ(machine.bound(), 0u);
}

TEST(Server, LetsGoOfEverythingWhenItEnds) {
  FakeMachine machine(256);
  auto device = std::make_shared<TestDevice>(1);
  {
    Server server(machine, {});
    ASSERT_TRUE(server.add(device).ok());
    server.message_from_guest(4, 1, contact(Version::V5_3));
    server.message_from_guest(4, 1, plain(MessageType::RequestOffers));
    const auto words = range_words(8);
    server.message_from_guest(4, 1, gpadl_header(1, 1, words, words.size()));
    server.message_from_guest(4, 1, open(1, 1, 4));
    server.drain();
    EXPECT_EQ(device->open.size(), 1u);
  }
  EXPECT_TRUE(device->open.empty());
  EXPECT_EQ(device->handle, nullptr);
  EXPECT_EQ(machine.mappings(), 0u);
}

TEST_F(ServerTest, RefusesTheNextOpensOfTheDevicesThatAreNamed) {
  auto device = std::make_shared<TestDevice>(1);
  server.add(device).take();
  connect();
  server.faults().refuse_open.set(1, "other");
  open_ring(1, 1);
  EXPECT_EQ(last<wire::OpenChannelResult>(MessageType::OpenChannelResult)->status,
            wire::kStatusSuccess);
  say(channel_message(MessageType::CloseChannel, 1));
  server.faults().refuse_open.set(1, "te");
  say(open(1, 1, 4));
  EXPECT_NE(last<wire::OpenChannelResult>(MessageType::OpenChannelResult)->status,
            wire::kStatusSuccess);
  EXPECT_TRUE(device->open.empty());
  say(open(1, 1, 4));
  EXPECT_EQ(last<wire::OpenChannelResult>(MessageType::OpenChannelResult)->status,
            wire::kStatusSuccess);
  EXPECT_EQ(device->open.size(), 1u);
}

TEST_F(ServerTest, MovesAChannelLateAndAnswersThen) {
  auto device = std::make_shared<TestDevice>(1);
  server.add(device).take();
  connect();
  open_ring(1, 1);
  server.faults().modify_delay.set(1);
  say(message(MessageType::ModifyChannel, wire::ModifyChannel{1, 1}));
  EXPECT_EQ(server.faults().modify_delay.status().struck, 1u);
  std::optional<wire::ModifyChannelResponse> answer;
  while (!answer) answer = last<wire::ModifyChannelResponse>(MessageType::ModifyChannelResponse);
  EXPECT_EQ(answer->status, wire::kStatusSuccess);
  EXPECT_EQ(device->open.at(0)->vp(), 1u);
}

TEST_F(ServerTest, MovesLateWhatIsNamedAlone) {
  auto device = std::make_shared<TestDevice>(1);
  server.add(device).take();
  connect();
  open_ring(1, 1);
  server.faults().modify_delay.set(3600, "another");
  say(message(MessageType::ModifyChannel, wire::ModifyChannel{1, 1}));
  EXPECT_TRUE(last<wire::ModifyChannelResponse>(MessageType::ModifyChannelResponse));
  EXPECT_EQ(server.faults().modify_delay.status().struck, 0u);
  server.faults().modify_delay.set(3600, device->name());
  say(message(MessageType::ModifyChannel, wire::ModifyChannel{1, 0}));
  EXPECT_EQ(server.faults().modify_delay.status().struck, 1u);
  EXPECT_EQ(device->open.at(0)->vp(), 1u);
}

TEST_F(ServerTest, MovesInOrderWhereTooManyAreLate) {
  auto device = std::make_shared<TestDevice>(1);
  server.add(device).take();
  connect();
  open_ring(1, 1);
  server.faults().modify_delay.set(3600);
  for (uint32_t i = 0; i < 257; i++)
    say(message(MessageType::ModifyChannel, wire::ModifyChannel{1, i % 2}));
  say(channel_message(MessageType::CloseChannel, 1));
  EXPECT_EQ(device->vp_at_close, 0u) << "that of the last move";
}

TEST_F(ServerTest, MovesAChannelBeforeItIsClosed) {
  auto device = std::make_shared<TestDevice>(1);
  server.add(device).take();
  connect();
  open_ring(1, 1);
  server.faults().modify_delay.set(3600);
  say(message(MessageType::ModifyChannel, wire::ModifyChannel{1, 1}));
  EXPECT_EQ(device->open.at(0)->vp(), 0u);
  EXPECT_FALSE(last<wire::ModifyChannelResponse>(MessageType::ModifyChannelResponse));
  say(channel_message(MessageType::CloseChannel, 1));
  EXPECT_EQ(last<wire::ModifyChannelResponse>(MessageType::ModifyChannelResponse)->status,
            wire::kStatusSuccess);
}

TEST_F(ServerTest, AMoveThatIsLateIsNothingToTheNextGuest) {
  server.add(std::make_shared<TestDevice>(1)).take();
  connect();
  open_ring(1, 1);
  server.faults().modify_delay.set(3600);
  say(message(MessageType::ModifyChannel, wire::ModifyChannel{1, 1}));
  connect();
  open_ring(1, 1);
  say(channel_message(MessageType::CloseChannel, 1));
  EXPECT_FALSE(last<wire::ModifyChannelResponse>(MessageType::ModifyChannelResponse));
}

}  // namespace
}  // namespace hv::host::vmbus
