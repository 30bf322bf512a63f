// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "core/netvsc/offload.hpp"

#include <gtest/gtest.h>

namespace hv::netvsc {
namespace {

constexpr Capabilities kAll{.tcp4_checksum = true,
                            .udp4_checksum = true,
                            .tcp6_checksum = true,
                            .udp6_checksum = true,
                            .large_send4 = 62780,
                            .large_send6 = 62780};
using Offload = SendFrame::Offload;

TEST(Offload, AFrameThatIsDoneIsLeftAlone) {
  SendFrame frame{.length = 60};
  EXPECT_EQ(share_out(kAll, {.protocol = Undone::kTcp, .transport_offset = 34}, frame),
            Doer::Nobody);
  EXPECT_EQ(frame.offload, Offload::None);
}

TEST(Offload, TheHostSumsWhatItSaysItCan) {
  struct Case {
    bool Capabilities::*can;
    bool ipv6;
    uint8_t protocol;
  };
  for (const auto& [can, ipv6, protocol] :
       {Case{&Capabilities::tcp4_checksum, false, Undone::kTcp},
        Case{&Capabilities::udp4_checksum, false, Undone::kUdp},
        Case{&Capabilities::tcp6_checksum, true, Undone::kTcp},
        Case{&Capabilities::udp6_checksum, true, Undone::kUdp}}) {
    const Undone undone{.sum = true, .ipv6 = ipv6, .protocol = protocol, .transport_offset = 54};
    SendFrame frame;
    EXPECT_EQ(share_out(kAll, undone, frame), Doer::Host);
    EXPECT_EQ(frame.offload, Offload::Checksum);
    EXPECT_EQ(frame.ipv6, ipv6);
    EXPECT_EQ(frame.udp, protocol == Undone::kUdp);
    EXPECT_EQ(frame.transport_offset, 54);
    Capabilities without = kAll;
    without.*can = false;
    SendFrame plain;
    EXPECT_EQ(share_out(without, undone, plain), Doer::Guest);
    EXPECT_EQ(plain.offload, Offload::None);
  }
}

TEST(Offload, OtherProtocolsAreTheGuests) {
  constexpr uint8_t kSctp = 132;
  SendFrame frame;
  EXPECT_EQ(share_out(kAll, {.sum = true, .protocol = kSctp, .transport_offset = 34}, frame),
            Doer::Guest);
  EXPECT_EQ(frame.offload, Offload::None);
}

TEST(Offload, AHeaderThatTheHostCannotReachIsTheGuestsToSumAndNobodysToCut) {
  SendFrame frame;
  EXPECT_EQ(
      share_out(kAll, {.sum = true, .protocol = Undone::kTcp, .transport_offset = 1023}, frame),
      Doer::Host);
  SendFrame far;
  EXPECT_EQ(share_out(kAll, {.sum = true, .protocol = Undone::kTcp, .transport_offset = 1024}, far),
            Doer::Guest);
  EXPECT_EQ(far.offload, Offload::None);
  SendFrame large;
  EXPECT_EQ(
      share_out(kAll,
                {.sum = true, .segment = 1448, .protocol = Undone::kTcp, .transport_offset = 1024},
                large),
      Doer::Neither);
}

TEST(Offload, ALargeSendSaysItsSegments) {
  SendFrame frame;
  EXPECT_EQ(share_out(kAll,
                      {.sum = true,
                       .segment = 1428,
                       .ipv6 = true,
                       .protocol = Undone::kTcp,
                       .transport_offset = 54},
                      frame),
            Doer::Host);
  EXPECT_EQ(frame.offload, Offload::LargeSend);
  EXPECT_EQ(frame.segment, 1428);
  EXPECT_EQ(frame.transport_offset, 54);
  EXPECT_TRUE(frame.ipv6);
}

}  // namespace
}  // namespace hv::netvsc
