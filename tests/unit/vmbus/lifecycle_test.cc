// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "core/vmbus/lifecycle.hpp"

#include <gtest/gtest.h>

namespace hv::vmbus::test {
namespace {

using State = Lifecycle::State;

constexpr Lifecycle::Policy kNetwork{};
constexpr Lifecycle::Policy kStorage{.must_let_go = true, .most_breaks = 4, .patience = 180'000};

void run(Lifecycle& life, uint64_t now) {
  ASSERT_TRUE(life.open());
  ASSERT_TRUE(life.opened(now));
  ASSERT_EQ(life.state(), State::Running);
}
void close_broken(Lifecycle& life, uint64_t now, bool let_go = true) {
  ASSERT_TRUE(life.broke());
  ASSERT_EQ(life.state(), State::Broken);
  life.closed(now, let_go);
}

TEST(Lifecycle, BeginsClosed) {
  const Lifecycle life(kNetwork);
  EXPECT_EQ(life.state(), State::Closed);
  EXPECT_EQ(life.due(0), Lifecycle::kNever);
  EXPECT_FALSE(life.worth_waiting(0));
}

TEST(Lifecycle, ADeviceThatNeverRanIsNotTriedAgain) {
  Lifecycle life(kNetwork);
  ASSERT_TRUE(life.open());
  EXPECT_EQ(life.state(), State::Opening);
  life.failed(5);
  EXPECT_EQ(life.state(), State::Closed);
  EXPECT_EQ(life.due(5), Lifecycle::kNever);
}

TEST(Lifecycle, OneOfAllWhoSeeItBreakClosesIt) {
  Lifecycle life(kNetwork);
  EXPECT_FALSE(life.broke()) << "nothing is open";
  run(life, 0);
  EXPECT_FALSE(life.broken()) << "what broke before it was opened does not count";
  EXPECT_TRUE(life.broke());
  EXPECT_FALSE(life.broke());
  EXPECT_TRUE(life.broken());
  EXPECT_FALSE(life.open()) << "it is to be closed first";
}

TEST(Lifecycle, WhatBreaksWhileItOpensDoesNotRun) {
  Lifecycle life(kNetwork);
  ASSERT_TRUE(life.open());
  EXPECT_TRUE(life.broke());
  EXPECT_FALSE(life.opened(1));
  EXPECT_EQ(life.state(), State::Broken);
  life.failed(1);
  EXPECT_EQ(life.state(), State::Closed);
}

TEST(Lifecycle, IsOpenedAgainSoonAtFirstThenAtGrowingIntervals) {
  Lifecycle life(kNetwork);
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
  Lifecycle life(kNetwork);
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

TEST(Lifecycle, ADeviceWhosePagesMayBeWrittenToStaysGone) {
  Lifecycle storage(kStorage);
  run(storage, 0);
  close_broken(storage, 1, false);
  EXPECT_EQ(storage.state(), State::Gone);
  EXPECT_FALSE(storage.open());
  EXPECT_FALSE(storage.worth_waiting(1));
  Lifecycle network(kNetwork);
  run(network, 0);
  close_broken(network, 1, false);
  EXPECT_EQ(network.state(), State::Waiting);
}

TEST(Lifecycle, ADeviceThatBreaksAgainAndAgainEndsInOneState) {
  Lifecycle life(kStorage);
  uint64_t now = 0;
  for (uint32_t i = 0; i < kStorage.most_breaks; i++) {
    run(life, now);
    close_broken(life, ++now);
    ASSERT_EQ(life.state(), State::Waiting) << i;
  }
  run(life, now);
  close_broken(life, ++now);
  EXPECT_EQ(life.state(), State::Gone);
}

TEST(Lifecycle, RequestsWaitFromWhenItRanLast) {
  Lifecycle life(kStorage);
  run(life, 0);
  EXPECT_TRUE(life.worth_waiting(1'000'000));
  ASSERT_TRUE(life.broke());
  EXPECT_TRUE(life.worth_waiting(1'000'000)) << "it is being closed";
  life.closed(1'000'000, true);
  EXPECT_TRUE(life.worth_waiting(1'179'999));
  ASSERT_TRUE(life.open());
  life.failed(1'170'000);
  EXPECT_TRUE(life.worth_waiting(1'179'999)) << "a try in vain is no new break";
  EXPECT_FALSE(life.worth_waiting(1'180'000));
  run(life, 1'200'000);
  EXPECT_TRUE(life.worth_waiting(1'200'000));
}

TEST(Lifecycle, SleepsAndIsTriedAgainWhenItDoesNotWake) {
  Lifecycle life(kNetwork);
  run(life, 0);
  life.suspended();
  EXPECT_EQ(life.state(), State::Suspended);
  EXPECT_TRUE(life.worth_waiting(1'000'000));
  EXPECT_EQ(life.due(1), Lifecycle::kNever);
  EXPECT_FALSE(life.broke());
  ASSERT_TRUE(life.open());
  life.failed(7);
  EXPECT_EQ(life.state(), State::Waiting);
  EXPECT_LE(life.due(7), Lifecycle::kFirst);
}

TEST(Lifecycle, LeavesFromAnyStateForGood) {
  Lifecycle life(kNetwork);
  run(life, 0);
  ASSERT_TRUE(life.broke());
  life.leave();
  EXPECT_EQ(life.state(), State::Gone);
  EXPECT_TRUE(life.broken()) << "and nobody talks with that host in closing it";
  life.closed(1, true);
  life.failed(2);
  life.suspended();
  EXPECT_EQ(life.state(), State::Gone);
  EXPECT_EQ(life.due(1'000'000), Lifecycle::kNever);
  EXPECT_FALSE(life.open());
}

}  // namespace
}  // namespace hv::vmbus::test
