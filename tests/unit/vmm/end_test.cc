// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "vmm/end.hpp"

#include <gtest/gtest.h>

namespace hv::vmm {
namespace {

TEST(EndBox, TheFirstReportCounts) {
  EndBox box;
  EXPECT_FALSE(box.ended());
  box.report({EndReason::Panic, "why", 0});
  box.report({EndReason::PowerOff, "", 0});
  EXPECT_TRUE(box.ended());
  EXPECT_EQ(exit_status(*box.get()), 12);
  EXPECT_EQ(describe(*box.get()), "the guest panicked: why");
}

TEST(End, EachReasonHasItsStatus) {
  EXPECT_EQ(exit_status({EndReason::PowerOff, "", 0}), 0);
  EXPECT_EQ(exit_status({EndReason::HostError, "", 0}), 1);
  EXPECT_EQ(exit_status({EndReason::Reboot, "", 0}), 10);
  EXPECT_EQ(exit_status({EndReason::TripleFault, "", 0}), 11);
  EXPECT_EQ(exit_status({EndReason::Astray, "", 0}), 11);
  EXPECT_EQ(exit_status({EndReason::TimedOut, "", 0}), 124);
  EXPECT_EQ(exit_status({EndReason::Halted, "", 0}), 124);
  EXPECT_EQ(exit_status({EndReason::Interrupted, "", 2}), 130);
}

}  // namespace
}  // namespace hv::vmm
