// SPDX-License-Identifier: GPL-2.0-only OR MIT
// The core's storvsc against the host's storvsp: one process, a thread for each side of each
// channel, rings and buffers in shared memory.
#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <map>
#include <memory>
#include <thread>
#include <vector>

#include "host/backends/memory_backend.hpp"
#include "host/scsi/disk.hpp"
#include "host/storvsp/controller.hpp"
#include "tests/support/fake_machine.hpp"
#include "tests/support/seed.hpp"
#include "tests/support/storvsc_guest.hpp"

namespace hv::test {
namespace {

using host::storvsp::Controller;
using host::storvsp::ControllerOptions;
using storvsc::Event;

constexpr size_t kPage = wire::kPageSize;
constexpr uint32_t kBlock = 512;
constexpr size_t kSlotPages = 16;    ///< a request moves at most so much
constexpr size_t kRegionPages = 32;  ///< of the disk, for one slot alone

/// Sub-channels are "offered" by remembering how many.
class Handle final : public host::vmbus::DeviceHandle {
 public:
  bool offer_sub_channels(uint16_t count) override {
    offered = count;
    return true;
  }
  void find_gpadl(uint16_t, uint32_t) override {}
  std::atomic<uint16_t> offered{0};
};

struct Request {
  bool busy = false;
  bool write = false;
  uint32_t page = 0;  ///< in the slot's region
  uint32_t pages = 0;
};

/// A guest at work on a disk of which each slot has a region of its own; every page says what was
/// written to it last.
class Worker {
 public:
  Worker(FakeMachine& ram, StorvscGuest& guest, FakeChannel& channel, size_t first, size_t count,
         std::mt19937_64 random)
      : ram_(ram),
        guest_(guest),
        queue_(channel),
        first_(first),
        requests_(count),
        versions_(count, std::vector<uint64_t>(kRegionPages)),
        random_(random) {
    queue_.mask();
  }

  GuestQueue& queue() { return queue_; }
  uint64_t completed() const { return completed_; }
  uint64_t ring_full() const { return ring_full_; }
  uint64_t changes() const { return changes_.load(); }
  uint64_t failed() const { return failed_; }

  /// Until `total` requests have come back, or `stop`.
  void run(uint64_t total, const std::atomic<bool>* stop = nullptr) {
    const auto stopped = [&] { return stop != nullptr && stop->load(); };
    while (completed_ < total && !stopped()) {
      uint32_t wanted = 0;
      for (size_t i = 0; i < requests_.size() && wanted == 0; i++) {
        if (!requests_[i].busy && submitted_ < total && random_() % 4 != 0) wanted = submit(i);
      }
      queue_.publish();
      if (drain() != 0) continue;
      if (wanted == 0 && idle() == requests_.size()) continue;
      if (!queue_.sleep(wanted)) {
        ADD_FAILURE() << "nothing came for " << requests_.size() - idle()
                      << " requests: a wake-up was lost";
        return;
      }
    }
  }

  size_t drain() {
    return queue_.drain([&](const vmbus::Packet& packet) {
      auto event = guest_.machine().receive(packet);
      ASSERT_TRUE(event) << name(event.error());
      if (event->kind == Event::Kind::DevicesChanged) changes_++;
      if (event->kind == Event::Kind::Completed) complete(*event);
    });
  }

  size_t idle() const {
    size_t count = 0;
    for (const auto& request : requests_) count += !request.busy;
    return count;
  }

  /// When the channel is closed: what did not come back is ours again. How many that were.
  size_t cancel_all() {
    size_t count = 0;
    for (size_t i = 0; i < requests_.size(); i++) {
      EXPECT_EQ(guest_.machine().cancel(first_ + i).ok(), requests_[i].busy);
      count += requests_[i].busy;
      requests_[i].busy = false;
    }
    return count;
  }

 private:
  /// Frames of a slot lie in pairs, the pairs backwards: neither one run nor all apart.
  uint64_t frame(size_t slot, size_t page) const {
    return (first_ + slot) * kSlotPages + (kSlotPages - 2 - page / 2 * 2) + page % 2;
  }
  std::span<std::byte> memory(size_t slot, size_t page) {
    return *ram_.memory(frame(slot, page) * kPage, kPage);
  }
  static void fill(std::span<std::byte> page, uint64_t place, uint64_t version) {
    const uint64_t word = version == 0 ? 0 : place * 0x9e3779b97f4a7c15 + version;
    for (size_t i = 0; i < page.size(); i += 8) std::memcpy(page.data() + i, &word, 8);
  }
  uint64_t place(size_t slot, size_t page) const { return (first_ + slot) * kRegionPages + page; }

  /// The bytes of ring to wait for, when it is full.
  uint32_t submit(size_t slot) {
    auto& request = requests_[slot];
    request.write = random_() % 2;
    request.pages = static_cast<uint32_t>(1 + random_() % kSlotPages);
    request.page = static_cast<uint32_t>(random_() % (kRegionPages - request.pages + 1));
    std::array<std::byte, vmbus::GpaDirectBuilder::size_for(kSlotPages)> storage;
    vmbus::GpaDirectBuilder ranges(storage);
    EXPECT_TRUE(ranges.range(static_cast<uint32_t>(request.pages * kPage), 0));
    for (size_t i = 0; i < request.pages; i++) {
      EXPECT_TRUE(ranges.frame(frame(slot, i)));
      fill(memory(slot, i), place(slot, request.page + i), request.write ? version_ + 1 : ~0ull);
    }
    const auto cdb = read_write_16(request.write, place(slot, request.page) * (kPage / kBlock),
                                   static_cast<uint32_t>(request.pages * kPage / kBlock));
    const storvsc::Request what{
        {0, 0, 0},
        0,
        request.write ? wire::storvsc::Direction::Write : wire::storvsc::Direction::Read,
        true,
        static_cast<uint32_t>(request.pages * kPage),
        cdb};
    const auto extra = ranges.finish().take();
    const auto sent = guest_.machine().submit(queue_, first_ + slot, what, extra);
    if (!sent) {
      EXPECT_EQ(sent.error(), Error::RingFull);
      ring_full_++;
      return static_cast<uint32_t>(
          vmbus::RingWriter::packet_size(extra.size(), wire::storvsc::kPacketSize));
    }
    if (request.write) {
      version_++;
      for (size_t i = 0; i < request.pages; i++) versions_[slot][request.page + i] = version_;
    }
    request.busy = true;
    submitted_++;
    return 0;
  }

  void complete(const Event& event) {
    ASSERT_TRUE(event.intelligible);
    ASSERT_GE(event.slot, first_);
    ASSERT_LT(event.slot, first_ + requests_.size());
    const size_t slot = event.slot - first_;
    auto& request = requests_[slot];
    ASSERT_TRUE(request.busy) << "completed twice";
    request.busy = false;
    completed_++;
    ASSERT_EQ(event.completion.srb_code, static_cast<uint8_t>(wire::storvsc::SrbStatus::Success));
    ASSERT_EQ(event.completion.scsi_status, 0);
    ASSERT_EQ(event.completion.moved, request.pages * kPage);
    if (request.write) return;
    std::array<std::byte, kPage> expected;
    for (size_t i = 0; i < request.pages; i++) {
      fill(expected, place(slot, request.page + i), versions_[slot][request.page + i]);
      ASSERT_EQ(std::memcmp(memory(slot, i).data(), expected.data(), kPage), 0)
          << "page " << place(slot, request.page + i);
    }
  }

  FakeMachine& ram_;
  StorvscGuest& guest_;
  GuestQueue queue_;
  size_t first_;
  std::vector<Request> requests_;
  std::vector<std::vector<uint64_t>>
      versions_;  ///< of each page of each slot's region; 0: never written
  std::mt19937_64 random_;
  uint64_t version_ = 0, submitted_ = 0, completed_ = 0, ring_full_ = 0, failed_ = 0;
  std::atomic<uint64_t> changes_{0};
};

constexpr size_t kSlots = 64;

struct Setting {
  const char* name;
  uint16_t channels;
  size_t ring_bytes;
  bool uring;
  uint64_t requests;  ///< on each channel
};
void PrintTo(const Setting& setting, std::ostream* out) { *out << setting.name; }

ControllerOptions options(uint16_t sub_channels, bool uring = true) {
  ControllerOptions options;
  options.limits.max_sub_channels = sub_channels;
  options.allow_uring = uring;
  return options;
}

std::shared_ptr<host::scsi::Disk> disk(size_t bytes) {
  return std::make_shared<host::scsi::Disk>(std::make_shared<host::MemoryBackend>(bytes),
                                            host::scsi::DiskOptions{});
}

class StorvscLoop : public testing::TestWithParam<Setting> {};

TEST_P(StorvscLoop, BringsEveryByteThere) {
  const auto& setting = GetParam();
  auto random = seeded();
  FakeMachine ram(kSlots * kSlotPages);
  Handle handle;
  Controller controller(options(static_cast<uint16_t>(setting.channels - 1), setting.uring));
  controller.attached(handle);
  ASSERT_TRUE(controller.add({}, disk(kSlots * kRegionPages * kPage)));

  std::vector<std::unique_ptr<FakeChannel>> channels;
  for (uint16_t i = 0; i < setting.channels; i++)
    channels.push_back(std::make_unique<FakeChannel>(ram, i, setting.ring_bytes));
  ASSERT_TRUE(controller.opened(*channels[0]));
  StorvscGuest guest(kSlots);
  {
    GuestQueue dialogue(*channels[0]);
    auto properties = guest.connect(dialogue, {.sub_channels = 8});
    ASSERT_TRUE(properties) << name(properties.error());
    EXPECT_EQ(properties->dialect.version, wire::storvsc::Version::Win10);
    EXPECT_EQ(properties->sub_channels, setting.channels - 1);
    EXPECT_EQ(handle.offered, setting.channels - 1);
  }
  for (uint16_t i = 1; i < setting.channels; i++) ASSERT_TRUE(controller.opened(*channels[i]));

  const size_t share = kSlots / setting.channels;
  std::vector<std::unique_ptr<Worker>> workers;
  for (uint16_t i = 0; i < setting.channels; i++) {
    workers.push_back(std::make_unique<Worker>(ram, guest, *channels[i], i * share, share,
                                               std::mt19937_64(random())));
  }
  std::vector<std::thread> threads;
  for (auto& worker : workers) threads.emplace_back([&] { worker->run(setting.requests); });
  for (auto& thread : threads) thread.join();

  for (uint16_t i = 0; i < setting.channels; i++) {
    EXPECT_EQ(workers[i]->completed(), setting.requests);
    std::printf(
        "%s, channel %u: %llu requests, %llu signals to the host, slept %llu times, ring full %llu "
        "times\n",
        setting.name, i, static_cast<unsigned long long>(workers[i]->completed()),
        static_cast<unsigned long long>(workers[i]->queue().signals()),
        static_cast<unsigned long long>(workers[i]->queue().sleeps()),
        static_cast<unsigned long long>(workers[i]->ring_full()));
  }
  EXPECT_EQ(guest.machine().in_flight(), 0u);
  for (auto& channel : channels) {
    controller.closed(*channel);
    EXPECT_EQ(channel->failure, "");
  }
  controller.detached();
}

INSTANTIATE_TEST_SUITE_P(Settings, StorvscLoop,
                         testing::Values(Setting{"OneChannel", 1, 64 * 1024, true, 10000},  //
                                         Setting{"TwoChannels", 2, 64 * 1024, true, 6000},  //
                                         Setting{"SmallRing", 1, 4096, true, 8000},         //
                                         Setting{"WithoutUring", 2, 16 * 1024, false, 6000}),
                         [](const auto& setting) { return setting.param.name; });

TEST(StorvscLoop, ClosesUnderLoadAndGivesEverythingBack) {
  auto random = seeded();
  for (int round = 0; round < 20; round++) {
    FakeMachine ram(kSlots * kSlotPages);
    Handle handle;
    Controller controller(options(0));
    controller.attached(handle);
    ASSERT_TRUE(controller.add({}, disk(kSlots * kRegionPages * kPage)));
    FakeChannel channel(ram);
    ASSERT_TRUE(controller.opened(channel));
    StorvscGuest guest(kSlots);
    Worker worker(ram, guest, channel, 0, kSlots, std::mt19937_64(random()));
    ASSERT_TRUE(guest.connect(worker.queue()));
    std::atomic<bool> stop{false};
    std::thread thread([&] { worker.run(UINT64_MAX, &stop); });
    for (int i = 0; i < round * 3; i++) std::this_thread::yield();
    controller.closed(channel);
    stop = true;
    channel.guest_bell().ring();
    thread.join();
    worker.drain();
    const size_t in_flight = guest.machine().in_flight();
    EXPECT_EQ(worker.cancel_all(), in_flight);
    EXPECT_EQ(guest.machine().in_flight(), 0u);
    // Closed, it may be opened again and begins anew.
    FakeChannel again(ram);
    ASSERT_TRUE(controller.opened(again));
    StorvscGuest second(kSlots);
    Worker other(ram, second, again, 0, 1, std::mt19937_64(random()));
    ASSERT_TRUE(second.connect(other.queue()));
    controller.closed(again);
    controller.detached();
  }
}

TEST(StorvscLoop, ClosesHoweverItsThreadIsJustAwake) {
  // The host's thread is woken and told to stop at nearly the same time: whichever it sees first,
  // it ends.
  FakeMachine ram(kSlots * kSlotPages);
  Handle handle;
  for (const bool uring : {true, false}) {
    Controller controller(options(0, uring));
    controller.attached(handle);
    for (int round = 0; round < 300; round++) {
      FakeChannel channel(ram, 0, 4096);
      ASSERT_TRUE(controller.opened(channel));
      for (int i = 0; i < round % 20; i++) {
        channel.host_bell().ring();
        std::this_thread::yield();
      }
      controller.closed(channel);
    }
    controller.detached();
  }
}

TEST(StorvscLoop, TellsOfDisksThatComeAndGoUnderLoad) {
  auto random = seeded();
  FakeMachine ram(kSlots * kSlotPages);
  Handle handle;
  Controller controller(options(0));
  controller.attached(handle);
  ASSERT_TRUE(controller.add({}, disk(kSlots * kRegionPages * kPage)));
  FakeChannel channel(ram);
  ASSERT_TRUE(controller.opened(channel));
  StorvscGuest guest(kSlots);
  Worker worker(ram, guest, channel, 0, kSlots, std::mt19937_64(random()));
  ASSERT_TRUE(guest.connect(worker.queue()));

  std::atomic<bool> stop{false};
  std::thread thread([&] { worker.run(UINT64_MAX, &stop); });
  for (int i = 0; i < 50; i++) {
    const uint64_t before = worker.changes();
    ASSERT_TRUE(controller.add({.lun = 1}, disk(1 << 20)));
    ASSERT_FALSE(controller.add({.lun = 1}, disk(1 << 20)));
    ASSERT_TRUE(controller.remove({.lun = 1}));
    ASSERT_FALSE(controller.remove({.lun = 1}));
    for (int wait = 0; worker.changes() == before && wait < 1000000; wait++)
      std::this_thread::yield();
    ASSERT_GT(worker.changes(), before) << "the guest was never told";
  }
  stop = true;
  thread.join();
  while (worker.idle() != kSlots && (worker.drain() != 0 || worker.queue().sleep())) {
  }
  EXPECT_EQ(guest.machine().in_flight(), 0u);
  controller.closed(channel);
  controller.detached();
}

TEST(StorvscLoop, AgreesOnTheNewestVersionBothSpeak) {
  using wire::storvsc::Version;
  for (const auto newest : {Version::Win10, Version::Win8_1, Version::Win8, Version::Win7}) {
    FakeMachine ram(kSlots * kSlotPages);
    Handle handle;
    auto wanted = options(2);
    wanted.limits.newest = newest;
    Controller controller(wanted);
    controller.attached(handle);
    ASSERT_TRUE(controller.add({}, disk(kSlots * kRegionPages * kPage)));
    FakeChannel channel(ram);
    ASSERT_TRUE(controller.opened(channel));
    StorvscGuest guest(kSlots);
    Worker worker(ram, guest, channel, 0, kSlots, std::mt19937_64(1));
    auto properties = guest.connect(worker.queue(), {.sub_channels = 2});
    ASSERT_TRUE(properties);
    EXPECT_EQ(properties->dialect.version, newest);
    EXPECT_EQ(properties->sub_channels, newest == Version::Win7 ? 0 : 2);
    worker.run(500);
    EXPECT_EQ(worker.completed(), 500u);
    controller.closed(channel);
    controller.detached();
  }
}

}  // namespace
}  // namespace hv::test
