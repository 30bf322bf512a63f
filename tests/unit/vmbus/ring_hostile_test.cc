// SPDX-License-Identifier: GPL-2.0-only OR MIT
// The ring against a peer that lies: never outside the ring, never for ever, and corrupt stays
// corrupt.
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <vector>

#include "core/vmbus/ring.hpp"
#include "tests/support/ring_pages.hpp"
#include "tests/support/seed.hpp"

namespace hv::vmbus {
namespace {

using test::RingPages;
using wire::PacketType;

constexpr std::array<uint32_t, 8> kImpossible = {1, 4, 7, 4093, 4096, 4104, 0x80000000, UINT32_MAX};

Result<void> stage(RingWriter& writer, size_t payload) {
  const std::vector<std::byte> bytes(payload);
  HV_TRY(writer.stage(PacketType::DataInBand, 0, 0, {}, bytes));
  return {};
}

class HostileRing : public testing::Test {
 protected:
  /// Puts a descriptor where the reader reads next and publishes `published` bytes.
  void descriptor(uint16_t type, uint16_t offset8, uint16_t length8, uint32_t published) {
    const std::array<uint16_t, 4> head{type, offset8, length8, 0};
    std::memcpy(pages_.data().data() + pages_.control().read_index, head.data(), sizeof(head));
    pages_.control().write_index = pages_.control().read_index + published;
  }
  RingPages pages_{4096};
  std::vector<std::byte> buffer_ = std::vector<std::byte>(65536);
};

TEST_F(HostileRing, IsNotCreatedFromImpossibleIndices) {
  for (const auto index : kImpossible) {
    pages_.memory().reset();
    pages_.control().write_index = index;
    EXPECT_EQ(RingWriter::create(pages_.memory()).error(), Error::RingCorrupt) << index;
    EXPECT_EQ(RingReader::create(pages_.memory()).error(), Error::RingCorrupt) << index;
    pages_.memory().reset();
    pages_.control().read_index = index;
    EXPECT_EQ(RingWriter::create(pages_.memory()).error(), Error::RingCorrupt) << index;
    EXPECT_EQ(RingReader::create(pages_.memory()).error(), Error::RingCorrupt) << index;
  }
}

TEST_F(HostileRing, ReaderRefusesImpossibleWriteIndicesForEver) {
  for (const auto index : kImpossible) {
    pages_.memory().reset();
    auto reader = pages_.reader();
    pages_.control().write_index = index;
    EXPECT_EQ(reader.read(buffer_).error(), Error::RingCorrupt) << index;
    pages_.control().write_index = 0;
    EXPECT_EQ(reader.read(buffer_).error(), Error::RingCorrupt) << index;
    EXPECT_EQ(reader.readable().error(), Error::RingCorrupt);
    EXPECT_EQ(reader.unmask().error(), Error::RingCorrupt);
  }
}

TEST_F(HostileRing, ReadableAndUnmaskRefuseThemToo) {
  auto by_readable = pages_.reader();
  auto by_unmask = pages_.reader();
  pages_.control().write_index = 4096;
  EXPECT_EQ(by_readable.readable().error(), Error::RingCorrupt);
  EXPECT_EQ(by_unmask.unmask().error(), Error::RingCorrupt);
}

TEST_F(HostileRing, CommitOfTheReaderSurvivesAnImpossibleWriteIndex) {
  auto reader = pages_.reader();
  descriptor(6, 2, 2, 24);
  ASSERT_TRUE(reader.read(buffer_));
  pages_.control().pending_send_size = 100;
  pages_.control().write_index = 12345;
  EXPECT_EQ(reader.commit(), Signal::No);
  pages_.control().write_index = 24;
  EXPECT_EQ(reader.read(buffer_).error(), Error::RingCorrupt);
}

TEST_F(HostileRing, ReaderRefusesAWriteIndexThatGoesBack) {
  auto reader = pages_.reader();
  descriptor(6, 2, 2, 48);
  ASSERT_TRUE(reader.read(buffer_));
  descriptor(6, 2, 2, 48);
  ASSERT_TRUE(reader.readable());
  pages_.control().write_index = 16;
  EXPECT_EQ(reader.readable().error(), Error::RingCorrupt);
}

TEST_F(HostileRing, ReaderRefusesDescriptorsThatContradictThemselves) {
  struct Case {
    uint16_t offset8, length8;
    uint32_t published;
  };
  for (const auto& [offset8, length8, published] : std::initializer_list<Case>{
           {0, 2, 24},  // payload inside the descriptor
           {1, 2, 24},
           {2, 1, 24},  // shorter than its descriptor
           {2, 0, 24},
           {3, 2, 24},      // payload behind the end
           {2, 3, 24},      // longer than what is there
           {2, 2, 16},      // no trailer
           {2, 2, 8},       // no whole descriptor
           {2, 512, 4088},  // round the ring
           {0xffff, 0xffff, 4088},
           {2, 0xffff, 4088},
       }) {
    pages_.memory().reset();
    auto reader = pages_.reader();
    descriptor(6, offset8, length8, published);
    EXPECT_EQ(reader.read(buffer_).error(), Error::RingCorrupt)
        << offset8 << " " << length8 << " " << published;
    EXPECT_EQ(reader.read(buffer_).error(), Error::RingCorrupt);
    EXPECT_EQ(reader.commit(), Signal::No);
  }
}

TEST_F(HostileRing, ReaderStepsOverTypesItDoesNotKnow) {
  for (const uint16_t type : {0, 1, 5, 8, 10, 12, 0xffff}) {
    pages_.memory().reset();
    auto reader = pages_.reader();
    descriptor(type, 2, 2, 24);
    EXPECT_EQ(reader.read(buffer_).error(), Error::BadValue) << type;
    EXPECT_EQ(reader.read(buffer_).error(), Error::RingEmpty);
    (void)reader.commit();
    EXPECT_EQ(pages_.control().read_index, 24u);
  }
}

TEST_F(HostileRing, WriterRefusesImpossibleReadIndicesForEver) {
  for (const auto index : kImpossible) {
    pages_.memory().reset();
    auto writer = pages_.writer();
    ASSERT_TRUE(stage(writer, 4000));
    (void)writer.commit();
    pages_.control().read_index = index;
    EXPECT_EQ(stage(writer, 4000).error(), Error::RingCorrupt) << index;
    pages_.control().read_index = 0;
    EXPECT_EQ(stage(writer, 0).error(), Error::RingCorrupt);
    EXPECT_EQ(writer.free_bytes().error(), Error::RingCorrupt);
    EXPECT_EQ(writer.wait_for_space(8).error(), Error::RingCorrupt);
    EXPECT_EQ(writer.commit(), Signal::No);
  }
}

TEST_F(HostileRing, WriterRefusesAReadIndexBeyondWhatItPublished) {
  auto writer = pages_.writer();
  ASSERT_TRUE(stage(writer, 76));
  (void)writer.commit();
  ASSERT_TRUE(stage(writer, 76));
  pages_.control().read_index = 112;
  EXPECT_EQ(writer.free_bytes().error(), Error::RingCorrupt);
}

TEST_F(HostileRing, WaitForSpaceRefusesThemToo) {
  auto writer = pages_.writer();
  pages_.control().read_index = 3;
  EXPECT_EQ(writer.wait_for_space(8).error(), Error::RingCorrupt);
}

TEST_F(HostileRing, CommitOfTheWriterSurvivesAnyReadIndexAndMask) {
  for (const auto index : kImpossible) {
    pages_.memory().reset();
    auto writer = pages_.writer();
    ASSERT_TRUE(stage(writer, 8));
    pages_.control().read_index = index;
    pages_.control().interrupt_mask = index & 1 ? UINT32_MAX : 0;
    EXPECT_EQ(writer.commit(), Signal::No);
  }
}

TEST_F(HostileRing, WriterBelievesItsOwnIndexAlone) {
  auto writer = pages_.writer();
  pages_.control().write_index = 2000;
  ASSERT_TRUE(stage(writer, 8));
  (void)writer.commit();
  EXPECT_EQ(pages_.control().write_index, 32u);
}

TEST_F(HostileRing, ReaderBelievesItsOwnIndexAlone) {
  auto reader = pages_.reader();
  descriptor(6, 2, 2, 24);
  pages_.control().read_index = 2000;
  ASSERT_TRUE(reader.read(buffer_));
  (void)reader.commit();
  EXPECT_EQ(pages_.control().read_index, 24u);
}

TEST_F(HostileRing, WishesNobodyCanGrantAreNotSignalled) {
  for (const uint32_t wish : {4096u, 5000u, 0x80000000u, UINT32_MAX}) {
    pages_.memory().reset();
    auto writer = pages_.writer();
    auto reader = pages_.reader();
    ASSERT_TRUE(stage(writer, 3000));
    (void)writer.commit();
    pages_.control().pending_send_size = wish;
    ASSERT_TRUE(reader.read(buffer_));
    EXPECT_EQ(reader.commit(), Signal::No);
  }
}

TEST_F(HostileRing, RandomBytesNeverTakeTheReaderOutOfTheRing) {
  auto random = test::seeded();
  std::vector<std::byte> small(256);
  for (int round = 0; round < 20000; round++) {
    pages_.memory().reset();
    pages_.control().read_index = static_cast<uint32_t>(random() % 512 * 8);
    pages_.control().write_index = static_cast<uint32_t>(random() % 512 * 8);
    for (auto& byte : pages_.data().first(4096))
      byte = random() % 4 ? std::byte{0} : static_cast<std::byte>(random());
    for (size_t at = 0; at + 8 <= 4096; at += 8 * (1 + random() % 16)) {
      const std::array<uint16_t, 4> head{
          static_cast<uint16_t>(random() % 14), static_cast<uint16_t>(2 + random() % 4),
          static_cast<uint16_t>(2 + random() % 40), static_cast<uint16_t>(random() % 2)};
      std::memcpy(pages_.data().data() + at, head.data(), sizeof(head));
    }
    auto reader = pages_.reader();
    size_t packets = 0;
    while (true) {
      auto packet = reader.read(small);
      if (!packet && (packet.error() == Error::RingEmpty || packet.error() == Error::RingCorrupt))
        break;
      ASSERT_LE(++packets, 4096u / 24);
    }
    (void)reader.commit();
  }
}

}  // namespace
}  // namespace hv::vmbus
