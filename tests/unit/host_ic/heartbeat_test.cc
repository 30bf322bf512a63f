// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/ic/heartbeat.hpp"

#include <gtest/gtest.h>

#include <array>
#include <thread>
#include <vector>

#include "core/ic/heartbeat.hpp"
#include "tests/support/fake_channel.hpp"
#include "tests/support/fake_machine.hpp"

namespace hv::host::ic {
namespace {

using State = HeartbeatStatus::State;
using std::chrono::milliseconds;

/// The core's guest behind a channel. It answers when it is told to.
class HeartbeatDeviceTest : public testing::Test {
 protected:
  HeartbeatDeviceTest() : reader(channel.to_guest().reader()), writer(channel.to_host().writer()) {}
  ~HeartbeatDeviceTest() override { device.closed(channel); }

  /// Answers the next message of the host, or takes it without.
  void next(bool answers = true) {
    for (;;) {
      const auto packet = reader.read(buffer);
      if (packet) {
        std::vector<std::byte> bytes(packet->payload.begin(), packet->payload.end());
        (void)reader.commit();
        if (!answers) return;
        ASSERT_TRUE(guest.answer(bytes).ok());
        if (wrong) bytes[28] = static_cast<std::byte>(std::to_integer<int>(bytes[28]) + 1);
        ASSERT_TRUE(writer.stage(wire::PacketType::DataInBand, 0, 0, {}, bytes).ok());
        if (writer.commit() == hv::vmbus::Signal::Yes) channel.host_bell().ring();
        return;
      }
      ASSERT_TRUE(channel.guest_bell().wait());
    }
  }
  /// The board follows the answer by the device's own thread.
  void comes_to(State state) {
    while (device.status().state != state) std::this_thread::sleep_for(milliseconds(1));
  }

  test::FakeMachine machine{1};
  test::FakeChannel channel{machine, 0, 4096};
  Heartbeat device{milliseconds(1)};
  hv::vmbus::RingReader reader;
  hv::vmbus::RingWriter writer;
  hv::ic::Heartbeat guest;
  bool wrong = false;  ///< it says another number than the next one
  alignas(8) std::array<std::byte, 256> buffer{};
};

TEST_F(HeartbeatDeviceTest, IsOfferedAsAPipe) {
  EXPECT_EQ(device.offer().class_id, wire::ic::kHeartbeatClass);
  EXPECT_EQ(device.offer().instance_id, wire::ic::kHeartbeatInstance);
  EXPECT_EQ(device.offer().flags, 0x11);
  EXPECT_EQ(device.offer().user_defined[0], std::byte{4});
  EXPECT_EQ(device.status().state, State::NoContact);
}

TEST_F(HeartbeatDeviceTest, HearsTheGuestAndLosesIt) {
  ASSERT_TRUE(device.opened(channel));
  EXPECT_EQ(device.status().state, State::Negotiating);
  next();
  while (device.status().state != State::Ok) next();
  EXPECT_EQ(device.status().version, (wire::ic::Version{3, 0}));

  // The ring becomes full behind it, and it is lost all the same.
  comes_to(State::Lost);
  EXPECT_GE(device.status().missed, HeartbeatService::kMostMissed);

  // It comes back. Answers to what was asked before are too late, and do no harm.
  while (device.status().state != State::Ok) next();
  device.closed(channel);
  EXPECT_EQ(device.status().state, State::NoContact);
}

TEST_F(HeartbeatDeviceTest, AsksNothingOfAGuestThatHasNotAgreed) {
  ASSERT_TRUE(device.opened(channel));
  next(false);
  EXPECT_EQ(device.status().state, State::Negotiating);
  device.closed(channel);
  EXPECT_EQ(reader.read(buffer).error(), Error::RingEmpty) << "however long it was open";
}

TEST_F(HeartbeatDeviceTest, DoesNotTakeAWrongNumberForASignOfLife) {
  ASSERT_TRUE(device.opened(channel));
  next();
  while (device.status().state != State::Ok) next();
  wrong = true;
  while (device.status().state != State::Lost) next();
}

TEST_F(HeartbeatDeviceTest, LetsGoOfARingThatIsBroken) {
  ASSERT_TRUE(device.opened(channel));
  next();
  channel.to_host().control().write_index = 3;
  channel.host_bell().ring();
  while (!channel.failed.load(std::memory_order_acquire))
    std::this_thread::sleep_for(milliseconds(1));
  device.closed(channel);
}

}  // namespace
}  // namespace hv::host::ic
