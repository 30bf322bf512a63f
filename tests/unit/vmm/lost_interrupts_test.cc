// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "vmm/lost_interrupts.hpp"

#include <gtest/gtest.h>
#include <sys/timerfd.h>

#include <cstring>

#include "vmm/fd.hpp"

namespace hv::vmm {
namespace {

constexpr uint32_t kSint = 2, kFlag = 700;
constexpr uint64_t kMessages = 0x10000, kEvents = 0x11000;
constexpr VcpuLook kIdle{.halted = true, .interrupts_on = true};

struct Lines final : SintLines {
  uint32_t pulses = 0;
  std::optional<uint32_t> add_sint(uint32_t, uint32_t) override { return 24; }
  bool pulse(uint32_t) override {
    pulses++;
    return true;
  }
};

struct Visitor final : VpThreads {
  Synic* synic = nullptr;
  void ask_for_visit(uint32_t vp) override { synic->visit(vp); }
};

struct Looker final : VcpuLooker {
  std::optional<VcpuLook> answer = kIdle;
  uint32_t asked = 0;
  void ask_for_look(uint32_t, uint32_t sint) override {
    EXPECT_EQ(sint, kSint);
    asked++;
  }
  std::optional<VcpuLook> look(uint32_t) override { return answer; }
};

class LostInterruptsTest : public ::testing::Test {
 protected:
  LostInterruptsTest() {
    visitor.synic = &synic;
    enable();
  }
  void enable() { synic.registers_changed(0, 1, kEvents | 1, kMessages | 1); }
  void signal() { synic.signal_event(0, kSint, kFlag); }
  void take() {
    auto flags = memory.at(kEvents + kSint * 256, 256);
    std::memset(flags.data(), 0, flags.size());
    std::memset(memory.at(kMessages + kSint * 256, 4).data(), 0, 4);
  }
  /// So many tenths of a second pass without a report.
  void pass(uint32_t looks) {
    for (uint32_t i = 0; i < looks; i++) EXPECT_TRUE(lost.step().empty());
  }
  LostInterrupts::Report only_report(LostInterrupts& from) {
    const auto reports = from.step();
    EXPECT_EQ(reports.size(), 1u);
    return reports.empty() ? LostInterrupts::Report{} : reports.front();
  }

  GuestMemory memory{GuestMemory::kLeast};
  Lines lines;
  Fd timer{::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC)};
  Visitor visitor;
  Synic synic{1, memory, lines, visitor, timer.get()};
  Looker looker;
  LostInterrupts lost{synic, looker, true};
};

TEST_F(LostInterruptsTest, WhoTakesItInTimeIsNotEvenLookedAt) {
  for (int round = 0; round < 10; round++) {
    signal();
    pass(LostInterrupts::kLooks - 1);
    take();
  }
  pass(1);
  EXPECT_EQ(looker.asked, 0u);
  EXPECT_EQ(lines.pulses, 10u);
}

TEST_F(LostInterruptsTest, WhoGetsNewInterruptsAllTheTimeHasLostNone) {
  for (int i = 0; i < 50; i++) {
    take();
    signal();
    pass(1);
  }
  EXPECT_EQ(looker.asked, 0u);
}

TEST_F(LostInterruptsTest, AnIdleCpuThatTakesItWhenToldAgainNeededThat) {
  signal();
  pass(LostInterrupts::kLooks + 1);
  EXPECT_EQ(lines.pulses, 2u);
  take();
  const auto report = only_report(lost);
  EXPECT_EQ(report.what.flags, std::vector<uint32_t>{kFlag});
  EXPECT_FALSE(report.what.message);
  EXPECT_EQ(report.repeats, 1u);
  EXPECT_TRUE(report.taken);
  EXPECT_TRUE(report.needed);
  EXPECT_STREQ(report.look->name(), "idle");
  pass(20);
}

TEST_F(LostInterruptsTest, AGuestThatIsOnlySlowDidNotNeedIt) {
  for (const VcpuLook look :
       {VcpuLook{.interrupts_on = true, .pending = true}, VcpuLook{.interrupts_on = false},
        VcpuLook{.halted = true, .interrupts_on = false},
        VcpuLook{.interrupts_on = true, .in_service = true},
        VcpuLook{.halted = true, .interrupts_on = true, .masked = true}}) {
    looker.answer = look;
    signal();
    pass(LostInterrupts::kLooks + 1);
    take();
    const auto report = only_report(lost);
    EXPECT_TRUE(report.taken);
    EXPECT_FALSE(report.needed) << look.name();
  }
}

TEST_F(LostInterruptsTest, ABusyCpuOwesItsFlagsAtOnceAndItsMessagesLater) {
  looker.answer = VcpuLook{.interrupts_on = true};
  signal();
  pass(LostInterrupts::kLooks + 1);
  take();
  EXPECT_TRUE(only_report(lost).needed);
  ASSERT_TRUE(synic.post_message(0, kSint, 1, {}));
  pass(LostInterrupts::kLooks + 1);
  take();
  const auto report = only_report(lost);
  EXPECT_TRUE(report.what.message);
  EXPECT_FALSE(report.needed);
}

TEST_F(LostInterruptsTest, WhereNobodyListensItGivesUp) {
  signal();
  pass(100);
  EXPECT_EQ(lines.pulses, 1 + LostInterrupts::kRepeats);
  const auto reports = lost.finish();
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_FALSE(reports[0].taken);
  EXPECT_FALSE(reports[0].needed);
  EXPECT_EQ(reports[0].repeats, LostInterrupts::kRepeats);
}

TEST_F(LostInterruptsTest, AKernelThatStartsTakesNothingOfTheLastOne) {
  signal();
  pass(LostInterrupts::kLooks + 1);
  enable();
  take();
  const auto report = only_report(lost);
  EXPECT_FALSE(report.taken);
  EXPECT_FALSE(report.needed);
}

TEST_F(LostInterruptsTest, BeingLookedAtMayBeAllThatWasNeeded) {
  signal();
  pass(LostInterrupts::kLooks);
  take();
  const auto report = only_report(lost);
  EXPECT_EQ(report.repeats, 0u);
  EXPECT_TRUE(report.needed);
  looker.answer = VcpuLook{.interrupts_on = true, .pending = true};
  signal();
  pass(LostInterrupts::kLooks);
  take();
  pass(1);
}

TEST_F(LostInterruptsTest, SwitchedOffItOnlyLooks) {
  LostInterrupts silent{synic, looker, false};
  signal();
  for (int i = 0; i < 50; i++) EXPECT_TRUE(silent.step().empty());
  EXPECT_EQ(lines.pulses, 1u);
  take();
  const auto report = only_report(silent);
  EXPECT_EQ(report.repeats, 0u);
  EXPECT_TRUE(report.taken);
}

TEST_F(LostInterruptsTest, WhatStoodBehindAPauseCountsFromItsEnd) {
  signal();
  pass(LostInterrupts::kLooks - 1);
  lost.begin_anew();
  pass(LostInterrupts::kLooks - 1);
  EXPECT_EQ(looker.asked, 0u);
}

}  // namespace
}  // namespace hv::vmm
