// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "core/vmbus/lifecycle.hpp"

#include <gtest/gtest.h>

namespace hv::vmbus::test {
namespace {

using State = Lifecycle::State;

void run(Lifecycle& life, uint64_t now) {
  ASSERT_TRUE(life.open(now));
  ASSERT_TRUE(life.opened(now));
  ASSERT_EQ(life.state(), State::Running);
}
void close_broken(Lifecycle& life, uint64_t now) {
  ASSERT_TRUE(life.broke(now));
  ASSERT_EQ(life.state(), State::Broken);
  life.closed(now, true);
}

TEST(Lifecycle, BeginsClosed) {
  const Lifecycle life;
  EXPECT_EQ(life.state(), State::Closed);
  EXPECT_EQ(life.due(0), Lifecycle::kNever);
}

TEST(Lifecycle, ADeviceThatNeverRanIsNotTriedAgain) {
  Lifecycle life;
  ASSERT_TRUE(life.open(0));
  EXPECT_EQ(life.state(), State::Opening);
  life.failed(5, true);
  EXPECT_EQ(life.state(), State::Closed);
  EXPECT_EQ(life.due(5), Lifecycle::kNever);
}

TEST(Lifecycle, OneOfAllWhoSeeItBreakClosesIt) {
  Lifecycle life;
  EXPECT_FALSE(life.broke(0)) << "nothing is open";
  run(life, 0);
  EXPECT_FALSE(life.broken()) << "what broke before it was opened does not count";
  EXPECT_TRUE(life.broke(0));
  EXPECT_FALSE(life.broke(0));
  EXPECT_TRUE(life.broken());
  EXPECT_FALSE(life.open(0)) << "it is to be closed first";
}

TEST(Lifecycle, WhatBreaksWhileItOpensDoesNotRun) {
  Lifecycle life;
  ASSERT_TRUE(life.open(0));
  EXPECT_TRUE(life.broke(0));
  EXPECT_FALSE(life.opened(1));
  EXPECT_EQ(life.state(), State::Broken);
  life.failed(1, true);
  EXPECT_EQ(life.state(), State::Closed);
}

TEST(Lifecycle, IsOpenedAgainSoonAtFirstThenAtGrowingIntervals) {
  Lifecycle life;
  uint64_t now = 1000;
  run(life, now);
  close_broken(life, now);
  EXPECT_EQ(life.state(), State::Waiting);
  EXPECT_EQ(life.due(now), Lifecycle::kFirst);
  EXPECT_EQ(life.due(now + Lifecycle::kFirst), 0u);
  EXPECT_EQ(life.due(now + 10 * Lifecycle::kFirst), 0u) << "late is due, too";
  uint32_t last = Lifecycle::kFirst;
  for (int i = 0; i < 20; i++) {
    now += last;
    ASSERT_TRUE(life.open(0));
    life.failed(now, true);
    const uint32_t wait = life.due(now);
    EXPECT_GE(wait, last);
    EXPECT_LE(wait, Lifecycle::kMost);
    last = wait;
  }
  EXPECT_EQ(last, Lifecycle::kMost);
}

TEST(Lifecycle, WhatBreaksAtOnceIsNotTrustedAgain) {
  Lifecycle life;
  uint64_t now = 0;
  uint32_t last = 0;
  for (int i = 0; i < 5; i++) {
    run(life, now);
    close_broken(life, now += Lifecycle::kCalm - 1);
    const uint32_t wait = life.due(now);
    EXPECT_GT(wait, last);
    last = wait;
  }
  run(life, now);
  close_broken(life, now += Lifecycle::kCalm);
  EXPECT_EQ(life.due(now), Lifecycle::kFirst) << "it worked for long";
}

TEST(Lifecycle, SleepsAndIsTriedAgainWhenItDoesNotWake) {
  Lifecycle life;
  run(life, 0);
  life.suspended();
  EXPECT_EQ(life.state(), State::Suspended);
  EXPECT_EQ(life.due(1), Lifecycle::kNever);
  EXPECT_FALSE(life.broke(0));
  ASSERT_TRUE(life.open(0));
  life.failed(7, true);
  EXPECT_EQ(life.state(), State::Waiting);
  EXPECT_LE(life.due(7), Lifecycle::kFirst);
}

TEST(Lifecycle, LeavesFromAnyStateForGood) {
  Lifecycle life;
  run(life, 0);
  ASSERT_TRUE(life.broke(0));
  life.leave();
  EXPECT_EQ(life.state(), State::Gone);
  EXPECT_TRUE(life.broken()) << "and nobody talks with that host in closing it";
  life.closed(1, true);
  life.failed(2, true);
  life.suspended();
  EXPECT_EQ(life.state(), State::Gone);
  EXPECT_EQ(life.due(1'000'000), Lifecycle::kNever);
  EXPECT_FALSE(life.open(0));
}

constexpr Lifecycle::Policy kOfADisk{.patience = 180'000, .most_breaks = 3, .must_let_go = true};

TEST(Lifecycle, IsGoneWhenItsPatienceIsOver) {
  Lifecycle life(kOfADisk);
  run(life, 0);
  close_broken(life, 1000);
  uint64_t now = 1000;
  int tries = 0;
  for (uint32_t wait; (wait = life.due(now)) != Lifecycle::kNever; tries++) {
    now += wait;
    EXPECT_LE(now, 181'000u) << "whoever waits is told in time";
    EXPECT_EQ(life.in_time(now), now < 181'000) << now;
    if (life.open(now)) life.failed(now, true);
  }
  EXPECT_GT(tries, 8);
  EXPECT_EQ(now, 181'000u);
  EXPECT_EQ(life.state(), State::Gone);
}

TEST(Lifecycle, AnOpeningHasItsPatienceAlone) {
  Lifecycle life(kOfADisk);
  run(life, 0);
  close_broken(life, 0);
  ASSERT_TRUE(life.open(500));
  EXPECT_TRUE(life.in_time(179'999));
  EXPECT_FALSE(life.in_time(180'000)) << "who waits for an answer waits no longer";
  ASSERT_TRUE(life.broke(100'000)) << "the patience of the first break goes on";
  EXPECT_FALSE(life.in_time(180'000));
}

TEST(Lifecycle, WhatRanAgainHasItsPatienceAnew) {
  Lifecycle life(kOfADisk);
  run(life, 0);
  close_broken(life, 0);
  run(life, 170'000);
  EXPECT_TRUE(life.in_time(1'000'000));
  close_broken(life, 1'000'000);
  EXPECT_TRUE(life.in_time(1'179'999));
  EXPECT_FALSE(life.in_time(1'180'000));
}

TEST(Lifecycle, APauseOfTheMachineDoesNotCountAsLost) {
  Lifecycle life(kOfADisk);
  run(life, 0);
  close_broken(life, 1000);
  ASSERT_TRUE(life.open(1'000'000)) << "it is tried once more";
  EXPECT_TRUE(life.in_time(1'100'000));
  life.failed(1'000'100, true);
  EXPECT_EQ(life.state(), State::Waiting);
  EXPECT_FALSE(life.in_time(1'200'000));
}

TEST(Lifecycle, SleepDoesNotCountAsLost) {
  Lifecycle life(kOfADisk);
  run(life, 0);
  close_broken(life, 0);
  life.suspended();
  EXPECT_TRUE(life.in_time(10'000'000));
  ASSERT_TRUE(life.open(10'000'000));
  life.failed(10'000'001, true);
  EXPECT_EQ(life.state(), State::Waiting);
  EXPECT_FALSE(life.in_time(10'180'001)) << "a resume that fails has a patience, too";
}

TEST(Lifecycle, WhatBreaksAgainAndAgainIsGone) {
  Lifecycle life(kOfADisk);
  uint64_t now = 0;
  for (int i = 0; i < 2; i++) {
    run(life, now);
    close_broken(life, now += 1000);
    EXPECT_EQ(life.state(), State::Waiting);
  }
  // Openings that break are no more breaks of what worked.
  ASSERT_TRUE(life.open(now));
  ASSERT_TRUE(life.broke(now));
  life.failed(now, true);
  EXPECT_EQ(life.state(), State::Waiting);
  run(life, now);
  close_broken(life, now += Lifecycle::kCalm);
  EXPECT_EQ(life.state(), State::Waiting) << "it worked for long";
  for (int i = 0; i < 2; i++) {
    EXPECT_EQ(life.state(), State::Waiting);
    run(life, now);
    close_broken(life, now += 1000);
  }
  EXPECT_EQ(life.state(), State::Gone);
}

TEST(Lifecycle, WhatTheHostKeepsMemoryOfIsGone) {
  Lifecycle disk(kOfADisk);
  run(disk, 0);
  ASSERT_TRUE(disk.broke(1));
  disk.closed(1, false);
  EXPECT_EQ(disk.state(), State::Gone);
  Lifecycle other;
  run(other, 0);
  ASSERT_TRUE(other.broke(1));
  other.closed(1, false);
  EXPECT_EQ(other.state(), State::Waiting) << "not all ask for that";
  Lifecycle again(kOfADisk);
  run(again, 0);
  close_broken(again, 1);
  ASSERT_TRUE(again.open(2));
  again.failed(3, false);
  EXPECT_EQ(again.state(), State::Gone);
}

}  // namespace
}  // namespace hv::vmbus::test
