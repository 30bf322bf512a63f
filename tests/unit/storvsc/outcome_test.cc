// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "core/storvsc/outcome.hpp"

#include <gtest/gtest.h>

#include "tests/unit/storvsc/answers.hpp"

namespace hv::storvsc {
namespace {

constexpr uint8_t kRead10 = 0x28, kInquiry = 0x12, kTestUnitReady = 0x00, kModeSense = 0x1a;
constexpr Asked kRead{.opcode = kRead10, .fibre_channel = false, .length = 8192, .least = 8192};

Asked command(uint8_t opcode, uint32_t length = 0) {
  return {.opcode = opcode, .fibre_channel = false, .length = length, .least = 0};
}

/// Keeps the bytes that an outcome's sense views.
struct Judged : Outcome {
  std::vector<std::byte> bytes;
};
Judged judged(const Asked& asked, uint8_t srb, uint8_t scsi, uint32_t moved,
              std::vector<uint8_t> sense = {}) {
  auto bytes = test::completion(srb, scsi, moved, std::move(sense));
  const auto completion = parse_completion(bytes).take();
  return {judge(asked, completion), std::move(bytes)};
}

TEST(Judge, SuccessIsDoneAndQuiet) {
  const auto outcome = judged(kRead, 0x01, 0, 8192);
  EXPECT_EQ(outcome.verdict, Verdict::Done);
  EXPECT_EQ(outcome.report, Report::Nothing);
  EXPECT_EQ(outcome.chore, Chore::None);
  EXPECT_EQ(outcome.moved, 8192u);
}

TEST(Judge, TheFlagBitsOfSuccessDoNotMakeItAFailure) {
  EXPECT_EQ(judged(kRead, 0x41, 0, 8192).verdict, Verdict::Done);
}

TEST(Judge, NeverMoreIsMovedThanWasAskedFor) {
  EXPECT_EQ(judged(kRead, 0x01, 0, 0xffffffff).moved, 8192u);
}

TEST(Judge, ASuccessThatMovedTooLittleIsAnError) {
  EXPECT_EQ(judged(kRead, 0x01, 0, 0).verdict, Verdict::Error);
  EXPECT_EQ(judged(kRead, 0x12, 0, 512).verdict, Verdict::Error);
}

TEST(Judge, AnUnderrunWithinBoundsIsSuccess) {
  const auto outcome = judged(command(kInquiry, 255), 0x12, 0, 36);
  EXPECT_EQ(outcome.verdict, Verdict::Done);
  EXPECT_EQ(outcome.moved, 36u);
}

TEST(Judge, SenseGoesToTheLayerAbove) {
  const auto outcome = judged(kRead, 0x84, 2, 8192, test::sense(3, 0x11, 0));
  EXPECT_EQ(outcome.verdict, Verdict::Done);
  EXPECT_EQ(outcome.scsi_status, 2);
  EXPECT_EQ(outcome.sense.size(), 18u);
  EXPECT_EQ(outcome.moved, 0u);
  EXPECT_EQ(outcome.report, Report::Trouble);
}

TEST(Judge, ACapacityChangeRescansTheDeviceAndSendsAgain) {
  const auto outcome = judged(kRead, 0x84, 2, 0, test::sense(6, 0x2a, 0x09));
  EXPECT_EQ(outcome.verdict, Verdict::Requeue);
  EXPECT_EQ(outcome.chore, Chore::RescanDevice);
}

TEST(Judge, DescriptorSenseIsUnderstoodToo) {
  const auto outcome = judged(kRead, 0x84, 2, 0, {0x72, 6, 0x2a, 0x09, 0, 0, 0, 0});
  EXPECT_EQ(outcome.chore, Chore::RescanDevice);
}

TEST(Judge, ChangedOperatingConditionsRescanTheDeviceChangedInquiryDataDoesNot) {
  EXPECT_EQ(judged(kRead, 0x84, 2, 0, test::sense(6, 0x3f, 0x00)).chore, Chore::RescanDevice);
  EXPECT_EQ(judged(kRead, 0x84, 2, 0, test::sense(6, 0x3f, 0x03)).chore, Chore::None);
  const auto luns = judged(kRead, 0x84, 2, 0, test::sense(6, 0x3f, 0x0e));
  EXPECT_EQ(luns.chore, Chore::RescanHost);
  EXPECT_EQ(luns.verdict, Verdict::Done);
}

TEST(Judge, AVanishedDeviceIsRemoved) {
  for (const uint8_t code : {0x20, 0x08, 0x21, 0x07, 0xa0}) {
    const auto outcome = judged(command(kTestUnitReady), code, 0, 0);
    EXPECT_EQ(outcome.verdict, Verdict::NoDevice);
    EXPECT_EQ(outcome.chore, Chore::RemoveDevice);
  }
}

TEST(Judge, AnInquiryThatFindsNothingRemovesNothing) {
  const auto outcome = judged(command(kInquiry, 36), 0x20, 0, 0);
  EXPECT_EQ(outcome.verdict, Verdict::NoDevice);
  EXPECT_EQ(outcome.chore, Chore::None);
  EXPECT_EQ(outcome.report, Report::Detail);
}

TEST(Judge, PagesThatHostsFailWithoutSenseAreTolerated) {
  for (const uint8_t opcode : {kInquiry, kModeSense, uint8_t{0x5a}}) {
    const auto outcome = judged(command(opcode, 64), 0x04, 0, 0);
    EXPECT_EQ(outcome.verdict, Verdict::Done);
    EXPECT_EQ(outcome.scsi_status, 0);
    EXPECT_EQ(outcome.report, Report::Detail);
  }
  EXPECT_EQ(judged(command(0xa3, 64), 0x04, 0, 0).verdict, Verdict::Error);
  EXPECT_EQ(
      judged({.opcode = 0xa3, .fibre_channel = true, .length = 64, .least = 0}, 0x04, 0, 0).verdict,
      Verdict::Done);
}

TEST(Judge, TheirSenseIsNotHidden) {
  const auto outcome = judged(command(kModeSense, 64), 0x84, 2, 0, test::sense(5, 0x24, 0));
  EXPECT_EQ(outcome.scsi_status, 2);
  EXPECT_EQ(outcome.sense.size(), 18u);
}

TEST(Judge, AFailureWithoutSenseIsAnError) {
  for (const uint8_t code : {0x00, 0x02, 0x04, 0x06, 0x09, 0x0a, 0x0b, 0x0e, 0x30, 0x3f}) {
    EXPECT_EQ(judged(kRead, code, 0, 8192).verdict, Verdict::Error) << int{code};
    EXPECT_EQ(judged(kRead, code, 2, 8192).verdict, Verdict::Error) << int{code};
    EXPECT_EQ(judged(kRead, code, 0, 8192).moved, 0u) << int{code};
  }
}

TEST(Judge, SenseThatIsNoneDoesNotCount) {
  EXPECT_EQ(judged(kRead, 0x84, 2, 0, std::vector<uint8_t>(18)).verdict, Verdict::Error);
  EXPECT_EQ(judged(kRead, 0x84, 2, 0, {0x70, 0, 6}).verdict, Verdict::Error);
}

TEST(Judge, AnAtaPassThroughIsItsIssuersAffair) {
  EXPECT_EQ(judged(command(0x85), 0x04, 0, 0).verdict, Verdict::PassThrough);
  EXPECT_EQ(judged(command(0xa1), 0x06, 0, 0).verdict, Verdict::PassThrough);
}

TEST(Judge, TestUnitReadyIsJudgedByTheLayerAbove) {
  const auto outcome = judged(command(kTestUnitReady), 0x04, 2, 0);
  EXPECT_EQ(outcome.verdict, Verdict::Done);
  EXPECT_EQ(outcome.scsi_status, 2);
  EXPECT_EQ(outcome.report, Report::Detail);
}

TEST(Judge, StatusesOfTheDeviceGoUp) {
  EXPECT_EQ(judged(kRead, 0x04, 0x18, 0).scsi_status, 0x18);
  EXPECT_EQ(judged(kRead, 0x05, 0, 0).scsi_status, 0x08);
}

TEST(Judge, AFlushedRequestIsSentAgain) {
  EXPECT_EQ(judged(kRead, 0x16, 0, 0).verdict, Verdict::Requeue);
}

TEST(Judge, AStatusNobodyKnowsIsAnError) {
  const auto outcome = judged(kRead, 0x01, 0x77, 8192);
  EXPECT_EQ(outcome.verdict, Verdict::Error);
  EXPECT_EQ(outcome.scsi_status, 0);
}

TEST(Judge, EveryAnswerHasBoundedConsequences) {
  for (int srb = 0; srb < 256; srb++) {
    for (int scsi = 0; scsi < 256; scsi++) {
      for (const uint8_t opcode : {kRead10, kInquiry, kTestUnitReady}) {
        const auto outcome =
            judged(command(opcode, 100), static_cast<uint8_t>(srb), static_cast<uint8_t>(scsi),
                   1000, std::vector<uint8_t>(20, 0x70));
        ASSERT_LE(outcome.moved, 100u);
        ASSERT_LE(outcome.sense.size(), 20u);
        if (outcome.verdict != Verdict::Done) {
          ASSERT_EQ(outcome.moved, 0u);
        }
      }
    }
  }
}

}  // namespace
}  // namespace hv::storvsc
