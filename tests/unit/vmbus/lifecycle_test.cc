// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "core/vmbus/lifecycle.hpp"

#include <gtest/gtest.h>

namespace hv::vmbus::test {
namespace {

using State = Lifecycle::State;

void run(Lifecycle& life, uint64_t now) {
  ASSERT_TRUE(life.open());
  ASSERT_TRUE(life.opened(now));
  ASSERT_EQ(life.state(), State::Running);
}
void close_broken(Lifecycle& life, uint64_t now) {
  ASSERT_TRUE(life.broke());
  ASSERT_EQ(life.state(), State::Broken);
  life.closed(now);
}

TEST(Lifecycle, BeginsClosed) {
  const Lifecycle life;
  EXPECT_EQ(life.state(), State::Closed);
  EXPECT_EQ(life.due(0), Lifecycle::kNever);
}

TEST(Lifecycle, ADeviceThatNeverRanIsNotTriedAgain) {
  Lifecycle life;
  ASSERT_TRUE(life.open());
  EXPECT_EQ(life.state(), State::Opening);
  life.failed(5);
  EXPECT_EQ(life.state(), State::Closed);
  EXPECT_EQ(life.due(5), Lifecycle::kNever);
}

TEST(Lifecycle, OneOfAllWhoSeeItBreakClosesIt) {
  Lifecycle life;
  EXPECT_FALSE(life.broke()) << "nothing is open";
  run(life, 0);
  EXPECT_FALSE(life.broken()) << "what broke before it was opened does not count";
  EXPECT_TRUE(life.broke());
  EXPECT_FALSE(life.broke());
  EXPECT_TRUE(life.broken());
  EXPECT_FALSE(life.open()) << "it is to be closed first";
}

TEST(Lifecycle, WhatBreaksWhileItOpensDoesNotRun) {
  Lifecycle life;
  ASSERT_TRUE(life.open());
  EXPECT_TRUE(life.broke());
  EXPECT_FALSE(life.opened(1));
  EXPECT_EQ(life.state(), State::Broken);
  life.failed(1);
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
    ASSERT_TRUE(life.open());
    life.failed(now);
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
  EXPECT_FALSE(life.broke());
  ASSERT_TRUE(life.open());
  life.failed(7);
  EXPECT_EQ(life.state(), State::Waiting);
  EXPECT_LE(life.due(7), Lifecycle::kFirst);
}

TEST(Lifecycle, LeavesFromAnyStateForGood) {
  Lifecycle life;
  run(life, 0);
  ASSERT_TRUE(life.broke());
  life.leave();
  EXPECT_EQ(life.state(), State::Gone);
  EXPECT_TRUE(life.broken()) << "and nobody talks with that host in closing it";
  life.closed(1);
  life.failed(2);
  life.suspended();
  EXPECT_EQ(life.state(), State::Gone);
  EXPECT_EQ(life.due(1'000'000), Lifecycle::kNever);
  EXPECT_FALSE(life.open());
}

}  // namespace
}  // namespace hv::vmbus::test
