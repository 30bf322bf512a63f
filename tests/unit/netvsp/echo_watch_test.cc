// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/net/echo_watch.hpp"

#include <gtest/gtest.h>

#include "frames.hpp"

namespace hv::host::net {
namespace {

using test::Bytes;

constexpr size_t kIp = 14, kIcmp = 34;
constexpr uint32_t kGuest = 0x0a00020f, kFar = 0xc0000201;

/// An echo request or its answer, with `data` bytes of data.
Bytes echo(bool reply, uint32_t far, uint16_t sequence, size_t data) {
  Bytes frame = test::ip_frame(false, false, data);  // ICMP's header is as long as UDP's
  frame[kIp + 9] = std::byte{1};
  store_be32(frame, kIp + 12, reply ? far : kGuest);
  store_be32(frame, kIp + 16, reply ? kGuest : far);
  store_be32(frame, kIcmp, reply ? 0 : 0x08000000);
  store_be16(frame, kIcmp + 4, 77);
  store_be16(frame, kIcmp + 6, sequence);
  return frame;
}

TEST(EchoWatch, AnswersToWhatWasAskedPassOnce) {
  EchoWatch watch;
  EXPECT_FALSE(watch.plausible(echo(true, kFar, 1, 56)));
  watch.sent(echo(false, kFar, 1, 56));
  EXPECT_FALSE(watch.plausible(echo(true, kFar, 2, 56)));
  EXPECT_FALSE(watch.plausible(echo(true, kFar + 1, 1, 56)));
  EXPECT_TRUE(watch.plausible(echo(true, kFar, 1, 56)));
  EXPECT_FALSE(watch.plausible(echo(true, kFar, 1, 56)));
}

TEST(EchoWatch, AnAnswerWithOtherDataIsNone) {
  EchoWatch watch;
  // An "unreachable" that is passed off as the answer: its data is the request's header.
  watch.sent(echo(false, kFar, 0, 56));
  Bytes wrong = echo(true, kFar, 0, 56);
  wrong[kIcmp + 8] = std::byte{0x45};
  EXPECT_FALSE(watch.plausible(wrong));
  EXPECT_FALSE(watch.plausible(echo(true, kFar, 0, 20)));
  EXPECT_TRUE(watch.plausible(echo(true, kFar, 0, 56)));
}

TEST(EchoWatch, ManyInARowAreRemembered) {
  EchoWatch watch;
  for (uint16_t i = 0; i < EchoWatch::kRemembered; i++) watch.sent(echo(false, kFar, i, 8));
  for (uint16_t i = 0; i < EchoWatch::kRemembered; i++)
    EXPECT_TRUE(watch.plausible(echo(true, kFar, i, 8))) << i;
}

TEST(EchoWatch, EverythingElsePasses) {
  EchoWatch watch;
  EXPECT_TRUE(watch.plausible({}));
  EXPECT_TRUE(watch.plausible(test::ip_frame(false, true, 100)));
  EXPECT_TRUE(watch.plausible(test::ip_frame(true, false, 100)));
  Bytes unreachable = echo(true, kFar, 1, 56);
  unreachable[kIcmp] = std::byte{3};
  EXPECT_TRUE(watch.plausible(unreachable));
  Bytes later_fragment = echo(true, kFar, 1, 56);
  store_be16(later_fragment, kIp + 6, 185);
  EXPECT_TRUE(watch.plausible(later_fragment));
  EXPECT_TRUE(watch.plausible(echo(false, kFar, 1, 56)));
}

TEST(EchoWatch, ACutFrameIsNotReadBeyondItsEnd) {
  EchoWatch watch;
  const Bytes request = echo(false, kFar, 1, 56), reply = echo(true, kFar, 1, 56);
  for (size_t size = 0; size < request.size(); size++) {
    const Bytes cut(request.begin(), request.begin() + static_cast<ptrdiff_t>(size));
    watch.sent(cut);
    const Bytes answer(reply.begin(), reply.begin() + static_cast<ptrdiff_t>(size));
    (void)watch.plausible(answer);
  }
  EXPECT_FALSE(watch.plausible(reply));
}

}  // namespace
}  // namespace hv::host::net
