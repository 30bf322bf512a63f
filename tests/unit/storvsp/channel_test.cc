// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <gtest/gtest.h>

#include <set>
#include <thread>

#include "host/backends/memory_backend.hpp"
#include "host/scsi/disk.hpp"
#include "host/storvsp/channel_service.hpp"
#include "tests/support/fake_machine.hpp"
#include "tests/support/storage_guest.hpp"

namespace hv::host::storvsp {
namespace {

namespace proto = wire::storvsc;
using test::StorageGuest;
using Command = StorageGuest::Command;

class ChannelTest : public ::testing::TestWithParam<bool> {
 protected:
  explicit ChannelTest(size_t ring = 64 * 1024) : channel(machine, 0, ring) {
    disk->set_faults(faults, "disk0");
    shared.luns.add({0, 0, 0}, disk);
    thread = std::thread([this] { service.run(GetParam()); });
  }
  ~ChannelTest() override { stop(); }
  void stop() {
    if (!thread.joinable()) return;
    service.stop();
    thread.join();
  }

  std::span<std::byte> page(uint64_t frame) { return *machine.memory(frame * 4096, 4096); }
  static Command read(uint32_t lba, uint8_t blocks, std::vector<uint64_t> frames) {
    return {.cdb = {0x28, 0, 0, 0, static_cast<uint8_t>(lba >> 8), static_cast<uint8_t>(lba), 0, 0,
                    blocks, 0},
            .direction = proto::Direction::Read,
            .length = blocks * 512u,
            .frames = std::move(frames)};
  }
  static Command write(uint32_t lba, uint8_t blocks, std::vector<uint64_t> frames) {
    Command command = read(lba, blocks, std::move(frames));
    command.cdb[0] = 0x2a;
    command.direction = proto::Direction::Write;
    return command;
  }
  static const Command kTestUnitReady;

  Faults faults;
  test::FakeMachine machine{256};
  test::FakeChannel channel;
  ControllerShared shared{{.max_sub_channels = 3}};
  std::shared_ptr<MemoryBackend> backend = std::make_shared<MemoryBackend>(1 << 20);
  std::shared_ptr<scsi::Disk> disk = std::make_shared<scsi::Disk>(backend, scsi::DiskOptions{});
  ChannelService service{channel, shared};
  std::thread thread;
  StorageGuest guest{channel};
};
const Command ChannelTest::kTestUnitReady = {.cdb = {0, 0, 0, 0, 0, 0}};

INSTANTIATE_TEST_SUITE_P(WithAndWithoutUring, ChannelTest, ::testing::Bool());

TEST_P(ChannelTest, WritesAndReadsThroughScatteredPages) {
  const auto properties = guest.negotiate();
  EXPECT_EQ(properties.max_transfer_bytes, 256u * 1024);
  EXPECT_EQ(properties.max_sub_channels, 3);
  for (size_t i = 0; i < 4096; i++) page(10)[i] = page(77)[i] = static_cast<std::byte>(i);
  Command command = write(3, 12, {10, 77});
  command.offset = 512;
  const auto written = guest.execute(command);
  EXPECT_EQ(written.header.operation, proto::Operation::CompleteIo);
  EXPECT_EQ(written.header.status, proto::kStatusSuccess);
  EXPECT_EQ(written.scsi().srb_status, 1);
  EXPECT_EQ(written.scsi().transfer_length, 12u * 512);
  EXPECT_EQ(written.body.size() + sizeof(proto::Header), proto::kPacketSize);
  EXPECT_EQ(guest.execute(read(3, 12, {20, 30})).scsi().transfer_length, 12u * 512);
  for (size_t i = 0; i < 4096 - 512; i++)
    ASSERT_EQ(page(20)[i], static_cast<std::byte>(i + 512)) << i;
}

TEST_P(ChannelTest, OlderGuestsHaveShorterPackets) {
  guest.packet_size = proto::kPacketSizeBeforeWin8;
  EXPECT_EQ(guest.negotiate(proto::Version::Win7).max_sub_channels, 0);
  const auto completion = guest.execute(read(0, 8, {5}));
  EXPECT_EQ(completion.body.size() + sizeof(proto::Header), proto::kPacketSizeBeforeWin8);
  EXPECT_EQ(completion.scsi().srb_status, 1);
}

TEST_P(ChannelTest, SenseComesWithItsFlag) {
  guest.negotiate();
  const auto completion = guest.execute(read(60000, 8, {5}));
  const auto request = completion.scsi();
  EXPECT_EQ(request.scsi_status, 2);
  EXPECT_EQ(request.srb_status, 0x84);
  EXPECT_EQ(request.sense_length, 18);
  EXPECT_EQ(request.cdb_or_sense[2], 5);
  EXPECT_EQ(request.cdb_or_sense[12], 0x21);
  EXPECT_EQ(request.transfer_length, 0u);
}

TEST_P(ChannelTest, AReadMayFailWithoutSense) {
  guest.negotiate();
  faults.read_error_silent.set(1);
  const auto completion = guest.execute(read(0, 8, {5}));
  EXPECT_EQ(completion.header.status, 0xc0000001u);
  EXPECT_EQ(completion.scsi().scsi_status, 2);
  EXPECT_EQ(completion.scsi().srb_status, 4);
  EXPECT_EQ(completion.scsi().sense_length, 0);
  EXPECT_EQ(completion.scsi().transfer_length, 0u);
}

TEST_P(ChannelTest, AnotherUnitTakesThePlaceOfOneAtOnce) {
  guest.negotiate();
  const auto other = std::make_shared<MemoryBackend>(2 << 20);
  EXPECT_FALSE(shared.luns.replace({0, 0, 1}, disk));
  ASSERT_TRUE(
      shared.luns.replace({0, 0, 0}, std::make_shared<scsi::Disk>(other, scsi::DiskOptions{})));
  service.luns_changed(true);
  // What the guest had before the change answers no more; that it looks is its own affair.
  EXPECT_EQ(guest.execute(read(3000, 8, {5})).scsi().srb_status, 1);
  EXPECT_EQ(disk->counters().reads, 0u);
}

TEST_P(ChannelTest, MemoryThatIsNotThereIsRefused) {
  guest.negotiate();
  EXPECT_EQ(guest.execute(read(0, 8, {100000})).scsi().srb_status, 0x86);
  EXPECT_EQ(guest.execute(read(0, 8, {~uint64_t{0} >> 12})).scsi().srb_status, 0x86);
  Command large = read(0, 8, std::vector<uint64_t>(65, 3));
  large.length = 65 * 4096;
  EXPECT_EQ(guest.execute(large).scsi().srb_status, 0x86);
  EXPECT_EQ(guest.execute(kTestUnitReady).scsi().srb_status, 1);
}

TEST_P(ChannelTest, AbsentUnitsAreSaidToBeAbsent) {
  guest.negotiate();
  Command inquiry{.cdb = {0x12, 0, 0, 0, 36, 0},
                  .direction = proto::Direction::Read,
                  .length = 36,
                  .frames = {9}};
  inquiry.lun = 4;
  EXPECT_EQ(guest.execute(inquiry).scsi().srb_status, 1);
  EXPECT_EQ(page(9)[0], std::byte{0x7f});
  Command ready = kTestUnitReady;
  ready.lun = 4;
  EXPECT_EQ(guest.execute(ready).scsi().srb_status, 0x20);
  Command luns{.cdb = {0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 64, 0, 0},
               .direction = proto::Direction::Read,
               .length = 64,
               .frames = {9}};
  EXPECT_EQ(guest.execute(luns).scsi().transfer_length, 16u);
  EXPECT_EQ(page(9)[3], std::byte{8});
  luns.target = 1;
  EXPECT_EQ(guest.execute(luns).scsi().transfer_length, 8u);
}

TEST_P(ChannelTest, UnitsThatComeAndGoAreAnnounced) {
  guest.negotiate();
  shared.luns.add({0, 0, 1}, std::make_shared<scsi::Disk>(std::make_shared<MemoryBackend>(1 << 20),
                                                          scsi::DiskOptions{}));
  service.luns_changed(true);
  const auto packet = guest.next();
  EXPECT_EQ(packet.type, wire::PacketType::DataInBand);
  EXPECT_EQ(packet.transaction_id, 0u);
  EXPECT_EQ(packet.header.operation, proto::Operation::EnumerateBus);
  Command ready = kTestUnitReady;
  ready.lun = 1;
  EXPECT_EQ(guest.execute(ready).scsi().srb_status, 1);
}

TEST_P(ChannelTest, RemovedUnitsAreLetGoOf) {
  guest.negotiate();
  guest.execute(kTestUnitReady);
  const std::weak_ptr<scsi::Disk> weak = disk;
  disk.reset();
  shared.luns.remove({0, 0, 0});
  service.luns_changed(true);
  EXPECT_EQ(guest.next().header.operation, proto::Operation::EnumerateBus);
  EXPECT_TRUE(weak.expired());
}

TEST_P(ChannelTest, ManyRequestsCostFewSignals) {
  guest.negotiate();
  const uint64_t before = channel.counters().signals_out.read();
  std::set<uint64_t> waiting;
  for (uint32_t i = 0; i < 64; i++) waiting.insert(guest.stage(read(i * 8, 8, {i + 1})).value());
  guest.kick();
  while (!waiting.empty()) EXPECT_EQ(waiting.erase(guest.next().transaction_id), 1u);
  stop();
  EXPECT_EQ(channel.counters().signals_out.read() - before, 1u);
}

TEST_P(ChannelTest, GarbageEndsTheChannelAndNothingElse) {
  guest.negotiate();
  const std::array<std::byte, 8> junk{};
  guest.send(wire::PacketType::DataInBand, 5, {}, junk);
  while (!channel.failed.load(std::memory_order_acquire)) ASSERT_TRUE(channel.guest_bell().wait());
  stop();
  EXPECT_FALSE(channel.failure.empty());
}

TEST_P(ChannelTest, RequestsBeforeTheNegotiationAreRefused) {
  EXPECT_EQ(guest.execute(kTestUnitReady).header.status, proto::kStatusInvalidDeviceState);
  EXPECT_EQ(guest.control(proto::Operation::EndInitialization).header.status,
            proto::kStatusInvalidDeviceState);
}

class SmallRingTest : public ChannelTest {
 protected:
  SmallRingTest() : ChannelTest(4096) {}
};
INSTANTIATE_TEST_SUITE_P(WithAndWithoutUring, SmallRingTest, ::testing::Bool());

TEST_P(SmallRingTest, AFullRingLosesNothing) {
  guest.negotiate();
  std::set<uint64_t> waiting;
  size_t sent = 0, answered = 0;
  constexpr size_t kTotal = 2000;
  // Sends as long as there is room and reads late, so that the host runs against the end of its
  // ring again and again.
  while (answered < kTotal) {
    while (sent < kTotal) {
      const auto id = guest.stage(kTestUnitReady);
      if (!id) break;
      waiting.insert(*id);
      sent++;
    }
    guest.kick();
    const auto packet = guest.next();
    ASSERT_EQ(waiting.erase(packet.transaction_id), 1u);
    answered++;
  }
  EXPECT_TRUE(waiting.empty());
}

}  // namespace
}  // namespace hv::host::storvsp
