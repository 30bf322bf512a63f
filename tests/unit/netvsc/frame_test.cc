// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "core/netvsc/frame.hpp"

#include <gtest/gtest.h>

#include "tests/unit/netvsc/bytes.hpp"

namespace hv::netvsc {
namespace {

namespace proto = wire::rndis;
using test::Bytes;

Bytes ppi(uint32_t type, uint32_t value, uint32_t size = 16, uint32_t offset = 12) {
  return test::join(proto::PpiHeader{size, type, offset}, value);
}
Bytes operator+(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}
constexpr uint32_t kVlan = 6, kChecksum = 0, kHash = 9;

/// A Packet message with per-packet information and a frame.
Bytes packet(const Bytes& info, const Bytes& frame) {
  proto::Packet body{};
  body.data_offset = sizeof(body) + static_cast<uint32_t>(info.size());
  body.data_length = static_cast<uint32_t>(frame.size());
  body.ppi_offset = info.empty() ? 0 : sizeof(body);
  body.ppi_length = static_cast<uint32_t>(info.size());
  return test::rndis(proto::MessageType::Packet, body, info + frame);
}

TEST(WriteHeader, SaysWhereTheFrameIs) {
  const SendFrame frame{.length = 100};
  std::array<std::byte, kHeaderRoom> out;
  ASSERT_EQ(header_size(frame), 44u);
  write_header(out, frame, 4);
  EXPECT_EQ(test::at<proto::Header>(out).length, 148u);
  const auto body = test::at<proto::Packet>(out, 8);
  EXPECT_EQ(body.data_offset, 36u);
  EXPECT_EQ(body.data_length, 100u);
  EXPECT_EQ(body.ppi_offset, 0u);
  EXPECT_EQ(body.ppi_length, 0u);
}

TEST(WriteHeader, CarriesAllThreePiecesOfInformation) {
  const SendFrame frame{.length = 5000,
                        .offload = SendFrame::Offload::LargeSend,
                        .ipv6 = true,
                        .tagged = true,
                        .hashed = true,
                        .transport_offset = 54,
                        .segment = 1440,
                        .vlan = 0xb123,
                        .hash = 0x12345678};
  std::array<std::byte, kHeaderRoom> out;
  ASSERT_EQ(header_size(frame), kMostHeader);
  write_header(out, frame, 0);
  const auto body = test::at<proto::Packet>(out, 8);
  EXPECT_EQ(body.data_offset, 36u + 48);
  EXPECT_EQ(body.ppi_offset, 36u);
  EXPECT_EQ(body.ppi_length, 48u);
  EXPECT_EQ(test::at<uint32_t>(out, 44 + 12), 0x12345678u);
  EXPECT_EQ(test::at<uint32_t>(out, 60 + 12), 0x123u << 4 | 5 | 1 << 3)
      << "id, priority 5, canonical form";
  EXPECT_EQ(test::at<uint32_t>(out, 76 + 12),
            1440u | 54u << 20 | proto::kLargeSendV2 | proto::kLargeSendIpv6);
}

TEST(WriteHeader, ChecksumNamesProtocolAndOffset) {
  const SendFrame frame{
      .length = 60, .offload = SendFrame::Offload::Checksum, .udp = true, .transport_offset = 34};
  std::array<std::byte, kHeaderRoom> out;
  write_header(out, frame, 0);
  EXPECT_EQ(test::at<uint32_t>(out, 44 + 12),
            proto::kChecksumIpv4 | proto::kChecksumUdp | 34u << 16);
}

TEST(ParsePpis, UnderstandsWhatItKnowsAndPassesOverTheRest) {
  const auto info =
      parse_ppis(ppi(77, 1) + ppi(kVlan, 0x123u << 4 | 5) +
                 ppi(kChecksum, proto::kTcpChecksumGood) + ppi(kHash, 0xabcd) + ppi(kHash, 1))
          .take();
  EXPECT_TRUE(info.has_vlan);
  EXPECT_EQ(info.vlan, 0xa123);
  EXPECT_EQ(info.checksum, proto::kTcpChecksumGood);
  EXPECT_EQ(info.hash, 0xabcdu) << "of one type the first counts";
  EXPECT_EQ(info.part, 0);
}

TEST(ParsePpis, AStaleHeaderChecksumIsToBePutRightWhenItWasGood) {
  // As hosts say it of segments that they have joined: TCP good, IP good, IP value invalid.
  const auto info = parse_ppis(ppi(kChecksum, 0x128)).take();
  EXPECT_EQ(info.checksum, 0x128u);
  EXPECT_TRUE(info.sum_header);
  EXPECT_FALSE(parse_ppis(ppi(kChecksum, 0x108)).take().sum_header) << "nobody says it was good";
  EXPECT_FALSE(parse_ppis(ppi(kChecksum, 0x028)).take().sum_header) << "it is good as it stands";
  EXPECT_FALSE(parse_ppis(ppi(kHash, 0x128)).take().sum_header);
}

TEST(ParsePpis, KnowsThePartsOfAJoinedFrame) {
  const auto id = [](uint8_t flags) { return ppi(proto::kPpiPacketId, 1u | uint32_t{flags} << 8); };
  EXPECT_EQ(parse_ppis(id(proto::kPart | proto::kPartFirst)).take().part,
            proto::kPart | proto::kPartFirst);
  EXPECT_EQ(parse_ppis(id(proto::kPartFirst)).take().part, 0) << "not marked as a part";
  EXPECT_EQ(parse_ppis(ppi(1, 0x0301)).take().part, 0) << "the public type 1 is another";
}

/// A size that does not go on would hold the parser for ever; one that is too large would lead it
/// out of the list.
TEST(ParsePpis, EveryStepGoesOn) {
  for (const uint32_t size : {0u, 1u, 11u, 17u, 0xffffffffu, 0x80000000u}) {
    EXPECT_EQ(parse_ppis(ppi(kVlan, 1, size)).error(), Error::BadLength) << size;
    EXPECT_EQ(parse_ppis(ppi(77, 1, size)).error(), Error::BadLength) << size;
  }
  for (const uint32_t offset : {0u, 11u, 13u, 16u, 0xffffffffu})
    EXPECT_EQ(parse_ppis(ppi(kVlan, 1, 16, offset)).error(), Error::BadLength) << offset;
  EXPECT_TRUE(parse_ppis(ppi(kVlan, 1) + Bytes(5)).ok()) << "less than a header is no information";
}

TEST(ParseFrame, FindsTheFrameAndItsInformation) {
  PpiScratch scratch;
  const auto frame = parse_frame(packet(ppi(kHash, 7), Bytes(60)), scratch).take();
  EXPECT_EQ(frame.offset, 60u);
  EXPECT_EQ(frame.length, 60u);
  EXPECT_EQ(frame.info.hash, 7u);
  EXPECT_FALSE(parse_frame(packet({}, Bytes(60)), scratch).take().info.has_hash);
}

TEST(ParseFrame, NothingReachesOutOfTheMessage) {
  PpiScratch scratch;
  const Bytes good = packet(ppi(kHash, 7), Bytes(60));
  EXPECT_EQ(parse_frame(std::span(good).first(43), scratch).error(), Error::Truncated);
  const auto with = [&](size_t field, uint32_t value) {
    Bytes bad = good;
    std::memcpy(bad.data() + 8 + field, &value, sizeof(value));
    return parse_frame(bad, scratch).ok();
  };
  EXPECT_TRUE(with(0, 52));
  for (const uint32_t offset : {0u, 35u, 53u, 113u, 0xffffffffu, 0xffffffd0u})
    EXPECT_FALSE(with(0, offset)) << "data at " << offset;
  for (const uint32_t length : {0u, 61u, 0xffffffffu})
    EXPECT_FALSE(with(4, length)) << "data of " << length;
  for (const uint32_t offset : {1u, 35u, 97u, 0xffffffffu})
    EXPECT_FALSE(with(20, offset)) << "information at " << offset;
  for (const uint32_t length : {15u, 77u, 513u, 0xffffffffu})
    EXPECT_FALSE(with(24, length)) << "information of " << length;
}

}  // namespace
}  // namespace hv::netvsc
