// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/scsi/dvd.hpp"

#include <gtest/gtest.h>

#include "host/backends/memory_backend.hpp"
#include "tests/unit/scsi/unit.hpp"

namespace hv::host::scsi {
namespace {

class DvdTest : public ::testing::Test {
 protected:
  std::shared_ptr<MemoryBackend> backend = std::make_shared<MemoryBackend>(300 * 2048, true);
  Dvd dvd{backend, {}};
  Initiator guest{dvd};
};

TEST_F(DvdTest, IsARemovableCdDvdDrive) {
  EXPECT_EQ(guest.in({0x12, 0, 0, 0, 36, 0}, 36).moved, 36u);
  EXPECT_EQ(guest.data[0], 5);
  EXPECT_EQ(guest.data[1], 0x80);
  EXPECT_EQ(guest.in(Initiator::rw10(0x25, 0, 0), 8).moved, 8u);
  EXPECT_EQ(load_be<4>(guest.data, 0), 299u);
  EXPECT_EQ(load_be<4>(guest.data, 4), 2048u);
}

TEST_F(DvdTest, ReadsBlocksOfTwoKib) {
  backend->bytes()[5 * 2048] = std::byte{0x42};
  EXPECT_EQ(guest.in(Initiator::read10(5, 2), 4096).moved, 4096u);
  EXPECT_EQ(guest.data[0], 0x42);
  EXPECT_EQ(guest.in(Initiator::read10(299, 2), 4096).sense, kLbaOutOfRange);
  EXPECT_EQ(guest.out(Initiator::write10(0, 1), std::vector<uint8_t>(2048)).sense, kWriteProtected);
}

TEST_F(DvdTest, TellsItsContentsAndFeatures) {
  Initiator::Cdb toc(10);
  toc[0] = 0x43;
  toc[8] = 255;
  EXPECT_EQ(guest.in(toc, 255).moved, 20u);
  EXPECT_EQ(guest.data[6], 1);
  EXPECT_EQ(guest.data[14], 0xaa);
  EXPECT_EQ(load_be<4>(guest.data, 16), 300u);
  Initiator::Cdb configuration(10);
  configuration[0] = 0x46;
  configuration[8] = 255;
  const Outcome outcome = guest.in(configuration, 255);
  EXPECT_EQ(load_be<4>(guest.data, 0) + 4, outcome.moved);
  EXPECT_EQ(load_be<2>(guest.data, 6), 0x10u);
  EXPECT_EQ(guest.in({0x5a, 0, 0x2a, 0, 0, 0, 0, 0, 128, 0}, 128).moved, 28u);
  EXPECT_EQ(guest.data[8], 0x2a);
}

TEST_F(DvdTest, EjectsAndLoadsAndSaysSo) {
  const Initiator::Cdb events = {0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8, 0};
  EXPECT_EQ(guest.in(events, 8).moved, 8u);
  EXPECT_EQ(guest.data[4], 2);  // new media
  EXPECT_EQ(guest.in(events, 8).moved, 8u);
  EXPECT_EQ(guest.data[4], 0);
  EXPECT_FALSE(dvd.prevented());
  EXPECT_EQ(guest.none({0x1e, 0, 0, 0, 1, 0}).status, Status::Good);
  EXPECT_TRUE(dvd.prevented());
  EXPECT_EQ(guest.none({0x1b, 0, 0, 0, 2, 0}).sense, kRemovalPrevented);
  EXPECT_EQ(guest.none({0x1e, 0, 0, 0, 0, 0}).status, Status::Good);
  EXPECT_EQ(guest.none({0x1b, 0, 0, 0, 2, 0}).status, Status::Good);
  EXPECT_EQ(guest.none({0, 0, 0, 0, 0, 0}).sense, kNoMediumTrayOpen);
  EXPECT_EQ(guest.in(Initiator::read10(0, 1), 2048).sense, kNoMediumTrayOpen);
  EXPECT_EQ(guest.none({0x1b, 0, 0, 0, 3, 0}).status, Status::Good);
  EXPECT_EQ(guest.none({0, 0, 0, 0, 0, 0}).sense, kMediumMayHaveChanged);
  EXPECT_EQ(guest.none({0, 0, 0, 0, 0, 0}).status, Status::Good);
}

}  // namespace
}  // namespace hv::host::scsi
