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
  for (const char* const bad : {"", "M", "512", "512K", "-1G", "1.5G", "2GB",
                                "99999999999999999999G", "18446744073709551615G"}) {
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
  EXPECT_EQ(parse_disk("x", false).block_size, 512u);
  EXPECT_EQ(parse_disk("x,block_size=4096", false).block_size, 4096u);
  EXPECT_TRUE(parse_disk("x.iso", true).read_only);
}

TEST(Options, UnknownPropertiesAreRefused) {
  for (const char* const bad :
       {"", ",ro", "x,rw", "x,lun=", "x,lun=a", "x,lun=256", "x,bus=nvme", "x,name=", "x,",
        "x,lun=-1", "x,block_size=", "x,block_size=1024"}) {
    EXPECT_THROW(parse_disk(bad, false), UsageFailure) << bad;
  }
  EXPECT_THROW(parse_disk("x,bus=ide", true), UsageFailure);
  EXPECT_THROW(parse_disk("x,block_size=4096", true), UsageFailure);
}

TEST(Options, AHostileHostIsASeedAndItsProperties) {
  const auto plan = parse_hostile("42,after=10,rate=250");
  EXPECT_EQ(plan.seed, 42u);
  EXPECT_EQ(plan.after, std::chrono::seconds(10));
  EXPECT_EQ(plan.rate, 250u);
  EXPECT_FALSE(parse_hostile("1").after);
  for (const char* const bad :
       {"", "x", "-1", "1,", "1,rate=1001", "1,rate=", "1,when=2", "1,after=-1"}) {
    EXPECT_THROW(parse_hostile(bad), UsageFailure) << bad;
  }
}

TEST(Options, NicsHavePropertiesAndPorts) {
  const auto nics =
      parse_nics({"none", "null,queues=4,name=a,mac=00:15:5D:01:02:03", "user", "tap=t0"},
                 {"tcp:2222-:22", "udp:0.0.0.0:53-:5353"});
  ASSERT_EQ(nics.size(), 3u);
  EXPECT_EQ(nics[0].net, "null");
  EXPECT_EQ(nics[0].queues, 4);
  EXPECT_EQ(nics[0].name, "a");
  EXPECT_EQ(host::netvsp::text(*nics[0].mac), "00:15:5d:01:02:03");
  ASSERT_EQ(nics[1].forwards.size(), 2u);
  EXPECT_EQ(nics[1].forwards[0].address, "127.0.0.1");
  EXPECT_EQ(nics[1].forwards[0].port, 2222);
  EXPECT_EQ(nics[1].forwards[0].guest_port, 22);
  EXPECT_TRUE(nics[1].forwards[1].udp);
  EXPECT_EQ(nics[1].forwards[1].address, "0.0.0.0");
}

TEST(Options, WrongNicsAndPortsAreRefused) {
  for (const char* const bad :
       {"", "wifi", "tap=", "user,", "user,queues=0", "user,queues=65", "user,queues=a",
        "user,mac=1", "user,name=", "user,mac=01:00:00:00:00:00", "user,mac=00-15-5d-01-02-03",
        "user,x=1"}) {
    EXPECT_THROW(parse_nics({bad}, {}), UsageFailure) << bad;
  }
  for (const char* const bad : {"", "tcp", "22-:22", "tcp:0-:22", "tcp:22-:0", "tcp:65536-:22",
                                "tcp:22", "tcp:300.0.0.1:22-:22", "tcp:a:22-:22"}) {
    EXPECT_THROW(parse_nics({"user"}, {bad}), UsageFailure) << bad;
  }
  EXPECT_THROW(parse_nics({"null"}, {"tcp:22-:22"}), UsageFailure);
}

TEST(Options, APauseHasALengthAndAStart) {
  using namespace std::chrono_literals;
  EXPECT_EQ(parse_pause("35").length, 35s);
  EXPECT_EQ(parse_pause("35").after, 30s);
  EXPECT_EQ(parse_pause("35,after=7").after, 7s);
  for (const char* bad : {"", "x", "35s", "35,", "35,after=", "35,after=x", "35,for=2", "86401"})
    EXPECT_THROW(parse_pause(bad), UsageFailure) << bad;
}

}  // namespace
}  // namespace hv::vmm
