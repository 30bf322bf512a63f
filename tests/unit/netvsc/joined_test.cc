// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "core/netvsc/joined.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace hv::netvsc {
namespace {

using Frame = std::vector<uint8_t>;

constexpr uint32_t kMtu = 1500;
constexpr size_t kIp = 14;

void put16(Frame& frame, size_t at, size_t value) {
  frame[at] = static_cast<uint8_t>(value >> 8);
  frame[at + 1] = static_cast<uint8_t>(value);
}

/// 10.0.0.1 to 10.0.0.2; `options`: bytes of TCP's.
Frame ipv4(size_t payload, size_t options = 0) {
  Frame frame(kIp + 20 + 20 + options + payload);
  put16(frame, 12, 0x0800);
  frame[kIp] = 0x45;
  put16(frame, kIp + 2, frame.size() - kIp);
  frame[kIp + 9] = 6;
  frame[kIp + 12] = frame[kIp + 16] = 10;
  frame[kIp + 15] = 1;
  frame[kIp + 19] = 2;
  frame[kIp + 20 + 12] = static_cast<uint8_t>((20 + options) / 4 << 4);
  return frame;
}
/// fd00::1 to fd00::2.
Frame ipv6(size_t payload) {
  Frame frame(kIp + 40 + 20 + payload);
  put16(frame, 12, 0x86dd);
  frame[kIp] = 0x60;
  put16(frame, kIp + 4, 20 + payload);
  frame[kIp + 6] = 6;
  frame[kIp + 8] = frame[kIp + 24] = 0xfd;
  frame[kIp + 23] = 1;
  frame[kIp + 39] = 2;
  frame[kIp + 40 + 12] = 5 << 4;
  return frame;
}

Result<JoinedFrame> describe(const Frame& frame, uint32_t parts, uint32_t mtu = kMtu) {
  return describe_joined(std::as_bytes(std::span(frame)), static_cast<uint32_t>(frame.size()),
                         parts, mtu);
}

TEST(Joined, EachPartIsASegmentWhenItFits) {
  const auto joined = describe(ipv4(3 * 1400), 3).take();
  EXPECT_EQ(joined.segment, 1400);
  EXPECT_EQ(joined.segments, 3);
  EXPECT_EQ(joined.transport_offset, 34);
  EXPECT_FALSE(joined.ipv6);
  EXPECT_FALSE(joined.congestion);
}

TEST(Joined, ALastSegmentMayBeShorter) {
  const auto joined = describe(ipv4(2 * 1400 + 1), 3).take();
  EXPECT_EQ(joined.segment, 934);
  EXPECT_EQ(joined.segments, 3);
}

TEST(Joined, NoSegmentIsLongerThanTheMtuAllows) {
  auto joined = describe(ipv4(20 * 1460), 19).take();
  EXPECT_EQ(joined.segment, 1460);
  EXPECT_EQ(joined.segments, 20);
  joined = describe(ipv4(20 * 1448, 12), 1).take();
  EXPECT_EQ(joined.segment, 1448) << "TCP has options";
  EXPECT_EQ(joined.segments, 20);
  joined = describe(ipv6(10 * 1440), 1).take();
  EXPECT_EQ(joined.segment, 1440);
  EXPECT_EQ(joined.segments, 10);
}

TEST(Joined, TheLargestPacketIsDescribed) {
  const auto joined = describe(ipv4(65535 - 40), 562).take();
  EXPECT_EQ(joined.segment, 117);
  EXPECT_EQ(joined.segments, 560);
  EXPECT_EQ(describe(ipv6(65535 - 20), 1).take().segments, 46);
}

TEST(Joined, ThePseudoHeaderIsSummedWithTheWholeLength) {
  EXPECT_EQ(describe(ipv4(3000), 1).take().pseudo_sum, 0x0a00 + 1 + 0x0a00 + 2 + 6 + 3020);
  // 0xfd00 + 1 + 0xfd00 + 2 + 6 + 3020 is 0x205d5.
  EXPECT_EQ(describe(ipv6(3000), 1).take().pseudo_sum, 0x05d7) << "the carry comes round";
}

TEST(Joined, TheHeaderMayHaveOptions) {
  Frame frame = ipv4(3000);
  frame.insert(frame.begin() + kIp + 20, 8, 0);
  frame[kIp] = 0x47;
  put16(frame, kIp + 2, frame.size() - kIp);
  const auto joined = describe(frame, 1).take();
  EXPECT_EQ(joined.transport_offset, 42);
  EXPECT_EQ(joined.segment, 1452);
}

TEST(Joined, CongestionIsOfTheFirstSegmentAlone) {
  Frame frame = ipv4(3000);
  frame[kIp + 20 + 13] = 0x80 | 0x10;
  EXPECT_TRUE(describe(frame, 1).take().congestion);
}

TEST(Joined, CountsOfTheHostThatMakeNoSenseDoNotPass) {
  EXPECT_FALSE(describe(ipv4(3000), 0));
  EXPECT_FALSE(describe(ipv4(3000), 3001)) << "more parts than bytes";
  EXPECT_EQ(describe(ipv4(3000), 3000).take().segment, kMinSegment);
  EXPECT_EQ(describe(ipv4(3000), 0xffffffff).error(), Error::NotSupported);
  EXPECT_FALSE(describe(ipv4(0), 1)) << "no payload";
}

TEST(Joined, WhatFitsIntoASegmentIsNotCut) {
  EXPECT_EQ(describe(ipv4(1460), 1).error(), Error::NotSupported);
  EXPECT_EQ(describe(ipv4(1461), 1).take().segments, 2);
  EXPECT_EQ(describe(ipv4(40), 2).error(), Error::NotSupported) << "segments too short to count";
  EXPECT_EQ(describe(ipv4(3000), 1, 0).error(), Error::NotSupported);
  EXPECT_EQ(describe(ipv4(3000), 1, 40 + kMinSegment - 1).error(), Error::NotSupported);
  EXPECT_TRUE(describe(ipv4(3000), 1, 40 + kMinSegment));
}

TEST(Joined, HeadersThatAreCutOffAreRefused) {
  for (const Frame& whole : {ipv4(3000, 40), ipv6(3000)}) {
    const size_t headers = whole.size() - 3000;
    const auto bytes = std::as_bytes(std::span(whole));
    const auto length = static_cast<uint32_t>(whole.size());
    for (size_t size = 0; size < headers; size++)
      EXPECT_EQ(describe_joined(bytes.first(size), length, 1, kMtu).error(), Error::Truncated)
          << size;
    EXPECT_TRUE(describe_joined(bytes.first(headers), length, 1, kMtu));
  }
  EXPECT_EQ(kMaxJoinedFront, 134u);
}

TEST(Joined, LengthsThatContradictTheFrameAreRefused) {
  for (const Frame& whole : {ipv4(3000), ipv6(3000)}) {
    const auto bytes = std::as_bytes(std::span(whole));
    const auto length = static_cast<uint32_t>(whole.size());
    EXPECT_EQ(describe_joined(bytes, length - 1, 1, kMtu).error(), Error::BadLength);
    EXPECT_EQ(describe_joined(bytes, length + 1, 1, kMtu).error(), Error::BadLength);
  }
  Frame frame = ipv4(3000);
  frame[kIp] = 0x44;
  EXPECT_EQ(describe(frame, 1).error(), Error::BadLength) << "IP's header is too short";
  frame = ipv4(3000);
  put16(frame, kIp + 2, 19);
  EXPECT_EQ(describe(frame, 1).error(), Error::BadLength) << "the packet is shorter than it";
  frame = ipv4(3000);
  frame[kIp + 20 + 12] = 4 << 4;
  EXPECT_EQ(describe(frame, 1).error(), Error::BadLength) << "TCP's header is too short";
  frame = ipv4(4);
  frame[kIp + 20 + 12] = 15 << 4;
  EXPECT_EQ(describe(frame, 1).error(), Error::BadLength) << "TCP's header is too long";
}

TEST(Joined, WhatIsNotTcpOrNotWholeIsLeftAlone) {
  struct Case {
    size_t at;
    uint8_t value;
    const char* what;
  };
  for (const auto& [at, value, what] :
       {Case{12, 0x81, "another type"}, Case{kIp, 0x65, "another version"},
        Case{kIp + 9, 17, "UDP"}, Case{kIp + 6, 0x20, "the first fragment"},
        Case{kIp + 7, 1, "a later fragment"}, Case{kIp + 20 + 13, 0x02, "SYN"},
        Case{kIp + 20 + 13, 0x04, "RST"}, Case{kIp + 20 + 13, 0x20, "URG"}}) {
    Frame frame = ipv4(3000);
    frame[at] = value;
    EXPECT_EQ(describe(frame, 1).error(), Error::NotSupported) << what;
  }
  Frame frame = ipv4(3000);
  frame[kIp + 6] = 0x40;
  EXPECT_TRUE(describe(frame, 1)) << "it only is not to be fragmented";
  frame = ipv6(3000);
  frame[kIp + 6] = 44;
  EXPECT_EQ(describe(frame, 1).error(), Error::NotSupported) << "an extension header";
}

}  // namespace
}  // namespace hv::netvsc
