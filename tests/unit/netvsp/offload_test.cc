// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/net/offload.hpp"

#include <gtest/gtest.h>

#include <array>

#include "frames.hpp"
#include "host/net/toeplitz.hpp"

namespace hv::host::net {
namespace {

using test::Bytes;
using test::ip_frame;

TEST(Joined, FramesMayBearTheHeaderChecksumOfTheirFirstSegment) {
  Bytes frame = ip_frame(false, true, 4000);
  const auto joined = prepare_segments(frame, 1448).take();
  EXPECT_EQ(test::ip_checksum(frame), 0);
  const Bytes whole = frame;
  Bytes first;
  Bytes cut = frame;
  finish(cut, joined, [&](std::span<const std::byte> segment) {
    if (first.empty()) first.assign(segment.begin(), segment.end());
  });
  leave_first_checksum(frame, joined);
  EXPECT_NE(test::ip_checksum(frame), 0);
  EXPECT_EQ(load_be16(frame, 24), load_be16(first, 24));
  store_be16(frame, 24, load_be16(whole, 24));
  EXPECT_EQ(frame, whole);

  Bytes ipv6 = ip_frame(true, true, 4000);
  const auto joined6 = prepare_segments(ipv6, 1448).take();
  const Bytes before = ipv6;
  leave_first_checksum(ipv6, joined6);
  leave_first_checksum(ipv6, {});
  EXPECT_EQ(ipv6, before);
}

TEST(Headers, AreFoundInFramesOfEachKind) {
  for (const bool ipv6 : {false, true}) {
    for (const bool tcp : {false, true}) {
      const Bytes frame = ip_frame(ipv6, tcp, 10);
      const Headers headers = parse_headers(frame).take();
      EXPECT_EQ(headers.network, ipv6 ? Headers::Network::Ipv6 : Headers::Network::Ipv4);
      EXPECT_EQ(headers.transport, tcp ? Headers::Transport::Tcp : Headers::Transport::Udp);
      EXPECT_EQ(headers.payload_at, frame.size() - 10);
      EXPECT_EQ(headers.end, frame.size());
    }
  }
}

TEST(Headers, NoCutFrameIsReadBeyondItsEnd) {
  for (const bool ipv6 : {false, true}) {
    const Bytes frame = ip_frame(ipv6, true, 4);
    for (size_t size = 0; size < frame.size(); size++) {
      const Bytes cut(frame.begin(), frame.begin() + static_cast<ptrdiff_t>(size));
      EXPECT_FALSE(parse_headers(cut)) << size;
    }
  }
}

TEST(Headers, FragmentsHaveNoTransportHeader) {
  Bytes frame = ip_frame(false, true, 10);
  store_be16(frame, 20, 0x2000);
  EXPECT_EQ(parse_headers(frame)->transport, Headers::Transport::Other);
}

TEST(Headers, PaddingIsNoPartOfThePacket) {
  Bytes frame = ip_frame(false, false, 2);
  const size_t end = frame.size();
  frame.resize(60);
  EXPECT_EQ(parse_headers(frame)->end, end);
}

TEST(Headers, ExtensionHeadersCannotLoopOrRunOff) {
  Bytes frame = ip_frame(true, true, 400);
  frame[20] = std::byte{0};  // hop by hop, then the same again as long as the bytes say so
  for (size_t at = 54; at < frame.size(); at++) frame[at] = std::byte{0};
  EXPECT_EQ(parse_headers(frame)->transport, Headers::Transport::Other);
  frame[55] = std::byte{0xff};
  EXPECT_FALSE(parse_headers(frame));
}

TEST(Offload, ChecksumsAreFilledIn) {
  for (const bool ipv6 : {false, true}) {
    for (const bool tcp : {false, true}) {
      for (const size_t payload : {0, 1, 2, 999}) {
        Bytes frame = ip_frame(ipv6, tcp, payload);
        frame.resize(frame.size() + 3, std::byte{0xee});  // padding is not summed up
        const Offload offload = prepare_checksum(frame).take();
        size_t frames = 0;
        finish(frame, offload, [&](std::span<const std::byte> finished) {
          frames++;
          EXPECT_EQ(test::transport_checksum(finished), 0);
        });
        EXPECT_EQ(frames, 1u);
      }
    }
  }
}

TEST(Offload, AFrameIsCutIntoSegmentsThatMakeItUp) {
  for (const bool ipv6 : {false, true}) {
    Bytes frame = ip_frame(ipv6, true, 5000);
    // As senders leave them.
    store_be16(frame, ipv6 ? 18 : 16, 0);
    const size_t headers = frame.size() - 5000;
    const Bytes payload(frame.begin() + static_cast<ptrdiff_t>(headers), frame.end());
    const Offload offload = prepare_segments(frame, 1448).take();
    EXPECT_EQ(offload.kind, Offload::Kind::Segment);
    EXPECT_EQ(offload.header_size, headers);
    Bytes seen;
    size_t frames = 0;
    finish(frame, offload, [&](std::span<const std::byte> segment) {
      const auto parsed = parse_headers(segment).take();
      EXPECT_EQ(test::transport_checksum(segment), 0);
      if (!ipv6) {
        EXPECT_EQ(test::ip_checksum(segment), 0);
      }
      EXPECT_EQ(parsed.end, segment.size());
      EXPECT_EQ(load_be32(segment, parsed.transport_at + 4), 1000 + seen.size());
      const bool last = frames++ == 3;
      EXPECT_EQ(static_cast<uint8_t>(segment[parsed.transport_at + 13]), last ? 0x19 : 0x10);
      seen.insert(seen.end(), segment.begin() + static_cast<ptrdiff_t>(headers), segment.end());
    });
    EXPECT_EQ(frames, 4u);
    EXPECT_EQ(seen, payload);
  }
}

TEST(Offload, WhatCannotBeDoneIsRefused) {
  Bytes udp = ip_frame(false, false, 3000);
  EXPECT_FALSE(prepare_segments(udp, 1448));
  Bytes tcp = ip_frame(false, true, 3000);
  EXPECT_FALSE(prepare_segments(tcp, 0));
  EXPECT_FALSE(prepare_segments(tcp, kLeastSegment - 1));
  EXPECT_FALSE(prepare_segments(tcp, 0xfffff));
  Bytes empty = ip_frame(false, true, 0);
  EXPECT_FALSE(prepare_segments(empty, 1448));
  Bytes arp(60);
  EXPECT_FALSE(prepare_checksum(arp));
  EXPECT_FALSE(fill_checksum(arp, 59, 0));
  EXPECT_FALSE(fill_checksum(arp, 0xffff, 0xffff));
}

// The verification suite of receive-side scaling (Microsoft, "Verifying the RSS Hash Calculation").
TEST(Toeplitz, MatchesTheVerificationSuite) {
  constexpr RssKey kKey = [] {
    constexpr uint8_t bytes[40] = {0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67,
                                   0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb,
                                   0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30,
                                   0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa};
    RssKey key{};
    for (size_t i = 0; i < key.size(); i++) key[i] = static_cast<std::byte>(bytes[i]);
    return key;
  }();
  Bytes input(12);
  store_be32(input, 0, 0x420995bb);  // 66.9.149.187
  store_be32(input, 4, 0xa18e6450);  // 161.142.100.80
  EXPECT_EQ(toeplitz(kKey, std::span(input).first(8)), 0x323e8fc2u);
  store_be16(input, 8, 2794);
  store_be16(input, 10, 1766);
  EXPECT_EQ(toeplitz(kKey, input), 0x51ccc178u);
}

TEST(Toeplitz, OfAFrameIsOverAddressesAndPortsOfTcp) {
  RssKey key{};
  for (size_t i = 0; i < key.size(); i++) key[i] = static_cast<std::byte>(i * 37 + 11);
  for (const bool ipv6 : {false, true}) {
    Bytes tcp = ip_frame(ipv6, true, 10), udp = ip_frame(ipv6, false, 10);
    const size_t addresses = ipv6 ? 22 : 26, ports = ipv6 ? 54 : 34;
    const auto of = [&](const Bytes& frame, size_t end) {
      return toeplitz(key, std::span(frame).subspan(addresses, end - addresses));
    };
    EXPECT_EQ(flow_hash(key, tcp), of(tcp, ports + 4));
    EXPECT_EQ(flow_hash(key, udp), of(udp, ports));
  }
  Bytes arp(60);
  EXPECT_FALSE(flow_hash(key, arp));
  EXPECT_FALSE(flow_hash(key, std::span(arp).first(5)));
}

}  // namespace
}  // namespace hv::host::net
