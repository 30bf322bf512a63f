// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "core/netvsc/piggyback.hpp"

#include <gtest/gtest.h>

#include "tests/unit/netvsc/queue_pair.hpp"

namespace hv::netvsc {
namespace {

using Due = Piggyback::Due;
using vmbus::Signal;

/// A round of receiving with one frame. The signal: whether the host sleeps, should it be told of
/// the completion alone.
bool waits(Piggyback& piggyback, Signal signal = Signal::Yes) {
  piggyback.completion();
  const bool may = piggyback.may_wait();
  if (!may) piggyback.published(signal);
  return may;
}
void answer(Piggyback& piggyback, Signal signal = Signal::Yes) {
  piggyback.frame();
  piggyback.published(signal);
}
/// It was seen that the host is woken twice.
void learn(Piggyback& piggyback) {
  EXPECT_FALSE(waits(piggyback));
  answer(piggyback);
}
void in_vain(Piggyback& piggyback) {
  while (piggyback.expired() != Due::Now) {
  }
  piggyback.published(Signal::Yes);
}

TEST(Piggyback, CompletionsWaitWhereTheHostWasWokenTwice) {
  Piggyback piggyback;
  learn(piggyback);
  for (uint32_t i = 0; i < Piggyback::kRounds; i++) {
    EXPECT_TRUE(waits(piggyback));
    answer(piggyback);
  }
  EXPECT_FALSE(waits(piggyback)) << "it is looked at anew";
  answer(piggyback);
  EXPECT_TRUE(waits(piggyback));
}

TEST(Piggyback, TheyDoNotWhereTheHostIsAwakeStillWhenTheAnswerGoesOut) {
  Piggyback piggyback;
  for (int i = 0; i < 200; i++) {
    EXPECT_FALSE(waits(piggyback));
    answer(piggyback, Signal::No);
  }
}

TEST(Piggyback, TheyDoNotWhereTheHostWasAwakeForThem) {
  Piggyback piggyback;
  for (int i = 0; i < 200; i++) {
    EXPECT_FALSE(waits(piggyback, Signal::No));
    answer(piggyback);
  }
}

TEST(Piggyback, ARoundWithoutCompletionsSaysNothing) {
  Piggyback piggyback;
  EXPECT_FALSE(waits(piggyback));
  EXPECT_FALSE(piggyback.may_wait()) << "nothing to wait";
  piggyback.published(Signal::No);
  answer(piggyback);
  EXPECT_TRUE(waits(piggyback)) << "what was seen is not forgotten";
}

TEST(Piggyback, NotMoreThanThatManyWait) {
  Piggyback piggyback;
  learn(piggyback);
  for (uint32_t i = 0; i < Piggyback::kMost; i++) piggyback.completion();
  EXPECT_TRUE(piggyback.may_wait());
  piggyback.completion();
  EXPECT_FALSE(piggyback.may_wait());
}

TEST(Piggyback, TheTimerRunsOnceMoreForWhatIsYounger) {
  Piggyback piggyback;
  learn(piggyback);
  ASSERT_TRUE(waits(piggyback));
  answer(piggyback);
  EXPECT_EQ(piggyback.expired(), Due::Nothing);
  ASSERT_TRUE(waits(piggyback));
  answer(piggyback);
  ASSERT_TRUE(waits(piggyback)) << "younger than the timer";
  EXPECT_EQ(piggyback.expired(), Due::Later);
  EXPECT_EQ(piggyback.expired(), Due::Now) << "and not for ever";
}

TEST(Piggyback, AfterAWaitInVainNoneWaitsForAWhile) {
  Piggyback piggyback;
  learn(piggyback);
  ASSERT_TRUE(waits(piggyback));
  in_vain(piggyback);
  for (uint32_t i = 0; i < Piggyback::kRounds; i++) {
    answer(piggyback);
    EXPECT_FALSE(waits(piggyback));
  }
  answer(piggyback);
  EXPECT_TRUE(waits(piggyback)) << "it is tried again";
}

class Waiting : public testing::Test, public test::QueuePair {
 protected:
  /// The host's frame, taken and let go of; its completion is staged.
  void receive_frame(uint64_t id) {
    const test::Bytes frame(60);
    host_delivers(id, {test::rndis(wire::rndis::MessageType::Packet,
                                   wire::rndis::Packet{.data_offset = sizeof(wire::rndis::Packet),
                                                       .data_length = 60},
                                   frame)});
    (void)queue.receiving().next().take();
    EXPECT_EQ(queue.receiving().next().error(), Error::RingEmpty);
    queue.pay_completions().take();
  }
  void send_frame() {
    (void)queue.sending().copy({.length = 60}).take();
    queue.sending().flush().take();
    signal = queue.sending().publish();
  }
  /// The host, that does its part at once, is woken for a completion and for the frame behind it.
  void seen_twice() {
    receive_frame(1);
    EXPECT_FALSE(queue.sending().may_wait());
    EXPECT_EQ(queue.sending().publish(), vmbus::Signal::Yes);
    (void)host_reads();
    send_frame();
    EXPECT_EQ(signal, vmbus::Signal::Yes);
    (void)host_reads();
  }
  vmbus::Signal signal = vmbus::Signal::No;
};

/// A round trip costs one signal, not two.
TEST_F(Waiting, OneSignalTellsOfCompletionAndAnswer) {
  seen_twice();
  receive_frame(7);
  ASSERT_TRUE(queue.sending().may_wait());
  EXPECT_TRUE(host_has_none());
  send_frame();
  EXPECT_EQ(signal, vmbus::Signal::Yes);
  EXPECT_EQ(host_reads().transaction_id, 7u) << "in order: the completion first";
  EXPECT_EQ(host_reads().type, wire::PacketType::DataInBand);
  EXPECT_EQ(queue.sending().wait_expired(), Due::Nothing);
}

TEST_F(Waiting, WhatNobodyAnswersIsPublishedByTheTimer) {
  seen_twice();
  receive_frame(7);
  ASSERT_TRUE(queue.sending().may_wait());
  Due due = Due::Later;
  for (int periods = 0; due == Due::Later; periods++) {
    ASSERT_LT(periods, 2);
    due = queue.sending().wait_expired();
  }
  ASSERT_EQ(due, Due::Now);
  EXPECT_EQ(queue.sending().publish(), vmbus::Signal::Yes);
  EXPECT_EQ(host_reads().transaction_id, 7u);
}

/// A batch that found no room is not kept back with them.
TEST_F(Waiting, AnOpenBatchDoesNotWait) {
  seen_twice();
  (void)queue.sending().copy({.length = 60}).take();
  receive_frame(7);
  EXPECT_FALSE(queue.sending().may_wait());
}

}  // namespace
}  // namespace hv::netvsc
