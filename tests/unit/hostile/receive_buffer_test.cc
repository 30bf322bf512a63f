// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/hostile/receive_buffer.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/base/bytes.hpp"
#include "core/wire/ring.hpp"
#include "host/hostile/network.hpp"
#include "tests/support/fake_machine.hpp"

namespace hv::host::hostile {
namespace {

/// A machine of four pages, of which the middle two are the buffer, in turn.
class HostileReceiveBuffer : public ::testing::Test {
 protected:
  static constexpr uint32_t kBytes = 2 * 4096;
  HostileReceiveBuffer() { buffer.found(machine, 9, std::array<uint64_t, 2>{2, 1}); }

  bool untouched(uint64_t page) {
    const auto bytes = *machine.memory(page * 4096, 4096);
    return std::ranges::all_of(bytes, [](std::byte byte) { return byte == std::byte{0}; });
  }

  test::FakeMachine machine{4};
  ReceiveBuffer buffer;
  Dice dice{1};
};

TEST_F(HostileReceiveBuffer, PacketsNameMessagesThatLieInIt) {
  for (int i = 0; i < 500; i++) {
    const auto packet = buffer.forge(dice, 5);
    ASSERT_TRUE(packet);
    EXPECT_EQ(packet->transaction_id, 5u);
    ByteReader reader(packet->extra);
    const auto head = reader.take<wire::TransferPageHeader>().take();
    ASSERT_GE(head.range_count, 1u);
    for (uint32_t range = 0; range < head.range_count; range++) {
      const auto where = reader.take<wire::TransferPageRange>().take();
      EXPECT_LE(where.byte_offset + where.byte_count, kBytes);
    }
    (void)buffer.scribble(dice);
    EXPECT_TRUE(buffer.spoil(dice, *packet));
  }
  EXPECT_TRUE(untouched(0) && untouched(3));
  EXPECT_FALSE(untouched(1) || untouched(2));
}

TEST_F(HostileReceiveBuffer, NothingOfTheGuestIsTouchedOnceItIsTakenBack) {
  const auto packet = buffer.forge(dice, 1);
  for (const bool gone : {true, false}) {
    buffer.found(machine, 9, std::array<uint64_t, 2>{2, 1});
    buffer.gone(8);  // another one
    EXPECT_TRUE(buffer.scribble(dice));
    if (gone) {
      buffer.gone(9);
    } else {
      buffer.drop();
    }
    std::ranges::fill(*machine.memory(4096, kBytes), std::byte{0});
    for (int i = 0; i < 100; i++) {
      EXPECT_FALSE(buffer.spoil(dice, *packet));
      EXPECT_FALSE(buffer.forge(dice, 1));
      EXPECT_FALSE(buffer.scribble(dice));
    }
    EXPECT_TRUE(untouched(1) && untouched(2));
  }
}

TEST_F(HostileReceiveBuffer, IsTheFirstThatTheAdapterIsToldOf) {
  buffer.found(machine, 10, std::array<uint64_t, 1>{3});  // the send buffer
  for (int i = 0; i < 200; i++) (void)buffer.forge(dice, 1);
  EXPECT_TRUE(untouched(3));
}

}  // namespace
}  // namespace hv::host::hostile
