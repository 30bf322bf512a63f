// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "vmm/synic.hpp"

#include <gtest/gtest.h>
#include <sys/timerfd.h>

#include <cstring>
#include <string>
#include <vector>

#include "vmm/fd.hpp"

namespace hv::vmm {
namespace {

constexpr uint32_t kSint = 2;
constexpr uint64_t kMessages = 0x10000, kEvents = 0x11000;

struct Notebook final : SintLines {
  std::vector<uint32_t> pulses;
  bool masked = false;
  uint32_t lines = 0;

  std::optional<uint32_t> add_sint(uint32_t, uint32_t) override { return 24 + lines++; }
  bool pulse(uint32_t gsi) override {
    if (!masked) pulses.push_back(gsi);
    return !masked;
  }
};

/// VPs that are visited as soon as it is asked for, or when the test says so.
struct Visitor final : VpThreads {
  Synic* synic = nullptr;
  bool at_once = true;
  std::vector<uint32_t> asked;

  void ask_for_visit(uint32_t vp) override {
    asked.push_back(vp);
    if (at_once) synic->visit(vp);
  }
};

class SynicTest : public ::testing::Test {
 protected:
  GuestMemory memory{GuestMemory::kLeast};
  Notebook notebook;
  Fd timer{::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC)};
  Visitor visitor;
  Synic synic{2, memory, notebook, visitor, timer.get()};

  SynicTest() { visitor.synic = &synic; }

  void enable(uint32_t vp = 0) { synic.registers_changed(vp, 1, kEvents | 1, kMessages | 1); }
  bool post(std::string_view text, uint32_t vp = 0) {
    return synic.post_message(vp, kSint, 1, std::as_bytes(std::span(text)));
  }
  bool armed() const {
    itimerspec when{};
    ::timerfd_gettime(timer.get(), &when);
    return when.it_value.tv_sec != 0 || when.it_value.tv_nsec != 0;
  }
  std::span<std::byte> slot() const { return memory.at(kMessages + kSint * 256, 256); }
  uint32_t type() const {
    uint32_t value;
    std::memcpy(&value, slot().data(), sizeof value);
    return value;
  }
  bool pending() const { return (slot()[5] & std::byte{1}) != std::byte{0}; }
  std::string text() const {
    return {reinterpret_cast<const char*>(slot().data() + 16), std::to_integer<size_t>(slot()[4])};
  }
  /// As a guest does: empties the slot. Returns whether it has to write EOM.
  bool take() {
    std::memset(slot().data(), 0, 4);
    return pending();
  }
};

TEST_F(SynicTest, AMessageGoesIntoTheSlotAndInterrupts) {
  enable();
  EXPECT_TRUE(post("hello"));
  EXPECT_EQ(type(), 1u);
  EXPECT_EQ(text(), "hello");
  EXPECT_FALSE(pending());
  EXPECT_EQ(notebook.pulses.size(), 1u);
  EXPECT_FALSE(armed());
}

TEST_F(SynicTest, ABusySlotIsMarkedAndTriedAgainInOrder) {
  enable();
  post("one");
  post("two");
  post("three");
  EXPECT_EQ(text(), "one");
  EXPECT_TRUE(pending());
  EXPECT_TRUE(armed());
  EXPECT_TRUE(take());
  synic.retry();
  EXPECT_EQ(text(), "two");
  EXPECT_TRUE(pending());
  EXPECT_TRUE(take());
  synic.retry();
  EXPECT_EQ(text(), "three");
  EXPECT_FALSE(pending());
  EXPECT_EQ(notebook.pulses.size(), 3u);
}

TEST_F(SynicTest, OnlyTheVpsOwnThreadWritesIntoItsSlots) {
  enable(1);
  visitor.at_once = false;
  post("one", 1);
  EXPECT_EQ(type(), 0u);
  EXPECT_TRUE(notebook.pulses.empty());
  EXPECT_EQ(visitor.asked, std::vector<uint32_t>{1});
  synic.visit(0);
  EXPECT_EQ(type(), 0u);
  synic.visit(1);
  EXPECT_EQ(text(), "one");
  post("two", 1);
  synic.visit(1);
  EXPECT_TRUE(take());
  synic.retry();
  EXPECT_EQ(type(), 0u) << "retry() runs on another thread";
  EXPECT_EQ(visitor.asked, (std::vector<uint32_t>{1, 1, 1}));
  synic.visit(1);
  EXPECT_EQ(text(), "two");
}

TEST_F(SynicTest, KvmsTimerMessageStaysInTheSlotUntilTheGuestHasTakenIt) {
  constexpr uint32_t kTimerExpired = 0x80000010;
  enable();
  std::memcpy(slot().data(), &kTimerExpired, sizeof kTimerExpired);
  slot()[4] = std::byte{24};
  slot()[16] = std::byte{0x5a};
  EXPECT_TRUE(post("hello"));
  EXPECT_EQ(type(), kTimerExpired);
  EXPECT_EQ(slot()[4], std::byte{24});
  EXPECT_EQ(slot()[16], std::byte{0x5a});
  EXPECT_TRUE(pending());
  EXPECT_TRUE(armed());
  EXPECT_TRUE(take());
  synic.retry();
  EXPECT_EQ(type(), 1u);
  EXPECT_EQ(text(), "hello");
  EXPECT_EQ(notebook.pulses.size(), 1u);
}

TEST_F(SynicTest, MessagesWaitForASynicThatIsOffWithoutBeingTriedAgain) {
  EXPECT_TRUE(post("early"));
  EXPECT_EQ(type(), 0u);
  EXPECT_FALSE(armed());
  enable();
  EXPECT_EQ(text(), "early");
}

TEST_F(SynicTest, DroppedMessagesDoNotComeToWhoListensNext) {
  post("to the last");
  synic.drop_messages();
  enable();
  EXPECT_EQ(type(), 0u);
  post("one");
  post("two");
  synic.drop_messages();
  EXPECT_TRUE(take());
  synic.retry();
  EXPECT_EQ(type(), 0u);
  EXPECT_TRUE(post("three"));
  EXPECT_EQ(text(), "three");
}

TEST_F(SynicTest, AMaskedSintIsInterruptedLater) {
  enable();
  notebook.masked = true;
  post("x");
  EXPECT_EQ(text(), "x");
  EXPECT_TRUE(armed());
  notebook.masked = false;
  synic.retry();
  EXPECT_EQ(notebook.pulses.size(), 1u);
  synic.retry();
  EXPECT_EQ(notebook.pulses.size(), 1u);
}

TEST_F(SynicTest, AGuestThatNeverAcknowledgesFillsTheQueueOnce) {
  enable();
  size_t accepted = 0;
  while (accepted <= Synic::kQueueMost + 1 && post("x")) ++accepted;
  EXPECT_EQ(accepted, Synic::kQueueMost + 1);
}

TEST_F(SynicTest, RefusesWhatDoesNotExistOrFit) {
  enable();
  EXPECT_FALSE(post("x", 2));
  EXPECT_FALSE(synic.post_message(0, 16, 1, {}));
  EXPECT_FALSE(post(std::string(241, 'x')));
  EXPECT_TRUE(post(std::string(240, 'x')));
}

TEST_F(SynicTest, PagesThatAreNotRamAreNotWritten) {
  synic.registers_changed(0, 1, GuestMemory::kLeast | 1, GuestMemory::kLeast | 1);
  EXPECT_TRUE(post("x"));
  synic.signal_event(0, kSint, 5);
  EXPECT_TRUE(notebook.pulses.empty());
}

TEST_F(SynicTest, AnEventInterruptsOnceUntilTheGuestClearsIt) {
  enable();
  synic.signal_event(0, kSint, 2047);
  synic.signal_event(0, kSint, 2047);
  EXPECT_EQ(notebook.pulses.size(), 1u);
  auto flags = memory.at(kEvents + kSint * 256, 256);
  EXPECT_EQ(flags[255], std::byte{0x80});
  flags[255] = std::byte{0};
  synic.signal_event(0, kSint, 2047);
  EXPECT_EQ(notebook.pulses.size(), 2u);
  synic.signal_event(0, kSint, 2048);
  synic.signal_event(9, kSint, 1);
  EXPECT_EQ(notebook.pulses.size(), 2u);
}

TEST_F(SynicTest, SaysWhatTheGuestHasNotTaken) {
  EXPECT_TRUE(synic.standing().empty());
  enable();
  ASSERT_TRUE(post("x"));
  synic.signal_event(0, kSint, 700);
  synic.signal_event(0, kSint, 3);
  auto standing = synic.standing();
  ASSERT_EQ(standing.size(), 1u);
  EXPECT_EQ(standing[0].vp, 0u);
  EXPECT_EQ(standing[0].sint, kSint);
  EXPECT_TRUE(standing[0].message);
  EXPECT_EQ(standing[0].flags, (std::vector<uint32_t>{3, 700}));
  EXPECT_EQ(standing[0].interrupts, 3u);
  take();
  standing = synic.standing();
  EXPECT_FALSE(standing.at(0).message);
  synic.interrupt_again(0, kSint);
  EXPECT_EQ(notebook.pulses.size(), 4u);
  EXPECT_EQ(synic.standing().at(0).interrupts, 4u);
  const uint32_t changes = synic.changes(0);
  synic.registers_changed(0, 0, kEvents | 1, kMessages | 1);
  EXPECT_EQ(synic.changes(0), changes + 1);
  EXPECT_TRUE(synic.standing().empty()) << "a SynIC that is off";
}

TEST_F(SynicTest, EventsToASynicThatIsOffAreLost) {
  synic.signal_event(0, kSint, 1);
  enable();
  EXPECT_TRUE(notebook.pulses.empty());
}

}  // namespace
}  // namespace hv::vmm
