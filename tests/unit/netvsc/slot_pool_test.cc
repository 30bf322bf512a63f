// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "core/netvsc/slot_pool.hpp"

#include <gtest/gtest.h>

#include <set>
#include <thread>
#include <vector>

namespace hv::netvsc {
namespace {

struct Pool {
  explicit Pool(size_t count) : stack(count), ring(SlotPool::ring_size(count)), pool(stack, ring) {}
  std::vector<uint16_t> stack, ring;
  SlotPool pool;
};

TEST(SlotPool, GivesEachNumberOnceAndThenNone) {
  Pool p(5);
  EXPECT_TRUE(p.pool.empty()) << "before it is filled";
  p.pool.fill(10, 5);
  std::set<uint16_t> taken;
  for (int i = 0; i < 5; i++) taken.insert(p.pool.take().take());
  EXPECT_EQ(taken, (std::set<uint16_t>{10, 11, 12, 13, 14}));
  EXPECT_EQ(p.pool.take().error(), Error::Exhausted);
  p.pool.release(12);
  EXPECT_FALSE(p.pool.empty());
  EXPECT_EQ(p.pool.take().take(), 12);
}

TEST(SlotPool, TakesWhatWasPutBackFirst) {
  Pool p(3);
  p.pool.fill(0, 3);
  const uint16_t first = p.pool.take().take();
  p.pool.put_back(first);
  EXPECT_EQ(p.pool.take().take(), first);
}

TEST(SlotPool, TakesWhatWasReleasedLastThoughOthersRestedLonger) {
  Pool p(4);
  p.pool.fill(0, 4);
  const uint16_t one = p.pool.take().take();
  const uint16_t other = p.pool.take().take();
  p.pool.release(one);
  p.pool.release(other);
  EXPECT_EQ(p.pool.take().take(), other);
  EXPECT_EQ(p.pool.take().take(), one);
}

TEST(SlotPool, NumbersGoRoundBetweenTwoThreads) {
  constexpr int kRounds = 100000;
  Pool p(7);
  p.pool.fill(0, 7);
  Pool way(7);  // stands for the ring that the numbers travel through
  std::atomic<uint32_t> in_flight[7] = {};
  std::thread receiver([&] {
    for (int done = 0; done < kRounds;) {
      const auto number = way.pool.take();
      if (!number) {
        std::this_thread::yield();
        continue;
      }
      in_flight[*number].store(0, std::memory_order_relaxed);
      p.pool.release(*number);
      done++;
    }
  });
  for (int sent = 0; sent < kRounds;) {
    const auto number = p.pool.take();
    if (!number) {
      std::this_thread::yield();
      continue;
    }
    EXPECT_EQ(in_flight[*number].exchange(1, std::memory_order_relaxed), 0u);
    way.pool.release(*number);
    sent++;
  }
  receiver.join();
}

}  // namespace
}  // namespace hv::netvsc
