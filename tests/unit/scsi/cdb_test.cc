// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/scsi/cdb.hpp"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace hv::host::scsi {
namespace {

using Bytes = std::vector<uint8_t>;

TEST(ParseCdb, ReadsSixTenTwelveAndSixteen) {
  struct Case {
    Bytes cdb;
    uint64_t lba;
    uint32_t blocks;
  };
  const Case cases[] = {
      {{0x08, 0xff, 0x02, 0x03, 0x04, 0}, 0x1f0203, 4},
      {{0x08, 0, 0, 0, 0, 0}, 0, 256},
      {{0x28, 0, 1, 2, 3, 4, 0, 5, 6, 0}, 0x01020304, 0x0506},
      {{0xa8, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0}, 0x01020304, 0x05060708},
      {{0x88, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0, 0}, 0x0102030405060708, 0x090a0b0c},
  };
  for (const Case& one : cases) {
    const auto command = parse_cdb(one.cdb);
    ASSERT_TRUE(command.ok());
    EXPECT_EQ(command->operation, Operation::Read);
    EXPECT_EQ(command->lba, one.lba);
    EXPECT_EQ(command->blocks, one.blocks);
    EXPECT_FALSE(command->force_unit_access);
  }
}

TEST(ParseCdb, SeesForcedUnitAccess) {
  EXPECT_TRUE(parse_cdb(Bytes{0x2a, 0x08, 0, 0, 0, 0, 0, 0, 1, 0})->force_unit_access);
  EXPECT_FALSE(parse_cdb(Bytes{0x0a, 0x08, 0, 0, 1, 0})->force_unit_access);
}

TEST(ParseCdb, RefusesShortBlocks) {
  for (const uint8_t opcode : {0x00, 0x12, 0x28, 0x42, 0x88, 0xa0, 0xa8}) {
    EXPECT_EQ(parse_cdb(Bytes{opcode, 0, 0, 0, 0}).error(), Error::Truncated) << int{opcode};
  }
  EXPECT_EQ(parse_cdb(Bytes{}).error(), Error::Truncated);
}

TEST(ParseCdb, RefusesWhatIsNotServed) {
  const Bytes vendor(16, 0xc0);
  EXPECT_EQ(parse_cdb(vendor).error(), Error::NotSupported);
  Bytes cdb(16);
  for (const uint8_t opcode : {0x04, 0x5e, 0x5f, 0x89, 0xa3, 0x7f, 0x83, 0x85, 0xa1}) {
    cdb[0] = opcode;
    EXPECT_EQ(parse_cdb(cdb).error(), Error::NotSupported) << int{opcode};
  }
  cdb[0] = 0x9e;
  cdb[1] = 0x17;
  EXPECT_EQ(parse_cdb(cdb).error(), Error::NotSupported);
}

TEST(ParseCdb, TakesServiceActionsApart) {
  Bytes cdb(16);
  cdb[0] = 0x9e;
  cdb[1] = 0x10;
  cdb[13] = 32;
  EXPECT_EQ(parse_cdb(cdb)->operation, Operation::ReadCapacity16);
  EXPECT_EQ(parse_cdb(cdb)->allocation, 32u);
  cdb[1] = 0x12;
  cdb[9] = 7;
  EXPECT_EQ(parse_cdb(cdb)->operation, Operation::GetLbaStatus);
  EXPECT_EQ(parse_cdb(cdb)->lba, 7u);
}

TEST(ParseCdb, NeverReadsPastAnyLength) {
  std::mt19937 random(1);
  for (int round = 0; round < 20000; round++) {
    Bytes cdb(random() % 17);
    for (uint8_t& byte : cdb) byte = static_cast<uint8_t>(random());
    cdb.shrink_to_fit();
    (void)parse_cdb(cdb).ok();
  }
}

}  // namespace
}  // namespace hv::host::scsi
