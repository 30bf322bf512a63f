// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/vmbus/monitor.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cstring>

#include "tests/unit/host_vmbus/guest.hpp"

namespace hv::host::vmbus {
namespace {

using namespace hv::test;
namespace wire = hv::wire::vmbus;

class MonitorTest : public ::testing::Test {
 protected:
  ~MonitorTest() override { ::close(fd); }
  std::span<std::byte> bytes() { return std::as_writable_bytes(std::span(&page, 1)); }
  void trigger(uint32_t monitor) {
    std::atomic_ref(page.trigger_group[monitor / 32].pending).fetch_or(1u << monitor % 32);
  }
  uint64_t signals() const {
    uint64_t count = 0;
    return ::read(fd, &count, sizeof count) == sizeof count ? count : 0;
  }

  alignas(4096) wire::MonitorPage page{};
  int fd = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
};

TEST_F(MonitorTest, TellsTheGuestConnectionAndLatencyInItsPlace) {
  MonitorPage monitor(bytes());
  monitor.publish(33, 0x2007, 1234);
  EXPECT_EQ(page.group_enable, 2u);
  EXPECT_EQ(page.parameter[33].connection_id, 0x2007u);
  EXPECT_EQ(page.latency[33], 1234u);
  trigger(33);
  trigger(34);
  monitor.withdraw(33);
  EXPECT_EQ(page.group_enable, 0u);
  EXPECT_EQ(page.parameter[33].connection_id, 0u);
  EXPECT_EQ(page.trigger_group[1].pending, 4u) << "a trigger of what is gone is not kept";
}

TEST_F(MonitorTest, TakesOnlyWhatIsWanted) {
  MonitorPage monitor(bytes());
  page.trigger_group[2].pending = 0xff;
  EXPECT_EQ(monitor.take(2, 0x81), 0x81u);
  EXPECT_EQ(page.trigger_group[2].pending, 0x7eu);
  EXPECT_EQ(monitor.take(2, 0x81), 0u);
  EXPECT_EQ(monitor.take(3, ~0u), 0u);
}

TEST_F(MonitorTest, PassesATriggerOnSoonAndOnlyWhileItIsWatched) {
  MonitorWatch watch;
  watch.publish(127, 0x2001);
  watch.watch(127, fd);
  EXPECT_EQ(watch.look(), 0u) << "there is no page";
  watch.begin(bytes());
  watch.publish(127, 0x2001);
  watch.watch(127, fd);
  trigger(127);
  pollfd waiting{.fd = fd, .events = POLLIN, .revents = 0};
  ASSERT_EQ(::poll(&waiting, 1, 10'000), 1);
  EXPECT_EQ(signals(), 1u);
  EXPECT_EQ(page.trigger_group[3].pending, 0u);
  watch.forget(127);
  trigger(127);
  EXPECT_EQ(watch.look(), 0u);
  watch.watch(127, fd);
  ASSERT_EQ(::poll(&waiting, 1, 10'000), 1) << "what was set before it was watched counts";
  EXPECT_EQ(signals(), 1u);
  watch.end();
  trigger(127);
  EXPECT_EQ(watch.look(), 0u);
  EXPECT_EQ(page.trigger_group[3].pending, 1u << 31);
}

TEST_F(MonitorTest, WhatTheGuestWritesAnywhereElseChangesNothing) {
  MonitorWatch watch;
  watch.begin(bytes());
  watch.publish(5, 0x2001);
  watch.watch(5, fd);
  std::memset(&page, 0xff, sizeof page);
  pollfd waiting{.fd = fd, .events = POLLIN, .revents = 0};
  ASSERT_EQ(::poll(&waiting, 1, 10'000), 1);
  EXPECT_EQ(signals(), 1u);
  EXPECT_EQ(watch.look(), 0u);
  watch.publish(wire::kNoMonitor, 1);
  watch.watch(wire::kNoMonitor, fd);
  watch.forget(wire::kNoMonitor);
  watch.withdraw(wire::kNoMonitor);
}

TEST(VmbusControlMonitor, EachOfferedChannelHasOneOfItsOwnUntilItIsReleased) {
  Talk talk({.monitor = true});
  talk.offer(1);
  talk.offer(2);
  talk.say(contact(Version::V5_3, 0, 2, 0x5000)).say(plain(MessageType::RequestOffers));
  ASSERT_EQ(talk.all<ShareMonitorPage>().size(), 1u);
  EXPECT_EQ(talk.all<ShareMonitorPage>()[0].gpa, 0x5000u);
  const auto offers = talk.posted<wire::OfferChannel>(MessageType::OfferChannel);
  ASSERT_EQ(offers.size(), 2u);
  for (uint8_t i = 0; i < 2; i++) {
    EXPECT_EQ(offers[i].monitor_allocated, 1);
    EXPECT_EQ(offers[i].monitor_id, i);
    EXPECT_EQ(talk.all<PublishMonitor>()[i].monitor, i);
    EXPECT_EQ(talk.all<PublishMonitor>()[i].connection_id, offers[i].connection_id);
  }
  talk.open_ring(2, 1);
  EXPECT_EQ(talk.all<OpenRings>()[0].monitor, 1);
  talk.say(channel_message(MessageType::RelIdReleased, 1));
  ASSERT_EQ(talk.all<WithdrawMonitor>().size(), 1u);
  EXPECT_EQ(talk.all<WithdrawMonitor>()[0].monitor, 0);
  talk.say(plain(MessageType::Unload));
  EXPECT_EQ(talk.all<WithdrawMonitor>().size(), 2u);
  EXPECT_EQ(talk.all<ReleaseMonitorPage>().size(), 1u);
}

TEST(VmbusControlMonitor, WithoutAPageOrTheOptionNoChannelHasOne) {
  for (const bool option : {false, true}) {
    Talk talk({.monitor = option});
    talk.shares = !option;
    talk.offer(1);
    talk.say(contact(Version::V5_3, 0, 2, 0x5000)).say(plain(MessageType::RequestOffers));
    EXPECT_EQ(talk.all<ShareMonitorPage>().size(), option ? 1u : 0u);
    EXPECT_EQ(talk.complained(Complaint::BadMonitorPage), option);
    const auto offers = talk.posted<wire::OfferChannel>(MessageType::OfferChannel);
    ASSERT_EQ(offers.size(), 1u);
    EXPECT_EQ(offers[0].monitor_allocated, 0);
    EXPECT_EQ(offers[0].monitor_id, wire::kNoMonitor);
  }
}

TEST(VmbusControlMonitor, ChannelsBeyondTheLastMonitorSignalByHypercallAlone) {
  Talk talk({.monitor = true});
  for (uint8_t number = 0; number < wire::kMonitors + 3; number++) talk.offer(number);
  talk.say(contact(Version::V5_3, 0, 2, 0x5000)).say(plain(MessageType::RequestOffers));
  const auto offers = talk.posted<wire::OfferChannel>(MessageType::OfferChannel);
  ASSERT_EQ(offers.size(), wire::kMonitors + 3);
  for (size_t i = 0; i < offers.size(); i++) {
    EXPECT_EQ(offers[i].monitor_allocated, i < wire::kMonitors ? 1 : 0) << i;
  }
}

}  // namespace
}  // namespace hv::host::vmbus
