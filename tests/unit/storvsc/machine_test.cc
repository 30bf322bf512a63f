// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "core/storvsc/machine.hpp"

#include <gtest/gtest.h>

#include "tests/unit/storvsc/answers.hpp"

namespace hv::storvsc {
namespace {

using Kind = Event::Kind;
using wire::PacketType;
using wire::storvsc::Operation;

/// A channel that remembers ids, or fails.
struct Wire {
  Result<void> send(uint64_t id, std::span<const std::byte> ranges,
                    std::span<const std::byte> packet) {
    if (full) return Error::RingFull;
    last.assign(packet.begin(), packet.end());
    ids.push_back(id);
    was_direct = !ranges.empty();
    return {};
  }
  bool full = false;
  bool was_direct = false;
  std::vector<std::byte> last;
  std::vector<uint64_t> ids;
};

class MachineTest : public testing::Test {
 protected:
  uint64_t submit(size_t slot) {
    EXPECT_TRUE(machine.submit(wire, slot, request, {}).ok());
    return wire.ids.back();
  }
  Result<Event> receive(uint64_t id, std::span<const std::byte> payload,
                        PacketType type = PacketType::Completion) {
    return machine.receive({type, 0, id, {}, payload});
  }

  std::array<Slot, 4 + Machine::kControlSlots> slots{};
  Machine machine = Machine::create(slots).take();
  Wire wire;
  const uint8_t cdb[6] = {0};
  Request request{.address = {},
                  .port = 0,
                  .direction = wire::storvsc::Direction::None,
                  .tagged = false,
                  .length = 0,
                  .cdb = cdb};
};

TEST_F(MachineTest, ARequestCompletesOnce) {
  const uint64_t id = submit(2);
  EXPECT_EQ(machine.in_flight(), 1u);
  const auto bytes = test::completion(1, 0, 0);
  const auto event = receive(id, bytes).take();
  EXPECT_EQ(event.kind, Kind::Completed);
  EXPECT_EQ(event.slot, 2u);
  EXPECT_TRUE(event.intelligible);
  EXPECT_EQ(machine.in_flight(), 0u);
  EXPECT_EQ(receive(id, bytes).error(), Error::BadId);
}

TEST_F(MachineTest, AnIdOfAnEarlierLifeIsRefused) {
  const uint64_t old = submit(0);
  ASSERT_TRUE(receive(old, test::completion(1, 0, 0)).ok());
  const uint64_t young = submit(0);
  EXPECT_NE(old, young);
  EXPECT_EQ(receive(old, test::completion(1, 0, 0)).error(), Error::BadId);
  EXPECT_TRUE(receive(young, test::completion(1, 0, 0)).ok());
}

TEST_F(MachineTest, ForgedIdsAreRefused) {
  const uint64_t id = submit(0);
  for (const uint64_t forged :
       std::initializer_list<uint64_t>{id + 1, id - 1, id ^ (uint64_t{1} << 63), 1, ~uint64_t{0}}) {
    EXPECT_EQ(receive(forged, test::completion(1, 0, 0)).error(), Error::BadId);
  }
  EXPECT_EQ(machine.in_flight(), 1u);
}

TEST_F(MachineTest, ASlotIsNotArmedTwice) {
  submit(1);
  EXPECT_EQ(machine.submit(wire, 1, request, {}).error(), Error::BadState);
  EXPECT_EQ(machine.submit(wire, 4, request, {}).error(), Error::BadId);
}

TEST_F(MachineTest, AFullRingLeavesNothingBehind) {
  wire.full = true;
  EXPECT_EQ(machine.submit(wire, 0, request, {}).error(), Error::RingFull);
  EXPECT_EQ(machine.in_flight(), 0u);
  wire.full = false;
  EXPECT_TRUE(machine.submit(wire, 0, request, {}).ok());
}

TEST_F(MachineTest, DataGoesByGpaDirect) {
  const std::byte ranges[24]{};
  request.length = 512;
  ASSERT_TRUE(machine.submit(wire, 0, request, ranges).ok());
  EXPECT_TRUE(wire.was_direct);
}

TEST_F(MachineTest, ABrokenCompletionOfALiveRequestEndsIt) {
  const auto whole = test::completion(1, 0, 0);
  for (const size_t length : {size_t{0}, size_t{12}, size_t{40}}) {
    const auto event = receive(submit(0), std::span(whole).first(length)).take();
    EXPECT_EQ(event.kind, Kind::Completed);
    EXPECT_FALSE(event.intelligible);
  }
  const auto event = receive(submit(0), test::answer(0, Operation::RemoveDevice)).take();
  EXPECT_FALSE(event.intelligible);
  EXPECT_EQ(machine.in_flight(), 0u);
}

TEST_F(MachineTest, TheHostMayAskForARescan) {
  for (const auto operation : {Operation::EnumerateBus, Operation::RemoveDevice}) {
    const auto bytes = test::answer(0, operation);
    EXPECT_EQ(receive(0, bytes, PacketType::DataInBand).take().kind, Kind::DevicesChanged);
    EXPECT_EQ(receive(0, std::span(bytes).first(4), PacketType::DataInBand).take().kind,
              Kind::DevicesChanged);
    EXPECT_EQ(receive(0, bytes).take().kind, Kind::DevicesChanged);
  }
}

TEST_F(MachineTest, ACompletionOfNothingIsRefused) {
  EXPECT_EQ(receive(0, test::completion(1, 0, 0)).error(), Error::BadId);
  EXPECT_EQ(receive(0, test::completion(1, 0, 0), PacketType::DataInBand).error(), Error::BadId);
  EXPECT_EQ(receive(0, {}).error(), Error::Truncated);
}

TEST_F(MachineTest, NamesOfAnAdapterMustBeWhole) {
  wire::storvsc::FcHbaData data{};
  data.primary_active = 1;
  data.primary_node_name[7] = 3;
  const auto bytes = test::answer_with(data, 0, Operation::FcHbaData);
  EXPECT_EQ(receive(0, bytes, PacketType::DataInBand).take().names.node, 3u);
  EXPECT_EQ(receive(0, std::span(bytes).first(40), PacketType::DataInBand).error(),
            Error::Truncated);
}

TEST_F(MachineTest, WhatHostsDoNotSendIsRefused) {
  EXPECT_EQ(receive(submit(0), test::completion(1, 0, 0), PacketType::DataUsingGpaDirect).error(),
            Error::NotSupported);
  EXPECT_EQ(
      receive(0, test::answer(0, static_cast<Operation>(99)), PacketType::DataInBand).take().kind,
      Kind::Ignored);
  EXPECT_EQ(machine.in_flight(), 1u);
}

TEST_F(MachineTest, TheDialogueHasItsOwnSlots) {
  ASSERT_TRUE(
      machine.submit(wire, Machine::Control::Dialogue, plain_packet(Operation::BeginInitialization))
          .ok());
  EXPECT_EQ(wire.last.size(), 64u);
  EXPECT_EQ(machine.in_flight(), 0u);
  const auto event = receive(wire.ids.back(), test::answer()).take();
  EXPECT_EQ(event.kind, Kind::Answered);
  EXPECT_EQ(event.slot, machine.slot_of(Machine::Control::Dialogue));
  EXPECT_EQ(event.packet.size(), 64u);
}

TEST_F(MachineTest, ACancelledRequestDoesNotComplete) {
  const uint64_t id = submit(3);
  ASSERT_TRUE(machine.cancel(3).ok());
  EXPECT_EQ(machine.cancel(3).error(), Error::BadId);
  EXPECT_EQ(receive(id, test::completion(1, 0, 0)).error(), Error::BadId);
}

TEST(Machine, NeedsSlots) {
  std::array<Slot, Machine::kControlSlots> few{};
  EXPECT_EQ(Machine::create(few).error(), Error::BadLength);
}

}  // namespace
}  // namespace hv::storvsc
