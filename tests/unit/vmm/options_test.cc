// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "vmm/options.hpp"

#include <gtest/gtest.h>

#include "vmm/failure.hpp"

namespace hv::vmm {
namespace {

using Bus = host::storvsp::ControllerOptions::Bus;

TEST(Options, SizesHaveAUnit) {
  EXPECT_EQ(parse_size("512M"), 512 * kMiB);
  EXPECT_EQ(parse_size("2g"), 2 * kGiB);
  for (const char* const bad : {"", "M", "512", "512K", "-1G", "1.5G", "2GB", "99999999999999999999G", "18446744073709551615G"}) {
    EXPECT_THROW(parse_size(bad), UsageFailure) << bad;
  }
}

TEST(Options, DisksHaveProperties) {
  const auto disk = parse_disk("/a/b.raw,bus=ide,ro,lun=3,controller=1,name=data", false);
  EXPECT_EQ(disk.path, "/a/b.raw");
  EXPECT_EQ(disk.bus, Bus::Ide);
  EXPECT_TRUE(disk.read_only);
  EXPECT_FALSE(disk.dvd);
  EXPECT_EQ(disk.lun, 3u);
  EXPECT_EQ(disk.controller, 1u);
  EXPECT_EQ(disk.name, "data");
  EXPECT_FALSE(parse_disk("x", false).lun);
  EXPECT_TRUE(parse_disk("x.iso", true).read_only);
}

TEST(Options, UnknownPropertiesAreRefused) {
  for (const char* const bad : {"", ",ro", "x,rw", "x,lun=", "x,lun=a", "x,lun=256", "x,bus=nvme", "x,name=", "x,", "x,lun=-1"}) {
    EXPECT_THROW(parse_disk(bad, false), UsageFailure) << bad;
  }
  EXPECT_THROW(parse_disk("x,bus=ide", true), UsageFailure);
}

TEST(Options, AHostileHostIsASeedAndItsProperties) {
  const auto plan = parse_hostile("42,after=10,rate=250");
  EXPECT_EQ(plan.seed, 42u);
  EXPECT_EQ(plan.after, std::chrono::seconds(10));
  EXPECT_EQ(plan.rate, 250u);
  EXPECT_FALSE(parse_hostile("1").after);
  for (const char* const bad : {"", "x", "-1", "1,", "1,rate=1001", "1,rate=", "1,when=2", "1,after=-1"}) {
    EXPECT_THROW(parse_hostile(bad), UsageFailure) << bad;
  }
}

}  // namespace
}  // namespace hv::vmm
