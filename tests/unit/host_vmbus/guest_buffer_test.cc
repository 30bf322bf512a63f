// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/vmbus/guest_buffer.hpp"

#include <gtest/gtest.h>

#include "core/vmbus/gpa_direct.hpp"
#include "tests/support/fake_machine.hpp"

namespace hv::host::vmbus {
namespace {

class GuestBufferTest : public ::testing::Test {
 protected:
  struct Range {
    uint32_t bytes;
    uint32_t offset;
    std::vector<uint64_t> frames;
  };
  Result<void> resolve(const std::vector<Range>& ranges, uint32_t length, uint32_t most = 64) {
    std::vector<std::byte> storage(4096);
    hv::vmbus::GpaDirectBuilder builder(storage);
    for (const Range& range : ranges) {
      builder.range(range.bytes, range.offset).take();
      for (const uint64_t frame : range.frames) builder.frame(frame).take();
    }
    parts.clear();
    return resolve_guest_buffer(machine, builder.finish().take(), length, most, parts);
  }
  std::byte* at(uint64_t gpa) { return machine.memory(gpa, 1)->data(); }

  test::FakeMachine machine{64};
  std::vector<iovec> parts;
};

TEST_F(GuestBufferTest, NeighboursBecomeOnePart) {
  ASSERT_TRUE(resolve({{3 * 4096, 0, {4, 5, 6}}}, 3 * 4096).ok());
  ASSERT_EQ(parts.size(), 1u);
  EXPECT_EQ(parts[0].iov_base, at(4 * 4096));
  EXPECT_EQ(parts[0].iov_len, 3u * 4096);
}

TEST_F(GuestBufferTest, ScatteredPagesKeepTheirOrder) {
  ASSERT_TRUE(resolve({{8192, 100, {9, 3, 4}}}, 8192).ok());
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_EQ(parts[0].iov_base, at(9 * 4096 + 100));
  EXPECT_EQ(parts[0].iov_len, 4096u - 100);
  EXPECT_EQ(parts[1].iov_base, at(3 * 4096));
  EXPECT_EQ(parts[1].iov_len, 4096u + 100);
}

TEST_F(GuestBufferTest, SeveralRangesFollowEachOther) {
  ASSERT_TRUE(resolve({{512, 0, {9}}, {1024, 512, {20}}}, 1000).ok());
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_EQ(parts[0].iov_len, 512u);
  EXPECT_EQ(parts[1].iov_base, at(20 * 4096 + 512));
  EXPECT_EQ(parts[1].iov_len, 488u);
}

TEST_F(GuestBufferTest, WhatIsNotThereIsRefused) {
  EXPECT_EQ(resolve({{4096, 0, {64}}}, 4096).error(), Error::BadValue);
  EXPECT_EQ(resolve({{8192, 0, {63, 64}}}, 8192).error(), Error::BadValue);
  EXPECT_EQ(resolve({{4096, 0, {~uint64_t{0}}}}, 4096).error(), Error::BadValue);
  EXPECT_EQ(resolve({{4096, 0, {1}}}, 4097).error(), Error::BadLength);
  EXPECT_EQ(resolve({{3 * 4096, 0, {1, 2, 3}}}, 4096, 2).error(), Error::Exhausted);
}

}  // namespace
}  // namespace hv::host::vmbus
