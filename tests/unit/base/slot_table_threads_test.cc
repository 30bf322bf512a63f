// SPDX-License-Identifier: GPL-2.0-only OR MIT
// Submit, complete and cancel race for the same slots: each life ends exactly once, and what the
// submitter wrote is seen by who ends it.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <thread>
#include <vector>

#include "core/base/slot_table.hpp"

namespace hv {
namespace {

constexpr size_t kSlots = 8;

struct Request {
  std::atomic<bool> free{true};
  std::atomic<uint64_t> id{0};  ///< as the other side knows it; may be stale
  uint64_t written = 0;         ///< plain: ordered by arm and take alone
};

TEST(SlotTableThreads, EachLifeEndsOnce) {
  std::array<Slot, kSlots> slots;
  std::array<Request, kSlots> requests;
  SlotTable table(slots);
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> ended{0};
  std::atomic<uint64_t> wrong{0};

  const auto end = [&](size_t slot) {
    auto& request = requests[slot];
    if (request.written == 0) wrong++;
    request.written = 0;
    ended++;
    request.free.store(true, std::memory_order_release);
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; i++) {
    threads.emplace_back([&] {
      while (!stop.load(std::memory_order_relaxed)) {
        for (auto& request : requests) {
          if (auto slot = table.take(request.id.load(std::memory_order_relaxed))) end(*slot);
        }
      }
    });
  }
  threads.emplace_back([&] {
    while (!stop.load(std::memory_order_relaxed)) {
      for (size_t slot = 0; slot < kSlots; slot += 3) {
        if (table.cancel(slot)) end(slot);
      }
      std::this_thread::yield();
    }
  });

  uint64_t begun = 0;
  while (begun < 10000) {
    for (size_t slot = 0; slot < kSlots; slot++) {
      auto& request = requests[slot];
      if (!request.free.load(std::memory_order_acquire)) continue;
      request.free.store(false, std::memory_order_relaxed);
      request.written = ++begun;
      const auto id = table.arm(slot);
      ASSERT_TRUE(id);
      request.id.store(*id, std::memory_order_relaxed);
    }
  }
  stop = true;
  for (auto& thread : threads) thread.join();
  for (size_t slot = 0; slot < kSlots; slot++) {
    if (table.alive(slot)) {
      ASSERT_TRUE(table.cancel(slot));
      end(slot);
    }
  }
  EXPECT_EQ(ended, begun);
  EXPECT_EQ(wrong, 0u);
}

}  // namespace
}  // namespace hv
