// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "core/base/guid.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <string>

namespace hv {
namespace {

constexpr auto kText = "ba6163d9-04a1-4d29-b605-72e2ffb1dc7f";

TEST(Guid, StandsOnTheWireWithItsFirstThreeFieldsLittleEndian) {
  constexpr Guid guid = "ba6163d9-04a1-4d29-b605-72e2ffb1dc7f"_guid;
  constexpr uint8_t wire[16] = {0xd9, 0x63, 0x61, 0xba, 0xa1, 0x04, 0x29, 0x4d,
                                0xb6, 0x05, 0x72, 0xe2, 0xff, 0xb1, 0xdc, 0x7f};
  EXPECT_EQ(std::memcmp(&guid, wire, 16), 0);
}

TEST(Guid, ReadsWhatItWrites) {
  const auto text = Guid::parse(kText)->text();
  EXPECT_EQ(std::string(text.data(), text.size()), kText);
  EXPECT_EQ(*Guid::parse("BA6163D9-04A1-4D29-B605-72E2FFB1DC7F"), *Guid::parse(kText));
}

TEST(Guid, RefusesWhatIsNone) {
  EXPECT_EQ(Guid::parse("").error(), Error::BadLength);
  EXPECT_EQ(Guid::parse(std::string(kText) + "0").error(), Error::BadLength);
  EXPECT_EQ(Guid::parse(std::string(kText).substr(1)).error(), Error::BadLength);
  for (size_t i = 0; i < 36; i++) {
    std::string text = kText;
    text[i] = text[i] == '-' ? '0' : 'g';
    EXPECT_EQ(Guid::parse(text).error(), Error::BadValue) << text;
    text[i] = '/';
    EXPECT_EQ(Guid::parse(text).error(), Error::BadValue) << text;
  }
}

TEST(Guid, IsComparedByItsBytes) {
  EXPECT_EQ(*Guid::parse(kText), *Guid::parse(kText));
  EXPECT_NE(*Guid::parse(kText), "00000000-0000-0000-0000-000000000000"_guid);
}

}  // namespace
}  // namespace hv
