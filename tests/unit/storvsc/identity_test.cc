// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "core/storvsc/identity.hpp"

#include <gtest/gtest.h>

#include <string_view>
#include <vector>

namespace hv::storvsc {
namespace {

using Page = std::vector<std::byte>;

void add(Page& page, uint8_t type, std::string_view bytes) {
  for (const int value : {1, int{type}, 0, static_cast<int>(bytes.size())})
    page.push_back(static_cast<std::byte>(value));
  for (const char c : bytes) page.push_back(static_cast<std::byte>(c));
  page[3] = static_cast<std::byte>(page.size() - 4);
}
Page page() { return {std::byte{0}, std::byte{0x83}, std::byte{0}, std::byte{0}}; }
Page of(uint8_t type, std::string_view bytes) {
  Page result = page();
  add(result, type, bytes);
  return result;
}

TEST(Identity, TheStrongestNameOfBothDecides) {
  Page a = of(1, "MSFT one");
  Page b = of(1, "MSFT two");
  EXPECT_EQ(compare_identity(a, a), Identity::Same);
  EXPECT_EQ(compare_identity(a, b), Identity::Other);
  add(a, 3, "60022480");
  EXPECT_EQ(compare_identity(a, b), Identity::Other) << "the vendor's is all that both have";
  add(b, 3, "60022480");
  EXPECT_EQ(compare_identity(a, b), Identity::Same);
  EXPECT_EQ(compare_identity(of(3, "60022480"), of(3, "60022481")), Identity::Other);
  EXPECT_EQ(compare_identity(of(3, "60022480"), of(3, "6002248")), Identity::Other);
  EXPECT_EQ(compare_identity(of(2, "12345678"), of(2, "12345678")), Identity::Same);
}

TEST(Identity, NamesOfPortsAndTargetsDoNotCount) {
  EXPECT_EQ(compare_identity(of(0x13, "port one"), of(0x13, "port two")), Identity::Unknown);
  EXPECT_EQ(compare_identity(of(0x23, "a target"), of(0x23, "a target")), Identity::Unknown);
}

TEST(Identity, WhatSaysNothingIsUnknown) {
  const Page good = of(3, "60022480");
  EXPECT_EQ(compare_identity({}, good), Identity::Unknown);
  EXPECT_EQ(compare_identity(good, page()), Identity::Unknown);
  EXPECT_EQ(compare_identity(of(3, ""), of(3, "")), Identity::Unknown);
  EXPECT_EQ(compare_identity(good, of(2, "12345678")), Identity::Unknown) << "nothing in common";
  Page serial = good;
  serial[1] = std::byte{0x80};
  EXPECT_EQ(compare_identity(good, serial), Identity::Unknown) << "another page";
}

TEST(Identity, LengthsAreNotBelieved) {
  const Page good = of(3, "60022480");
  for (size_t size = 0; size < good.size(); size++) {
    const std::span<const std::byte> cut = std::span(good).first(size);
    EXPECT_EQ(compare_identity(good, cut), Identity::Unknown) << size;
  }
  Page longer = good;
  longer[2] = longer[3] = std::byte{0xff};
  EXPECT_EQ(compare_identity(good, longer), Identity::Same) << "what came of it is whole";
  longer[7] = std::byte{0xff};
  EXPECT_EQ(compare_identity(good, longer), Identity::Unknown);
}

}  // namespace
}  // namespace hv::storvsc
