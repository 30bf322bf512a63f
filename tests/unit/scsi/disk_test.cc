// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/scsi/disk.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>

#include "host/backends/memory_backend.hpp"
#include "tests/unit/scsi/unit.hpp"

namespace hv::host::scsi {
namespace {

using wire::storvsc::SrbStatus;

constexpr size_t kBlocks = 4096;

class DiskTest : public ::testing::Test {
 protected:
  static std::vector<uint8_t> pattern(size_t size, uint8_t seed) {
    std::vector<uint8_t> bytes(size);
    for (size_t i = 0; i < size; i++) bytes[i] = static_cast<uint8_t>(seed + i * 7 + i / 512);
    return bytes;
  }

  std::shared_ptr<MemoryBackend> backend = std::make_shared<MemoryBackend>(kBlocks * 512);
  Disk disk{backend, {.id = {1, 2, 3}, .serial = "0123456789abcdef"}};
  Initiator initiator{disk};
};

void expect_sense(const Outcome& outcome, const Sense& sense) {
  EXPECT_EQ(outcome.status, Status::CheckCondition);
  EXPECT_TRUE(outcome.has_sense);
  EXPECT_EQ(outcome.sense, sense);
  EXPECT_NE(outcome.srb, SrbStatus::Success);
  EXPECT_EQ(outcome.moved, 0u);
}

void expect_good(const Outcome& outcome, size_t moved) {
  EXPECT_EQ(outcome.status, Status::Good);
  EXPECT_EQ(outcome.srb, SrbStatus::Success);
  EXPECT_FALSE(outcome.has_sense);
  EXPECT_EQ(outcome.moved, moved);
}

TEST_F(DiskTest, ReadsWhatWasWritten) {
  const auto bytes = pattern(8 * 512, 3);
  expect_good(initiator.out(Initiator::write10(5, 8), bytes), bytes.size());
  initiator.split = 700;
  expect_good(initiator.in(Initiator::rw16(0x88, 5, 8), bytes.size()), bytes.size());
  EXPECT_EQ(initiator.data, bytes);
  EXPECT_EQ(disk.counters().reads, 1u);
  EXPECT_EQ(disk.counters().bytes_written, bytes.size());
}

TEST_F(DiskTest, EveryNthReadFailsWithSenseDataOrWithout) {
  const auto read = [&] { return initiator.in(Initiator::read10(0, 8), 8 * 512); };
  Faults faults;
  disk.set_faults(faults, "data");
  faults.read_error.set(3, "data");
  for (int round = 0; round < 2; round++) {
    expect_good(read(), 8 * 512);
    expect_good(read(), 8 * 512);
    expect_sense(read(), kUnrecoveredRead);
  }
  EXPECT_EQ(disk.counters().errors, 2u);
  faults.read_error.set(0);
  faults.read_error_silent.set(1);
  const Outcome silent = read();
  EXPECT_EQ(silent.status, Status::CheckCondition);
  EXPECT_EQ(silent.srb, SrbStatus::Error);
  EXPECT_EQ(silent.nt, 0xc0000001u);
  EXPECT_FALSE(silent.has_sense);
  EXPECT_EQ(silent.moved, 0u);
  // Neither writes nor what moves no blocks.
  expect_good(initiator.out(Initiator::write10(0, 1), pattern(512, 1)), 512);
  expect_good(initiator.none({0, 0, 0, 0, 0, 0}), 0);
  faults.read_error_silent.set(1, "other");
  expect_good(read(), 8 * 512);
}

TEST_F(DiskTest, LargerBufferIsResidual) {
  expect_good(initiator.in(Initiator::read10(0, 1), 4096), 512);
  EXPECT_EQ(initiator.data[512], 0xee);
}

TEST_F(DiskTest, SmallerBufferIsOverrun) {
  const Outcome outcome = initiator.in(Initiator::read10(0, 2), 512);
  EXPECT_EQ(outcome.srb, SrbStatus::DataOverrun);
  EXPECT_EQ(outcome.moved, 0u);
  EXPECT_EQ(initiator.data[0], 0xee);
}

TEST_F(DiskTest, DataInTheWrongDirectionIsRefused) {
  expect_sense(initiator.out(Initiator::read10(0, 1), pattern(512, 0)), kInvalidFieldInCdb);
  expect_sense(initiator.in(Initiator::write10(0, 1), 512), kInvalidFieldInCdb);
}

TEST_F(DiskTest, BlocksPastTheEndAreOutOfRange) {
  expect_sense(initiator.in(Initiator::read10(kBlocks, 1), 512), kLbaOutOfRange);
  expect_sense(initiator.in(Initiator::read10(kBlocks - 1, 2), 1024), kLbaOutOfRange);
  expect_sense(initiator.in(Initiator::rw16(0x88, ~uint64_t{0}, 2), 1024), kLbaOutOfRange);
  expect_good(initiator.in(Initiator::read10(kBlocks - 1, 1), 512), 512);
  expect_good(initiator.none(Initiator::read10(0, 0)), 0);
}

TEST_F(DiskTest, UnknownCommandIsInvalidOpcode) {
  expect_sense(initiator.none(Initiator::Cdb{0xc1, 0, 0, 0, 0, 0}), kInvalidOpcode);
  expect_sense(initiator.none(Initiator::rw10(0x5f, 0, 0)),
               kInvalidOpcode);  // PERSISTENT RESERVE OUT
  expect_sense(initiator.none(Initiator::rw10(0x43, 0, 0)), kInvalidOpcode);  // READ TOC, of a disk
}

TEST_F(DiskTest, ForcedUnitAccessAndFlushReachTheBackend) {
  expect_good(initiator.out(Initiator::write10(0, 1, 0x08), pattern(512, 1)), 512);
  EXPECT_EQ(backend->durable_writes(), 1u);
  expect_good(initiator.out(Initiator::write10(0, 1), pattern(512, 1)), 512);
  EXPECT_EQ(backend->durable_writes(), 1u);
  expect_good(initiator.none(Initiator::rw10(0x35, 0, 0)), 0);
  expect_good(initiator.none(Initiator::rw16(0x91, 0, 0)), 0);
  EXPECT_EQ(backend->flushes(), 2u);
}

TEST_F(DiskTest, WriteCacheOffMakesEveryWriteDurable) {
  std::vector<uint8_t> list(8 + 20);
  list[8] = 0x08;
  list[9] = 18;
  Initiator::Cdb select(10);
  select[0] = 0x55;
  select[1] = 0x10;
  store_be<2>(select, 7, list.size());
  expect_good(initiator.out(select, list), list.size());
  EXPECT_EQ(backend->flushes(), 1u);
  expect_good(initiator.out(Initiator::write10(0, 1), pattern(512, 1)), 512);
  EXPECT_EQ(backend->durable_writes(), 1u);
  expect_good(initiator.in({0x1a, 0x08, 0x08, 0, 192, 0}, 192), 24);
  EXPECT_EQ(initiator.data[6] & 0x04, 0);
  list[8 + 4] = 1;  // a field that cannot be changed
  expect_sense(initiator.out(select, list), kInvalidFieldInParameters);
}

TEST_F(DiskTest, UnmapsSeveralRanges) {
  expect_good(initiator.out(Initiator::write10(0, 64), pattern(64 * 512, 9)), 64 * 512);
  expect_good(initiator.unmap({{0, 8}, {16, 8}, {40, 0}}), 8 + 3 * 16);
  expect_good(initiator.in(Initiator::read10(0, 64), 64 * 512), 64 * 512);
  const auto expected = pattern(64 * 512, 9);
  for (size_t block = 0; block < 64; block++) {
    const bool gone = block < 8 || (block >= 16 && block < 24);
    EXPECT_EQ(initiator.data[block * 512 + 9], gone ? 0 : expected[block * 512 + 9]) << block;
  }
  EXPECT_EQ(disk.counters().unmaps, 1u);
}

TEST_F(DiskTest, BadUnmapListsAreRefused) {
  expect_sense(initiator.unmap({{kBlocks - 1, 2}}), kLbaOutOfRange);
  expect_sense(initiator.unmap({{~uint64_t{0}, 1}}), kLbaOutOfRange);
  expect_sense(
      initiator.unmap(std::vector<Initiator::Range>(Disk::kMaxUnmapDescriptors + 1, {0, 1})),
      kInvalidFieldInParameters);
  auto list = Initiator::unmap_list({{0, 1}});
  Initiator::Cdb cdb(10);
  cdb[0] = 0x42;
  store_be<2>(cdb, 7, 100);
  expect_sense(initiator.out(cdb, list), kParameterListLength);
  store_be<2>(cdb, 7, list.size());
  store_be<2>(list, 2, 64);
  expect_sense(initiator.out(cdb, list), kInvalidFieldInParameters);
}

TEST_F(DiskTest, WriteSameRepeatsTheBlock) {
  const auto block = pattern(512, 4);
  expect_good(initiator.out(Initiator::rw16(0x93, 3, 1000), block), 512);
  expect_good(initiator.in(Initiator::read10(2, 1002), 1002 * 512), 1002 * 512);
  EXPECT_EQ(initiator.data[0], 0);
  for (size_t i = 0; i < 1000; i++)
    ASSERT_TRUE(std::equal(block.begin(), block.end(), initiator.data.begin() + 512 * (1 + i)))
        << i;
  EXPECT_EQ(initiator.data[1001 * 512 + 9], 0);
}

TEST_F(DiskTest, WriteSameOfZerosNeedsNoBlockInItsLongForm) {
  expect_good(initiator.out(Initiator::write10(0, 2), pattern(1024, 1)), 1024);
  expect_good(initiator.none(Initiator::rw16(0x93, 0, 2, 0x01)), 0);
  expect_good(initiator.in(Initiator::read10(0, 2), 1024), 1024);
  EXPECT_TRUE(std::all_of(initiator.data.begin(), initiator.data.end(),
                          [](uint8_t byte) { return byte == 0; }));
  expect_sense(initiator.none(Initiator::rw16(0x93, 0, 0, 0x01)), kInvalidFieldInCdb);
  expect_sense(initiator.none(Initiator::rw16(0x93, 0, 2)), kInvalidFieldInCdb);
}

TEST_F(DiskTest, ReadOnlyRefusesEveryChange) {
  const auto read_only = std::make_shared<MemoryBackend>(kBlocks * 512, true);
  Disk protected_disk(read_only, {});
  Initiator guest(protected_disk);
  expect_sense(guest.out(Initiator::write10(0, 1), pattern(512, 1)), kWriteProtected);
  expect_sense(guest.out(Initiator::rw16(0x93, 0, 1), pattern(512, 1)), kWriteProtected);
  expect_sense(guest.unmap({{0, 1}}), kWriteProtected);
  expect_good(guest.in(Initiator::read10(0, 1), 512), 512);
  expect_good(guest.in({0x1a, 0x08, 0x3f, 0, 192, 0}, 192), 36);
  EXPECT_EQ(guest.data[2] & 0x80, 0x80);
}

TEST_F(DiskTest, ErrorsOfTheBackendHaveTheirSense) {
  backend->fail_next(EIO);
  expect_sense(initiator.in(Initiator::read10(0, 1), 512), kUnrecoveredRead);
  backend->fail_next(EIO);
  expect_sense(initiator.out(Initiator::write10(0, 1), pattern(512, 1)), kWriteError);
  backend->fail_next(ENOSPC);
  expect_sense(initiator.out(Initiator::write10(0, 1), pattern(512, 1)), kSpaceExhausted);
  EXPECT_EQ(disk.counters().errors, 3u);
}

TEST_F(DiskTest, CapacityIsExactAndItsChangeIsSaidOnce) {
  expect_good(initiator.in(Initiator::rw10(0x25, 0, 0), 8), 8);
  EXPECT_EQ(load_be<4>(initiator.data, 0), kBlocks - 1);
  EXPECT_EQ(load_be<4>(initiator.data, 4), 512u);
  ASSERT_FALSE(backend->resize(2 * kBlocks * 512).has_value());
  disk.capacity_changed();
  expect_good(initiator.in({0x12, 0, 0, 0, 96, 0}, 96), 96);
  expect_sense(initiator.none({0, 0, 0, 0, 0, 0}), kCapacityChanged);
  expect_good(initiator.none({0, 0, 0, 0, 0, 0}), 0);
  Initiator::Cdb cdb(16);
  cdb[0] = 0x9e;
  cdb[1] = 0x10;
  cdb[13] = 32;
  expect_good(initiator.in(cdb, 32), 32);
  EXPECT_EQ(load_be<8>(initiator.data, 0), 2 * kBlocks - 1);
  EXPECT_EQ(initiator.data[13], 3);
  EXPECT_EQ(initiator.data[14], 0xc0);
}

TEST_F(DiskTest, RequestSenseTakesThePendingAttention) {
  disk.capacity_changed();
  expect_good(initiator.in({0x03, 0, 0, 0, 18, 0}, 18), 18);
  EXPECT_EQ(initiator.data[2], 6);
  EXPECT_EQ(initiator.data[12], 0x2a);
  EXPECT_EQ(initiator.data[13], 0x09);
  expect_good(initiator.in({0x03, 0, 0, 0, 18, 0}, 18), 18);
  EXPECT_EQ(initiator.data[2], 0);
}

TEST_F(DiskTest, InquiryIsCutToTheAllocation) {
  expect_good(initiator.in({0x12, 0, 0, 0, 36, 0}, 255), 36);
  EXPECT_EQ(std::string(initiator.data.begin() + 8, initiator.data.begin() + 36),
            "Msft    Virtual Disk    1.0 ");
  EXPECT_EQ(initiator.data[36], 0xee);
  for (const uint8_t page : {0x00, 0x80, 0x83, 0xb0, 0xb1, 0xb2}) {
    const Outcome outcome = initiator.in({0x12, 1, page, 0, 255, 0}, 255);
    EXPECT_EQ(outcome.status, Status::Good);
    EXPECT_EQ(initiator.data[1], page);
    EXPECT_EQ(load_be<2>(initiator.data, 2) + 4, outcome.moved) << int{page};
  }
  expect_sense(initiator.in({0x12, 1, 0xcf, 0, 255, 0}, 255), kInvalidFieldInCdb);
  expect_sense(initiator.in({0x12, 0, 0x80, 0, 255, 0}, 255), kInvalidFieldInCdb);
}

TEST_F(DiskTest, VerifyComparesBytes) {
  const auto bytes = pattern(1024, 6);
  expect_good(initiator.out(Initiator::write10(1, 2), bytes), 1024);
  Initiator::Cdb cdb = Initiator::rw10(0x2f, 1, 2);
  expect_good(initiator.none(cdb), 0);
  cdb[1] = 0x02;
  expect_good(initiator.out(cdb, bytes), 1024);
  auto other = bytes;
  other[1000] ^= 1;
  expect_sense(initiator.out(cdb, other), kMiscompare);
}

TEST_F(DiskTest, LargeBlocksCountLarge) {
  Disk large(std::make_shared<MemoryBackend>(64 * 4096), {.block_size = 4096});
  Initiator guest(large);
  expect_good(guest.in(Initiator::rw10(0x25, 0, 0), 8), 8);
  EXPECT_EQ(load_be<4>(guest.data, 0), 63u);
  EXPECT_EQ(load_be<4>(guest.data, 4), 4096u);
  expect_good(guest.out(Initiator::write10(63, 1), pattern(4096, 2)), 4096);
  expect_sense(guest.out(Initiator::write10(64, 1), pattern(4096, 2)), kLbaOutOfRange);
}

}  // namespace
}  // namespace hv::host::scsi
