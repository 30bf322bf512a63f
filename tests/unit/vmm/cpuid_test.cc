// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "vmm/cpuid.hpp"

#include <gtest/gtest.h>

#include <cstring>

namespace hv::vmm {
namespace {

kvm_cpuid_entry2 leaf(uint32_t function, uint32_t eax, uint32_t ebx, uint32_t ecx, uint32_t edx) {
  kvm_cpuid_entry2 entry{};
  entry.function = function;
  entry.eax = eax;
  entry.ebx = ebx;
  entry.ecx = ecx;
  entry.edx = edx;
  return entry;
}

TEST(HyperVLeaves, ShowMicrosoftsNameAndOnlyWhatWeServe) {
  const std::vector<kvm_cpuid_entry2> supported{
      leaf(0x40000000, 0x40000082, 0, 0, 0),
      leaf(0x40000001, 0x31237648, 0, 0, 0),
      leaf(0x40000002, 0x3839, 0xa0000, 0, 0),
      leaf(0x40000003, 0xffffffff, 0xffffffff, 0, 0xffffffff),
      leaf(0x40000004, 0xffffffff, 0xfff, 0, 0),
      leaf(0x40000005, 1024, 64, 0, 0),
      leaf(0x4000000a, 0x10000, 0, 0, 0),
      leaf(0x40000080, 0, 0, 0, 0)};
  const auto leaves = hyperv_leaves(supported, 4, Timers::Direct);
  ASSERT_EQ(leaves.size(), 6u);
  EXPECT_EQ(leaves[0].eax, 0x40000005u);
  EXPECT_EQ(std::memcmp(&leaves[0].ebx, "Micr", 4), 0);
  EXPECT_EQ(std::memcmp(&leaves[0].ecx, "osof", 4), 0);
  EXPECT_EQ(std::memcmp(&leaves[0].edx, "t Hv", 4), 0);
  EXPECT_EQ(leaves[3].ebx & (1u << 11), 0u) << "debugging";
  EXPECT_NE(leaves[3].ebx & (1u << 4), 0u) << "PostMessages";
  EXPECT_NE(leaves[3].ebx & (1u << 5), 0u) << "SignalEvents";
  EXPECT_EQ(leaves[3].eax & (1u << 13), 0u) << "re-enlightenment";
  EXPECT_EQ(leaves[5].eax, 4u);
}

TEST(HyperVLeaves, TimersByMessageHaveNoDirectMode) {
  const std::vector<kvm_cpuid_entry2> supported{
      leaf(0x40000003, 0xffffffff, 0xffffffff, 0, 0xffffffff)};
  constexpr uint32_t kTimers = 1u << 3, kDirect = 1u << 19;
  const auto direct = hyperv_leaves(supported, 1, Timers::Direct);
  EXPECT_NE(direct[0].eax & kTimers, 0u);
  EXPECT_NE(direct[0].edx & kDirect, 0u);
  for (const Timers timers : {Timers::Message, Timers::MessageArat}) {
    const auto message = hyperv_leaves(supported, 1, timers);
    EXPECT_EQ(message[0].eax, direct[0].eax);
    EXPECT_EQ(message[0].edx, direct[0].edx & ~kDirect);
  }
  const auto none = hyperv_leaves(supported, 1, Timers::None);
  EXPECT_EQ(none[0].eax, direct[0].eax & ~kTimers);
  EXPECT_EQ(none[0].edx, direct[0].edx & ~kDirect);
}

}  // namespace
}  // namespace hv::vmm
