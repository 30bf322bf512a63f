// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "ports/linux/status.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "core/vmbus/vmbus.h"

namespace hv::vmbus::test {
namespace {

TEST(Status, HasANameForEach) {
  EXPECT_STREQ(hv_status_name(HV_OK), "ok");
  EXPECT_STREQ(hv_status_name(HV_TRUNCATED), "truncated");
  EXPECT_STREQ(hv_status_name(HV_RING_FULL), "ring full");
  EXPECT_STREQ(hv_status_name(HV_GONE), "gone");
  EXPECT_STREQ(hv_status_name(HV_GONE - 1), "unknown");
}

TEST(Status, IsAnErrorOfTheKernelByOneTable) {
  EXPECT_EQ(hv_status_errno(HV_OK), 0);
  EXPECT_EQ(hv_status_errno(1), 0) << "an answer that is no error";
  EXPECT_EQ(hv_status_errno(HV_RING_FULL), -EAGAIN);
  EXPECT_EQ(hv_status_errno(HV_RING_EMPTY), -EAGAIN);
  EXPECT_EQ(hv_status_errno(HV_RING_CORRUPT), -EIO);
  EXPECT_EQ(hv_status_errno(HV_EXHAUSTED), -ENOMEM);
  EXPECT_EQ(hv_status_errno(HV_NO_MEMORY), -ENOMEM);
  EXPECT_EQ(hv_status_errno(HV_NOT_SUPPORTED), -EOPNOTSUPP);
  EXPECT_EQ(hv_status_errno(HV_REFUSED), -EREMOTEIO);
  EXPECT_EQ(hv_status_errno(HV_BAD_STATE), -EBUSY);
  EXPECT_EQ(hv_status_errno(HV_TIMED_OUT), -ETIMEDOUT);
  EXPECT_EQ(hv_status_errno(HV_GONE), -ENODEV);
  for (int status : {HV_TRUNCATED, HV_BAD_LENGTH, HV_BAD_VALUE, HV_BAD_ID, HV_OVERFLOW})
    EXPECT_EQ(hv_status_errno(status), -EPROTO) << hv_status_name(status);
}

}  // namespace
}  // namespace hv::vmbus::test
