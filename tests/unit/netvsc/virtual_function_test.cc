// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "core/netvsc/virtual_function.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "tests/unit/netvsc/bytes.hpp"

namespace hv::netvsc {
namespace {

using Path = VirtualFunction::Path;
using wire::netvsc::DataPath;
using wire::netvsc::Version;

constexpr MacAddress kMac{0x00, 0x15, 0x5d, 1, 2, 3};
constexpr MacAddress kOther{0x00, 0x15, 0x5d, 1, 2, 4};
constexpr uint32_t kSerial = 7;

class VirtualFunctionTest : public testing::Test {
 protected:
  VirtualFunctionTest() {
    function.adopt(kMac);
    function.opened(Dialect(Version::V6_1), false);
  }

  /// What the host is told now.
  std::optional<DataPath> told() {
    const auto message = function.begin();
    if (!message) return std::nullopt;
    EXPECT_EQ(test::at<wire::netvsc::Header>(*message).type,
              wire::netvsc::MessageType::SwitchDataPath);
    return test::at<wire::netvsc::SwitchDataPath>(*message, 4).active;
  }
  void take_over() {
    function.associated(true, kSerial);
    function.joined();
    function.up();
    ASSERT_EQ(told(), DataPath::Vf);
    function.answered();
    ASSERT_TRUE(function.carries());
  }

  VirtualFunction function;
};

TEST_F(VirtualFunctionTest, MatchesBySerialAndAddress) {
  function.associated(true, kSerial);
  EXPECT_EQ(function.match({.permanent = kMac, .current = kOther, .serial = kSerial}),
            FunctionMatch::Serial);
  EXPECT_EQ(function.match({.permanent = {}, .current = kMac, .serial = kSerial}),
            FunctionMatch::Serial);
  EXPECT_EQ(function.match({.permanent = kOther, .current = kOther, .serial = kSerial}),
            FunctionMatch::None);
}

TEST_F(VirtualFunctionTest, MatchesByAddressBeforeTheHostHasSaidTheSerial) {
  EXPECT_EQ(function.match({.permanent = kMac, .current = kMac, .serial = kSerial}),
            FunctionMatch::Address);
  EXPECT_EQ(function.match({.permanent = {}, .current = kMac, .serial = kSerial}),
            FunctionMatch::Address);
  function.associated(true, kSerial + 1);
  EXPECT_EQ(function.match({.permanent = kMac, .current = kMac, .serial = kSerial}),
            FunctionMatch::Address);
  function.associated(false, kSerial);
  EXPECT_EQ(function.match({.permanent = kMac, .current = kMac, .serial = kSerial}),
            FunctionMatch::Address);
}

TEST_F(VirtualFunctionTest, SerialZeroIsASerial) {
  EXPECT_EQ(function.match({.permanent = kMac, .current = kMac, .serial = 0}),
            FunctionMatch::Address);
  function.associated(true, 0);
  EXPECT_EQ(function.match({.permanent = kMac, .current = kMac, .serial = 0}),
            FunctionMatch::Serial);
}

TEST_F(VirtualFunctionTest, TakesNoInterfaceWithoutASlotUnlessTold) {
  EXPECT_EQ(function.match({.permanent = kMac, .current = kMac}), FunctionMatch::None)
      << "a bridge over the adapter has its address, too";
  EXPECT_EQ(function.match({.permanent = kMac, .current = kMac, .stand_in = true}),
            FunctionMatch::Address);
  EXPECT_EQ(function.match({.permanent = kOther, .current = kOther, .stand_in = true}),
            FunctionMatch::None);
}

TEST_F(VirtualFunctionTest, NoAddressMatchesNothing) {
  VirtualFunction nobody;
  EXPECT_EQ(nobody.match({.permanent = {}, .current = {}, .serial = kSerial}), FunctionMatch::None);
}

TEST_F(VirtualFunctionTest, TakesOneInterfaceAtATime) {
  function.joined();
  EXPECT_EQ(function.match({.permanent = kMac, .current = kMac, .serial = kSerial}),
            FunctionMatch::None);
  function.left();
  EXPECT_EQ(function.match({.permanent = kMac, .current = kMac, .serial = kSerial}),
            FunctionMatch::Address);
}

TEST_F(VirtualFunctionTest, SwitchesWhenAllIsThereInAnyOrder) {
  int order[] = {0, 1, 2, 3};
  do {
    VirtualFunction machine;
    for (const int event : order) {
      EXPECT_FALSE(machine.begin());
      switch (event) {
        case 0:
          machine.opened(Dialect(Version::V6_1), false);
          break;
        case 1:
          machine.associated(true, kSerial);
          break;
        case 2:
          machine.joined();
          break;
        case 3:
          machine.up();
          break;
      }
    }
    EXPECT_TRUE(machine.begin());
  } while (std::next_permutation(std::begin(order), std::end(order)));
}

TEST_F(VirtualFunctionTest, SendsByTheFunctionFromTheAnswerOn) {
  function.associated(true, kSerial);
  function.joined();
  function.up();
  EXPECT_EQ(told(), DataPath::Vf);
  EXPECT_EQ(function.path(), Path::ToFunction);
  EXPECT_FALSE(function.carries()) << "the switch is awaited";
  EXPECT_FALSE(told()) << "one message at a time";
  function.answered();
  EXPECT_TRUE(function.carries());
  EXPECT_FALSE(told());
}

TEST_F(VirtualFunctionTest, GoesBackBeforeTheFunctionIsDown) {
  take_over();
  function.down();
  EXPECT_FALSE(function.carries()) << "at once: the function goes down behind this";
  EXPECT_EQ(told(), DataPath::Synthetic);
  function.answered();
  EXPECT_EQ(function.path(), Path::Synthetic);
  EXPECT_FALSE(told());
  function.up();
  EXPECT_EQ(told(), DataPath::Vf);
}

TEST_F(VirtualFunctionTest, GoesBackWhenTheFunctionLeavesUnannounced) {
  take_over();
  function.left();
  EXPECT_FALSE(function.carries());
  EXPECT_EQ(told(), DataPath::Synthetic);
  function.answered();
  EXPECT_FALSE(told());
}

TEST_F(VirtualFunctionTest, GoesBackWhenTheHostTakesItBack) {
  take_over();
  function.associated(false, kSerial);
  EXPECT_FALSE(function.carries());
  EXPECT_EQ(told(), DataPath::Synthetic);
  function.answered();
  function.associated(true, kSerial);
  EXPECT_EQ(told(), DataPath::Vf);
}

TEST_F(VirtualFunctionTest, AFunctionThatGoesWhileTheHostIsToldIsNotUsed) {
  function.associated(true, kSerial);
  function.joined();
  function.up();
  EXPECT_EQ(told(), DataPath::Vf);
  function.down();
  function.answered();
  EXPECT_FALSE(function.carries());
  EXPECT_EQ(told(), DataPath::Synthetic);
}

TEST_F(VirtualFunctionTest, WithoutAnAnswerFramesGoByTheChannels) {
  function.associated(true, kSerial);
  function.joined();
  function.up();
  EXPECT_EQ(told(), DataPath::Vf);
  function.unanswered();
  EXPECT_EQ(function.path(), Path::Unsure);
  EXPECT_FALSE(function.carries());
  EXPECT_FALSE(told()) << "not over and over";
  function.up();
  EXPECT_FALSE(told()) << "nothing has happened: it was up";
  function.down();
  EXPECT_EQ(told(), DataPath::Synthetic) << "the host may have switched";
  function.answered();
  EXPECT_EQ(function.path(), Path::Synthetic);
}

TEST_F(VirtualFunctionTest, WhatCouldNotBeSentIsToldLater) {
  function.associated(true, kSerial);
  function.joined();
  function.up();
  EXPECT_EQ(told(), DataPath::Vf);
  function.unsent();
  EXPECT_EQ(function.path(), Path::Synthetic);
  EXPECT_EQ(told(), DataPath::Vf);
  function.answered();
  function.down();
  EXPECT_EQ(told(), DataPath::Synthetic);
  function.unsent();
  EXPECT_FALSE(function.carries());
  EXPECT_EQ(told(), DataPath::Synthetic);
}

TEST_F(VirtualFunctionTest, ALateAnswerChangesNothing) {
  function.associated(true, kSerial);
  function.joined();
  function.up();
  EXPECT_EQ(told(), DataPath::Vf);
  function.unanswered();
  function.answered();
  EXPECT_FALSE(function.carries());
}

TEST_F(VirtualFunctionTest, OpeningAnewTellsTheHostAgain) {
  take_over();
  function.closed();
  EXPECT_FALSE(function.carries());
  EXPECT_FALSE(told());
  function.opened(Dialect(Version::V6_1), false);
  EXPECT_FALSE(function.carries()) << "the host begins with the channels";
  EXPECT_EQ(told(), DataPath::Vf);
}

TEST_F(VirtualFunctionTest, AfterASleepTheHostHasToSayItAgain) {
  take_over();
  function.closed();
  function.forget();
  function.opened(Dialect(Version::V6_1), false);
  EXPECT_FALSE(told());
  function.associated(true, kSerial + 1);
  EXPECT_EQ(told(), DataPath::Vf);
}

TEST_F(VirtualFunctionTest, OldHostsHaveNone) {
  VirtualFunction old;
  old.opened(Dialect(Version::V2), false);
  old.associated(true, kSerial);
  old.joined();
  old.up();
  EXPECT_FALSE(old.begin());
}

TEST_F(VirtualFunctionTest, AConfidentialMachineUsesNone) {
  function.opened(Dialect(Version::V6_1), true);
  function.associated(true, kSerial);
  function.joined();
  function.up();
  EXPECT_FALSE(told());
}

/// Whatever happens in whatever order: frames go by the function only while the host's last answer
/// was to the switch to it.
TEST(VirtualFunctionRandom, CarriesOnlyWhatTheHostHasAnswered) {
  std::random_device device;
  const auto seed = static_cast<uint32_t>(device());
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  VirtualFunction function;
  std::optional<DataPath> out;            // told, and not answered
  DataPath agreed = DataPath::Synthetic;  // answered last
  bool open = false, up = false, joined = false, allocated = false;
  for (int i = 0; i < 200'000; i++) {
    switch (random() % 10) {
      case 0:
        if (out) break;
        open = !open;
        if (open)
          function.opened(Dialect(Version::V6_1), false);
        else
          function.closed();
        agreed = DataPath::Synthetic;
        break;
      case 1:
        function.associated(allocated = random() & 1, kSerial);
        break;
      case 2:
        if (!joined)
          function.joined();
        else
          function.left();
        joined = !joined;
        if (!joined) up = false;
        break;
      case 3:
        function.up();
        up = true;
        break;
      case 4:
        function.down();
        up = false;
        break;
      case 5:
        if (!out) break;
        function.unanswered();
        out.reset();
        agreed = DataPath::Synthetic;
        break;
      case 6:
        if (!out) break;
        function.answered();
        agreed = *out;
        out.reset();
        break;
      default:
        if (const auto message = function.begin()) {
          ASSERT_FALSE(out);
          out = test::at<wire::netvsc::SwitchDataPath>(*message, 4).active;
          ASSERT_EQ(*out == DataPath::Vf, up && joined && allocated);
        }
    }
    if (function.carries()) {
      ASSERT_TRUE(open && up && allocated && joined);
      ASSERT_EQ(agreed, DataPath::Vf);
      ASSERT_FALSE(out);
    }
  }
}

}  // namespace
}  // namespace hv::netvsc
