// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "core/storvsc/recognition.hpp"

#include <gtest/gtest.h>

#include <string_view>
#include <vector>

#include "tests/unit/storvsc/answers.hpp"

namespace hv::storvsc {
namespace {

using Bytes = std::vector<std::byte>;

/// A page 83h with one NAA designator.
Bytes page(std::string_view naa) {
  Bytes page(8 + naa.size());
  page[1] = std::byte{0x83};
  page[3] = static_cast<std::byte>(4 + naa.size());
  page[4] = std::byte{1};
  page[5] = std::byte{3};
  page[7] = static_cast<std::byte>(naa.size());
  std::memcpy(page.data() + 8, naa.data(), naa.size());
  return page;
}
Bytes capacity(uint64_t last_block, uint32_t block_bytes) {
  Bytes data(32);
  for (int i = 0; i < 8; i++) data[i] = static_cast<std::byte>(last_block >> (56 - 8 * i));
  for (int i = 0; i < 4; i++) data[8 + i] = static_cast<std::byte>(block_bytes >> (24 - 8 * i));
  return data;
}

constexpr uint64_t kSize = 2048 * 512;
const Bytes kOld = page("60022480aaaaaaaa");

/// Of a disk of kSize bytes that was `known`.
class RecognitionTest : public testing::Test {
 protected:
  void remember(const Bytes& known, uint64_t bytes = kSize) {
    recognition = Recognition({.address = {1, 2, 3}, .port = 0, .bytes = bytes, .identity = known});
  }
  void hear(const Bytes& data) {
    Bytes memory = data;
    memory.resize(Recognition::kMostBytes);
    recognition.heard(test::completion(1, 0, static_cast<uint32_t>(data.size())), memory);
  }
  void hear_nothing_good() {
    recognition.heard(test::completion(0x84, 2, 0, test::sense(6, 0x29, 0)),
                      Bytes(Recognition::kMostBytes));
  }
  void expect(Recognised verdict) {
    EXPECT_TRUE(recognition.done());
    EXPECT_EQ(recognition.verdict(), verdict);
  }
  Recognition recognition{{}};
};

TEST_F(RecognitionTest, AsksWhoThenHowLarge) {
  remember(kOld);
  const auto first = recognition.request();
  EXPECT_EQ(first.cdb[0], 0x12);
  EXPECT_EQ(first.cdb[2], 0x83);
  EXPECT_EQ(first.cdb[4], first.length);
  EXPECT_EQ(first.length, Recognition::kMostBytes);
  EXPECT_EQ(first.address.lun, 3);
  hear(kOld);
  ASSERT_FALSE(recognition.done());
  const auto second = recognition.request();
  EXPECT_EQ(second.cdb[0], 0x9e);
  EXPECT_EQ(second.cdb[13], second.length);
  hear(capacity(2047, 512));
  expect(Recognised::Same);
}

TEST_F(RecognitionTest, WhatHasNoSizeIsNotAskedForOne) {
  remember(kOld, 0);
  hear(kOld);
  expect(Recognised::Same);
}

TEST_F(RecognitionTest, AnotherNameIsAnotherDisk) {
  remember(kOld);
  hear(page("60022480bbbbbbbb"));
  expect(Recognised::Other);
}

TEST_F(RecognitionTest, TheSameNameWithAnotherSizeHasGrown) {
  remember(kOld);
  hear(kOld);
  hear(capacity(4095, 512));
  expect(Recognised::Changed);
}

TEST_F(RecognitionTest, WhatItSaysHasChangedIsNotLost) {
  remember(kOld);
  hear(kOld);
  // Unit attention: the capacity, or what else is known of it, has changed.
  recognition.heard(test::completion(0x84, 2, 0, test::sense(6, 0x2a, 0x09)),
                    Bytes(Recognition::kMostBytes));
  hear(capacity(2047, 512));
  expect(Recognised::Changed);
}

TEST_F(RecognitionTest, BlocksOfAnotherSizeAreTheSameBytes) {
  remember(kOld);
  hear(kOld);
  hear(capacity(255, 4096));
  expect(Recognised::Same);
}

TEST_F(RecognitionTest, OfNamelessDisksTheSizeDecides) {
  for (const bool same : {true, false}) {
    remember({});
    hear(page(""));
    hear(capacity(same ? 2047 : 2048, 512));
    expect(same ? Recognised::Same : Recognised::Other);
  }
}

TEST_F(RecognitionTest, ASizeThatNoNumberHoldsIsAnother) {
  for (const Bytes& data : {capacity(~uint64_t{0}, 512), capacity(~uint64_t{0} - 1, 4096)}) {
    remember({});
    hear({});
    hear(data);
    expect(Recognised::Other);
  }
}

TEST_F(RecognitionTest, NobodyIsThere) {
  remember(kOld);
  recognition.heard(test::completion(0x20, 0, 0), Bytes(Recognition::kMostBytes));
  expect(Recognised::Gone);
  remember(kOld);
  Bytes not_connected = kOld;
  not_connected[0] = std::byte{0x7f};
  hear(not_connected);
  expect(Recognised::Gone);
}

TEST_F(RecognitionTest, WhatFailsIsTriedAgainAFewTimes) {
  remember(kOld);
  hear_nothing_good();
  hear_nothing_good();
  hear(page("60022480bbbbbbbb"));
  expect(Recognised::Other);
  remember(kOld);
  for (int i = 0; i < Recognition::kTries; i++) {
    EXPECT_EQ(recognition.request().cdb[0], 0x12);
    hear_nothing_good();
  }
  for (int i = 0; i < Recognition::kTries; i++) {
    ASSERT_FALSE(recognition.done());
    EXPECT_EQ(recognition.request().cdb[0], 0x9e);
    hear_nothing_good();
  }
  expect(Recognised::Same);
}

TEST_F(RecognitionTest, BytesThatDidNotComeAreNotLookedAt) {
  Bytes memory = page("60022480bbbbbbbb");
  memory.resize(Recognition::kMostBytes);
  remember(kOld, 0);
  recognition.heard(test::completion(1, 0, 0), memory);
  expect(Recognised::Same);
  remember(kOld, 0);
  recognition.heard(test::completion(1, 0, ~0u), memory);
  expect(Recognised::Other);
  remember(kOld, 0);
  recognition.heard({}, memory);
  EXPECT_FALSE(recognition.done()) << "no answer at all";
}

}  // namespace
}  // namespace hv::storvsc
