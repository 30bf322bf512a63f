// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "ports/sim/ring_model.hpp"

#include <ucontext.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <unordered_set>
#include <vector>

// The ring's own code, in a namespace of its own beside the one that the rest of the simulator
// uses.
#define vmbus vmbus_model
#include "core/vmbus/ring.cc"
#include "ports/sim/model/core/vmbus/shared.hpp"
#undef vmbus

namespace hv::sim {

namespace {

namespace ring = hv::vmbus_model;
using model::Order;
using ring::Signal;

constexpr size_t kWords =
    5;  ///< write_index, read_index, interrupt_mask, pending_send_size, feature_bits
constexpr size_t kBlock = 1024;
constexpr size_t kBlocks = 4;  ///< a page of data, a packet each
constexpr size_t kPayload = kBlock - 24;

/// How far a thread has seen: the newest store of each word, and the other thread's data accesses.
struct View {
  std::array<uint8_t, kWords> word{};
  std::array<uint8_t, 2> clock{};
  void join(const View& other) {
    for (size_t i = 0; i < kWords; i++) word[i] = std::max(word[i], other.word[i]);
    for (size_t i = 0; i < 2; i++) clock[i] = std::max(clock[i], other.clock[i]);
  }
};

struct Store {
  uint32_t value;
  View released;  ///< what whoever acquires it has seen then
};

struct Thread {
  ucontext_t context{};
  std::vector<char> stack = std::vector<char>(64 * 1024);
  View view;
  enum class Pending { None, Load, Store, Sleep } pending = Pending::None;
  Order order = Order::Relaxed;
  size_t word = 0;
  uint32_t value = 0;
  bool done = false;
  uint64_t seen = 0;  ///< hash of all it was told: its own state follows from that
};

struct Block {
  uint8_t written_by = 2, written_at = 0;
  std::array<uint8_t, 2> read_at{};
};

class Checker;
Checker* current = nullptr;

class Checker {
 public:
  Checker(int scenario, Weaken weaken) : scenario_(scenario), weaken_(weaken) {}

  ModelOutcome run() {
    ModelOutcome outcome;
    current = this;
    do {
      outcome.executions++;
      execute();
    } while (problem_.empty() && backtrack());
    current = nullptr;
    outcome.states = visited_.size();
    outcome.ok = problem_.empty();
    if (!outcome.ok) outcome.why = problem_ + "; schedule:" + schedule();
    return outcome;
  }

  // What the code calls.
  uint32_t load(const uint32_t& word, Order order) {
    Thread& thread = threads_[running_];
    thread.pending = Thread::Pending::Load;
    thread.word = index_of(word);
    thread.order = order;
    yield();
    return thread.value;
  }
  void store(uint32_t& word, uint32_t value, Order order) {
    Thread& thread = threads_[running_];
    thread.pending = Thread::Pending::Store;
    thread.word = index_of(word);
    thread.order = order;
    thread.value = value;
    yield();
  }
  void data_read(const void* at, size_t length) {
    for_blocks(at, length, [&](Block& block) {
      const View& view = threads_[running_].view;
      if (block.written_by < 2 && block.written_by != running_ &&
          block.written_at > view.clock[block.written_by]) {
        complain("data read that is not published yet: a stale packet");
      }
      block.read_at[running_] = static_cast<uint8_t>(view.clock[running_]);
    });
  }
  void data_write(const void* at, size_t length) {
    for_blocks(at, length, [&](Block& block) {
      const View& view = threads_[running_].view;
      const size_t other = 1 - running_;
      if (block.read_at[other] > view.clock[other])
        complain("data overwritten that is still being read");
      block.written_by = static_cast<uint8_t>(running_);
      block.written_at = view.clock[running_];
    });
  }

 private:
  // --- The program: one producer, one consumer ---

  struct Plan {
    unsigned packets;
    unsigned batch;    ///< packets per commit of the producer
    unsigned before;   ///< packets in the ring at the start
    bool masks;        ///< the consumer masks while it is awake
    bool commit_each;  ///< the consumer gives room back after each packet
  };
  Plan plan() const {
    switch (scenario_) {
      case 0:
        return {3, 1, 0, false, false};
      case 1:
        return {3, 1, 0, true, false};
      case 2:
        return {2, 1, 3, false, true};
      default:
        return {3, 2, 2, true, false};
    }
  }

  void producer() {
    const Plan it = plan();
    auto writer = ring::RingWriter::create(memory()).value();
    std::vector<std::byte> payload(kPayload);
    unsigned staged = 0;
    const auto commit = [&] {
      staged = 0;
      if (writer.commit() == Signal::Yes) wake(1);
    };
    for (unsigned number = it.before; number < it.before + it.packets; number++) {
      std::memcpy(payload.data(), &number, sizeof(number));
      for (;;) {
        auto put = writer.stage(wire::PacketType::DataInBand, 0, number + 1, {}, payload);
        if (put) break;
        if (put.error() != Error::RingFull) {
          complain("the producer finds the ring corrupt");
          return;
        }
        commit();
        auto room = writer.wait_for_space(
            static_cast<uint32_t>(ring::RingWriter::packet_size(0, kPayload)));
        if (!room) {
          complain("the producer cannot wait for room");
          return;
        }
        if (!room.value()) sleep();
      }
      if (++staged == it.batch) commit();
    }
    commit();
  }

  void consumer() {
    const Plan it = plan();
    auto reader = ring::RingReader::create(memory()).value();
    std::vector<std::byte> buffer(4096);
    unsigned next = 0;
    bool awake = it.before != 0;
    const auto commit = [&] {
      if (reader.commit() == Signal::Yes) wake(0);
    };
    for (;;) {
      if (!awake) sleep();
      if (it.masks) reader.mask();
      for (;;) {
        auto packet = reader.read(buffer);
        if (!packet) {
          if (packet.error() != Error::RingEmpty) {
            complain("the consumer finds the ring corrupt");
            return;
          }
          break;
        }
        unsigned number = 0;
        std::memcpy(&number, packet->payload.data(), sizeof(number));
        if (number != next || packet->transaction_id != next + 1)
          complain("a packet lost, repeated or out of order");
        next++;
        if (it.commit_each) commit();
      }
      commit();
      if (next == it.before + it.packets) return;
      auto more = reader.unmask();
      if (!more) {
        complain("the consumer finds the ring corrupt when it unmasks");
        return;
      }
      awake = more.value();
    }
  }

  /// A signal is a system call or an interrupt: what came before it is seen by whoever wakes from
  /// it.
  void wake(size_t who) {
    flag_[who] = true;
    flag_view_[who].join(threads_[running_].view);
  }
  void sleep() {
    Thread& thread = threads_[running_];
    thread.pending = Thread::Pending::Sleep;
    yield();
  }

  // --- One execution ---

  void execute() {
    depth_ = 0;
    schedule_.clear();
    pruned_ = false;
    flag_ = {};
    flag_view_ = {};
    blocks_ = {};
    last_ordered_ = {};
    std::memset(area_.get(), 0, sizeof(Area));
    for (auto& history : history_) history.assign(1, Store{0, View{}});
    history_[4][0].value = wire::kRingFeaturePendingSendSize;
    fill_before();
    for (size_t i = 0; i < 2; i++) {
      Thread& thread = threads_[i];
      thread.view = View{};
      thread.view.clock[i] = 1;
      thread.pending = Thread::Pending::None;
      thread.done = false;
      thread.seen = 0;
      getcontext(&thread.context);
      thread.context.uc_stack.ss_sp = thread.stack.data();
      thread.context.uc_stack.ss_size = thread.stack.size();
      thread.context.uc_link = &main_;
      makecontext(&thread.context, &Checker::enter, 0);
      resume(i);
    }
    while (problem_.empty() && !pruned_ && step()) {
    }
  }

  static void enter() {
    Checker* checker = current;
    const size_t me = checker->running_;
    if (me == 0) {
      checker->producer();
    } else {
      checker->consumer();
    }
    checker->threads_[me].done = true;
    checker->threads_[me].pending = Thread::Pending::None;
  }

  void resume(size_t thread) {
    running_ = thread;
    swapcontext(&main_, &threads_[thread].context);
  }
  void yield() { swapcontext(&threads_[running_].context, &main_); }

  /// What is in the ring before the two begin, written by the code itself and known to both.
  void fill_before() {
    const Plan it = plan();
    for (unsigned number = 0; number < it.before; number++) {
      std::byte* at = area_->data + number * kBlock;
      const wire::PacketDescriptor descriptor{
          wire::PacketType::DataInBand, 2, static_cast<uint16_t>((kBlock - 8) / 8), 0, number + 1};
      std::memcpy(at, &descriptor, sizeof(descriptor));
      std::memcpy(at + sizeof(descriptor), &number, sizeof(number));
    }
    history_[0][0].value = static_cast<uint32_t>(it.before * kBlock);
  }

  /// Carries out one access of one thread: which, and for a load which of the stores it reads, is
  /// the choice.
  bool step() {
    struct Option {
      uint8_t thread, store;
    };
    std::array<Option, 32> options;
    size_t count = 0;
    bool unfinished = false;
    for (uint8_t i = 0; i < 2; i++) {
      const Thread& thread = threads_[i];
      if (thread.done) continue;
      unfinished = true;
      switch (thread.pending) {
        case Thread::Pending::None:
          break;
        case Thread::Pending::Sleep:
          if (flag_[i]) options[count++] = {i, 0};
          break;
        case Thread::Pending::Store:
          options[count++] = {i, 0};
          break;
        case Thread::Pending::Load: {
          size_t oldest = thread.view.word[thread.word];
          if (thread.order == Order::Ordered && weaken_ != Weaken::Ordered)
            oldest = std::max<size_t>(oldest, last_ordered_[thread.word]);
          // The newest first: that is the quick way to the end.
          for (size_t at = history_[thread.word].size(); at-- > oldest;)
            options[count++] = {i, static_cast<uint8_t>(at)};
          break;
        }
      }
    }
    if (count == 0) {
      if (unfinished) complain("everybody sleeps with work left: a lost wake-up");
      return false;
    }
    size_t chosen = 0;
    if (depth_ < choices_.size()) {
      chosen = choices_[depth_].taken;
    } else {
      if (!visited_.insert(state_hash()).second) {
        pruned_ = true;
        return false;
      }
      choices_.push_back({0, static_cast<uint8_t>(count)});
    }
    depth_++;
    const Option option = options[chosen];
    perform(option.thread, option.store);
    resume(option.thread);
    return true;
  }

  void perform(size_t who, size_t which) {
    Thread& thread = threads_[who];
    switch (thread.pending) {
      case Thread::Pending::None:
        break;
      case Thread::Pending::Sleep:
        flag_[who] = false;
        thread.view.join(flag_view_[who]);
        break;
      case Thread::Pending::Load: {
        const Store& store = history_[thread.word][which];
        thread.value = store.value;
        thread.view.word[thread.word] =
            std::max(thread.view.word[thread.word], static_cast<uint8_t>(which));
        const bool acquires = thread.order == Order::Ordered ||
                              (thread.order == Order::Acquire && weaken_ != Weaken::Acquire);
        if (acquires) thread.view.join(store.released);
        break;
      }
      case Thread::Pending::Store: {
        auto& history = history_[thread.word];
        const auto at = static_cast<uint8_t>(history.size());
        thread.view.word[thread.word] = at;
        View released;
        if (thread.order == Order::Ordered) released = thread.view;
        history.push_back({thread.value, released});
        if (thread.order == Order::Ordered) {
          last_ordered_[thread.word] = at;
          thread.view.clock[who]++;
        }
        break;
      }
    }
    schedule_.push_back({static_cast<uint8_t>(who), thread.pending,
                         static_cast<uint8_t>(thread.word), thread.value});
    thread.seen = mix(thread.seen, (static_cast<uint64_t>(thread.pending) << 40) ^
                                       (uint64_t{thread.word} << 32) ^ thread.value);
    thread.pending = Thread::Pending::None;
  }

  /// P or C, the word, "?" and what was read or "=" and what was written.
  std::string schedule() const {
    static const char* const names[kWords] = {"write", "read", "mask", "wish", "features"};
    std::string text;
    for (const Access& access : schedule_) {
      text += access.thread == 0 ? " P:" : " C:";
      if (access.what == Thread::Pending::Sleep) {
        text += "woken";
      } else {
        text += names[access.word];
        text += access.what == Thread::Pending::Load ? "?" : "=";
        text += std::to_string(access.value);
      }
    }
    return text;
  }

  bool backtrack() {
    while (!choices_.empty()) {
      if (++choices_.back().taken < choices_.back().count) return true;
      choices_.pop_back();
    }
    return false;
  }

  static uint64_t mix(uint64_t hash, uint64_t value) {
    hash ^= value + 0x9e3779b97f4a7c15u + (hash << 6) + (hash >> 2);
    hash *= 0xff51afd7ed558ccdu;
    return hash ^ (hash >> 33);
  }
  static uint64_t mix(uint64_t hash, const View& view) {
    for (const auto word : view.word) hash = mix(hash, word);
    for (const auto clock : view.clock) hash = mix(hash, clock);
    return hash;
  }
  uint64_t state_hash() const {
    uint64_t hash = 1;
    for (size_t i = 0; i < 2; i++) {
      hash = mix(hash, threads_[i].seen);
      hash = mix(hash, threads_[i].view);
      hash = mix(hash, flag_[i]);
      if (flag_[i]) hash = mix(hash, flag_view_[i]);
    }
    for (size_t word = 0; word < kWords; word++) {
      hash = mix(hash, last_ordered_[word]);
      for (const Store& store : history_[word]) hash = mix(mix(hash, store.value), store.released);
    }
    for (const Block& block : blocks_) {
      hash = mix(hash, uint64_t{block.written_by} << 24 | uint64_t{block.written_at} << 16 |
                           uint64_t{block.read_at[0]} << 8 | block.read_at[1]);
    }
    return hash;
  }

  size_t index_of(const uint32_t& word) const {
    const auto& control = area_->control;
    if (&word == &control.write_index) return 0;
    if (&word == &control.read_index) return 1;
    if (&word == &control.interrupt_mask) return 2;
    if (&word == &control.pending_send_size) return 3;
    return 4;
  }
  template <typename Visit>
  void for_blocks(const void* at, size_t length, Visit visit) {
    const auto offset = static_cast<size_t>(static_cast<const std::byte*>(at) - area_->data);
    for (size_t block = offset / kBlock; block <= (offset + length - 1) / kBlock && block < kBlocks;
         block++)
      visit(blocks_[block]);
  }
  ring::RingMemory memory() {
    return ring::RingMemory::create({reinterpret_cast<std::byte*>(area_.get()), sizeof(Area)})
        .value();
  }
  void complain(const char* what) {
    if (problem_.empty()) problem_ = what;
  }

  struct Area {
    wire::RingControl control;
    std::byte data[kBlock * kBlocks];
  };
  struct Choice {
    uint8_t taken, count;
  };
  const int scenario_;
  const Weaken weaken_;
  std::unique_ptr<Area> area_ = std::make_unique<Area>();
  std::array<Thread, 2> threads_;
  ucontext_t main_{};
  size_t running_ = 0;
  std::array<std::vector<Store>, kWords> history_;
  std::array<uint8_t, kWords> last_ordered_{};
  std::array<bool, 2> flag_{};
  std::array<View, 2> flag_view_;
  std::array<Block, kBlocks> blocks_;
  std::vector<Choice> choices_;
  size_t depth_ = 0;
  bool pruned_ = false;
  std::unordered_set<uint64_t> visited_;
  struct Access {
    uint8_t thread;
    Thread::Pending what;
    uint8_t word;
    uint32_t value;
  };
  std::vector<Access> schedule_;
  std::string problem_;
};

}  // namespace

namespace model {
uint32_t load(const uint32_t& word, Order order) { return current->load(word, order); }
void store(uint32_t& word, uint32_t value, Order order) { current->store(word, value, order); }
void data_read(const void* at, size_t length) { current->data_read(at, length); }
void data_write(const void* at, size_t length) { current->data_write(at, length); }
}  // namespace model

const char* model_scenario_name(int scenario) {
  switch (scenario) {
    case 0:
      return "three packets to a sleeper";
    case 1:
      return "three packets to a sleeper that masks";
    case 2:
      return "a full ring, room given back packet by packet";
    default:
      return "batches into a ring half full, masked";
  }
}

ModelOutcome check_ring_model(int scenario, Weaken weaken) {
  return Checker(scenario, weaken).run();
}

}  // namespace hv::sim
