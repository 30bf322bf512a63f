// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "core/netvsc/piggyback.hpp"

#include <gtest/gtest.h>

#include "tests/unit/netvsc/queue_pair.hpp"

namespace hv::netvsc {
namespace {

using Due = Piggyback::Due;

/// A round of receiving with one frame.
bool waits(Piggyback& piggyback) {
  piggyback.staged();
  const bool may = piggyback.may_wait();
  if (!may) piggyback.published();
  return may;
}
void answer(Piggyback& piggyback) {
  piggyback.answered();
  piggyback.published();
}

TEST(Piggyback, WhatWasAnsweredLastTimeWaits) {
  Piggyback piggyback;
  EXPECT_FALSE(waits(piggyback)) << "nothing is known yet";
  for (int i = 0; i < 3; i++) {
    answer(piggyback);
    EXPECT_TRUE(waits(piggyback));
  }
  EXPECT_FALSE(waits(piggyback)) << "not answered since";
}

TEST(Piggyback, ARoundWithoutCompletionsSaysNothing) {
  Piggyback piggyback;
  answer(piggyback);
  EXPECT_FALSE(piggyback.may_wait()) << "nothing to wait";
  EXPECT_TRUE(waits(piggyback)) << "the frame that went out is not forgotten";
}

TEST(Piggyback, NotMoreThanThatManyWait) {
  Piggyback piggyback;
  answer(piggyback);
  for (uint32_t i = 0; i < Piggyback::kMost; i++) piggyback.staged();
  EXPECT_TRUE(piggyback.may_wait());
  piggyback.answered();
  piggyback.staged();
  EXPECT_FALSE(piggyback.may_wait());
}

TEST(Piggyback, TheTimerRunsOnceMoreForWhatIsYounger) {
  Piggyback piggyback;
  answer(piggyback);
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
  answer(piggyback);
  ASSERT_TRUE(waits(piggyback));
  while (piggyback.expired() != Due::Now) {
  }
  piggyback.published();
  for (uint32_t i = 0; i < Piggyback::kDoubt; i++) {
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
                                   wire::rndis::Packet{.data_offset = sizeof(wire::rndis::Packet), .data_length = 60}, frame)});
    (void)queue.receiving().next().take();
    EXPECT_EQ(queue.receiving().next().error(), Error::RingEmpty);
    queue.pay_completions().take();
  }
  void send_frame() {
    (void)queue.sending().copy({.length = 60}).take();
    queue.sending().flush().take();
    signal = queue.sending().publish();
  }
  vmbus::Signal signal = vmbus::Signal::No;
};

/// A round trip costs one signal, not two.
TEST_F(Waiting, OneSignalTellsOfCompletionAndAnswer) {
  send_frame();
  (void)host_reads();
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
  send_frame();
  (void)host_reads();
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
  send_frame();
  (void)host_reads();
  (void)queue.sending().copy({.length = 60}).take();
  receive_frame(7);
  EXPECT_FALSE(queue.sending().may_wait());
}

}  // namespace
}  // namespace hv::netvsc
