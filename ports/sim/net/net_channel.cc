// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <algorithm>

#include "core/base/mutant.hpp"
#include "ports/sim/kernel.hpp"
#include "ports/sim/net/net_driver.hpp"

// Channels: opening and closing, polling, draining. netvsc_channel.c.
namespace hv::sim::net {

using hv::vmbus::RingMemory;
using hv::vmbus::RingReader;
using hv::vmbus::RingWriter;
using hv::vmbus::Signal;
using netvsc::Event;

namespace {
constexpr uint32_t kRingPages = 4;  ///< both rings: a control page and a page of data each
constexpr hv::vmbus::Time kDrainLimit = netvsc::kDrainSeconds * 1000;
}  // namespace

// --- Opening ---

bool NetDriver::create_core(NetQueue& queue) {
  auto ring = [&](uint32_t offset) {
    return RingMemory::create({kernel_.memory().at(queue.ring->first + offset), 2 * Memory::kPage})
        .value();
  };
  auto writer = RingWriter::create(ring(0));
  auto reader = RingReader::create(ring(2));
  if (!writer || !reader) return false;
  queue.memory.assign(netvsc::QueueMemory::bytes_needed(plan_), std::byte{0});
  queue.sent.resize(plan_.pages);
  const auto arrays = netvsc::QueueMemory::create(queue.memory, plan_);
  queue.core = std::make_unique<netvsc::Queue>(hv::vmbus::Rings{writer.take(), reader.take()},
                                               plan_, arrays.value(), queue.index == 0);
  return true;
}

void NetDriver::start_polling(NetQueue& queue) {
  queue.ready = true;
  if (HV_MUTANT(69)) queue.napi.enable();
  // What the host has said before gives no further signal.
  if (!HV_MUTANT(27)) queue.napi.schedule();
}

/// Opens a channel; the primary one is polled at once. Polling is allowed before the channel opens,
/// so that no signal is lost. What was listed is freed by `close_channels`.
Task<NetQueue*> NetDriver::open_channel(NetAdapter& adapter, hv::vmbus::Channel& channel,
                                        unsigned index, NetSubChannel* sub) {
  if (kernel_.allocation_fails()) co_return nullptr;
  const auto headers = kernel_.memory().allocate(header_pages());
  if (!headers) co_return nullptr;
  if (HV_MUTANT(28) && adapter.queues[index]) {
    std::erase(napis_, adapter.queues[index].get());
    adapter.freed_queues.push_back(std::move(adapter.queues[index]));
  }
  adapter.queues[index] = std::make_unique<NetQueue>(adapter, channel, index);
  NetQueue& queue = *adapter.queues[index];
  queue.headers = *headers;
  napis_.push_back(&queue);
  if (sub) sub->queue = &queue;
  if (!HV_MUTANT(27)) queue.napi.enable();

  queue.ring = allocate(kRingPages);
  if (!queue.ring) co_return nullptr;
  for (const uint32_t offset : {0u, 2u}) {
    RingMemory::create({kernel_.memory().at(queue.ring->first + offset), 2 * Memory::kPage})
        .value()
        .reset();
  }
  const bool shared = co_await share(queue.ring, queue.waiter, channel);
  if (!shared) co_return nullptr;
  queue.callback = true;
  const uint32_t cpu = kernel_.any_cpu();
  const auto begun = kernel_.connection().open(channel, queue.ring->gpadl, 2, cpu, {},
                                               queue.waiter.request, kernel_.now());
  if (!begun) co_return nullptr;
  kernel_.used_cpu(cpu);
  kernel_.wait(queue.waiter);
  co_await tasks_.host("a channel to open", [&queue] { return !queue.waiter.waiting; });
  if (!queue.waiter.result.ok) co_return nullptr;
  queue.opened = true;
  if (!create_core(queue)) co_return nullptr;
  if (index == 0) {
    adapter.open = 1;
    if (HV_MUTANT(27)) queue.napi.enable();
    start_polling(queue);
  }
  co_return &queue;
}

/// Gives the channel what it needs for frames: the host has said how the buffers are cut.
Task<> NetDriver::ready_channel(NetQueue& queue) {
  NetAdapter& adapter = queue.adapter;
  const uint32_t share = adapter.send_sections.count / adapter.wanted;
  co_await tasks_.lock("a queue's lock", queue.lock);
  if (share) {
    const uint32_t size = adapter.send_sections.size;
    std::byte* memory =
        kernel_.memory().at(adapter.send->first) + size_t{share} * queue.index * size;
    (void)queue.core->sending()
        .share({.bytes = {memory, size_t{share} * size},
                .first = share * queue.index,
                .section_size = size})
        .ok();
  }
  queue.core->sending().adopt(adapter.facts.limits);
  queue.lock.held = false;
  if (queue.index == 0) co_return;
  queue.core->receiving().adopt(adapter.dialect);
  queue.core->receiving().share(receive_memory(adapter));
  co_await tasks_.turn();
  // The bug: polling is allowed when the channel has long been open, and what was said meanwhile
  // gives no further signal.
  if (HV_MUTANT(27)) queue.napi.enable();
  start_polling(queue);
}

/// The bus has a sub-channel for us.
Task<> NetDriver::sub_channel_came(NetSubChannel& sub) {
  const unsigned index = sub.channel().sub_index();
  if (HV_MUTANT(31)) co_await tasks_.lock("RTNL", rtnl_);
  co_await tasks_.lock("channels", channels_lock_);
  NetAdapter* adapter = accepting_;
  const bool listed =
      adapter && index && index < adapter->wanted &&
      (!adapter->queues[index] || (HV_MUTANT(28) && !adapter->queues[index]->opened));
  if (listed) {
    NetQueue* queue = co_await open_channel(*adapter, sub.channel(), index, &sub);
    if (queue) {
      co_await ready_channel(*queue);
      adapter->open++;
      schedule(queues_work_);
    }
  }
  channels_lock_.held = false;
  if (HV_MUTANT(31)) rtnl_.held = false;
  sub.handling = false;
}

// --- Closing ---

Task<> NetDriver::napi_disable(NetQueue& queue) {
  queue.napi.disabling = true;
  co_await tasks_.until("napi_disable", [&queue] { return !queue.napi.scheduled; });
  queue.napi.scheduled = true;
  queue.napi.disabling = false;
}

Task<> NetDriver::vmbus_close(NetQueue& queue) {
  queue.callback = false;
  (void)kernel_.connection().close(queue.channel);
  co_await unshare(queue.ring, queue.waiter);
}

/// Closes all channels, however far they were opened, and lets go of what the host had.
Task<> NetDriver::close_channels(NetAdapter& adapter) {
  co_await tasks_.lock("channels", channels_lock_);
  if (accepting_ == &adapter) accepting_ = nullptr;
  for (auto& queue : adapter.queues) {
    if (!queue) continue;
    // The bug: it is always the first one that is disabled.
    co_await napi_disable(HV_MUTANT(29) ? *adapter.queues[0] : *queue);
    co_await tasks_.until("the last poll to end", [&queue] { return queue->polls == 0; });
    queue->cancelled = true;
    co_await tasks_.until("a timer to end", [&queue] { return !queue->waiting; });
    std::erase(napis_, queue.get());
  }
  // Sub-channels first.
  for (size_t i = adapter.queues.size(); i > 0; i--) {
    NetQueue* queue = adapter.queues[i - 1].get();
    if (queue) co_await vmbus_close(*queue);
  }
  for (auto& queue : adapter.queues) {
    if (!queue) continue;
    forget_frames(*queue);
    if (queue->headers) kernel_.memory().free(queue->headers, header_pages());
    for (NetSubChannel* sub : sub_channels_) {
      if (sub->queue == queue.get()) sub->queue = nullptr;
    }
    adapter.freed_queues.push_back(std::move(queue));
  }
  channels_lock_.held = false;
}

size_t NetDriver::in_flight(const NetAdapter& adapter) const {
  size_t count = 0;
  for (const auto& queue : adapter.queues) {
    if (queue && queue->ready) count += queue->core->in_flight();
  }
  return count;
}

bool NetDriver::incoming_empty(const NetAdapter& adapter) {
  for (const auto& queue : adapter.queues) {
    if (!queue || !queue->opened) continue;
    auto ring =
        RingMemory::create({kernel_.memory().at(queue->ring->first + 2), 2 * Memory::kPage});
    auto reader = RingReader::create(ring.value());
    if (!reader) continue;
    const auto readable = reader.value().readable();
    if (readable && *readable) return false;
  }
  return true;
}

/// Waits until the host has nothing of ours, or its time is up. No sender is left. True: it has
/// nothing.
Task<bool> NetDriver::drain(NetAdapter& adapter) {
  for (unsigned i = 0; i < adapter.active; i++) {
    NetQueue& queue = *adapter.queues[i];
    co_await tasks_.lock("a queue's lock", queue.lock);
    (void)queue.core->sending().flush().ok();
    queue.lock.held = false;
    co_await publish(queue);
  }
  const auto done = [this, &adapter] {
    for (unsigned i = 0; i < adapter.active; i++) {
      if (adapter.queues[i]->core->sending().batch_open()) return false;
    }
    return in_flight(adapter) == 0;
  };
  co_await tasks_.host(
      "the host to finish our frames",
      [this, &adapter, done] { return done() || hopeless(adapter); }, kDrainLimit);
  co_return done();
}

// --- Polling ---

Task<> NetDriver::signal_host(NetQueue& queue, Signal signal) {
  if (signal != Signal::Yes) co_return;
  co_await tasks_.turn();
  kernel_.host().signalled(queue.channel.offer().connection_id);
}

/// Shows the host what is staged.
Task<> NetDriver::publish(NetQueue& queue) {
  co_await tasks_.lock("a queue's lock", queue.lock);
  const Signal signal = queue.core->sending().publish();
  queue.lock.held = false;
  co_await signal_host(queue, signal);
}

void NetDriver::break_off(NetQueue& queue) {
  if (honest()) fail("the ring of an honest host makes no sense");
  if (queue.adapter.broken) return;
  kernel_.log()("queue %u: ring broken by the host", queue.index);
  queue.adapter.broken = true;
  schedule(broken_work_);
}

/// What the round owes: completions, the batch that found no room before, a queue that may go on.
/// True: go on without waiting, as completions found no room. With `may_wait` completions may be
/// left for the next frame to be published with.
Task<bool> NetDriver::settle(NetQueue& queue, bool may_wait) {
  co_await tasks_.lock("a queue's lock", queue.lock);
  const auto paid = queue.core->pay_completions();
  auto& sending = queue.core->sending();
  Signal signal = Signal::No;
  if (may_wait && paid && sending.may_wait()) {
    // The bug: nobody looks after what waits, should no frame go out.
    if (!queue.waiting && !HV_MUTANT(71)) {
      queue.waiting = true;
      tasks_.spawn("wait timer", wait_timer(queue));
    }
  } else {
    if (paid && sending.batch_open()) (void)sending.flush().ok();
    signal = sending.publish();
  }
  wake(queue);
  queue.lock.held = false;
  co_await signal_host(queue, signal);
  if (paid) co_return false;
  if (paid.error() != Error::RingFull) break_off(queue);
  kernel_.log()("queue %u owes completions: no room", queue.index);
  co_return paid.error() == Error::RingFull;
}

Task<> NetDriver::wait_timer(NetQueue& queue) {
  using Due = netvsc::Piggyback::Due;
  Due due = Due::Later;
  Signal signal = Signal::No;
  while (due == Due::Later) {
    co_await tasks_.clock(
        "completions that wait", [&queue] { return queue.cancelled; },
        netvsc::Piggyback::kPeriodMs);
    if (queue.cancelled) break;
    co_await tasks_.lock("a queue's lock", queue.lock);
    due = queue.core->sending().wait_expired();
    if (due == Due::Now) signal = queue.core->sending().publish();
    queue.lock.held = false;
  }
  queue.waiting = false;
  co_await signal_host(queue, signal);
}

/// What was given up, for it was too late or the host took the device away, may be answered still.
bool NetDriver::gave_up(Error error) const {
  return error == Error::BadId && (channel_.rescinded() || kernel_.profile().slow);
}

/// The packets taken, fewer than `budget` when it is done with polling.
Task<uint32_t> NetDriver::poll(NetQueue& queue, uint32_t budget) {
  if (!queue.ready || queue.adapter.broken) {
    (void)queue.napi.complete();
    co_return 0;
  }
  auto& receiving = queue.core->receiving();
  receiving.mask();
  queue.masked = true;
  bool busy = false;
  uint32_t done = 0;
  while (done < budget && !busy) {
    const auto event = receiving.next();
    if (!event && event.error() == Error::RingEmpty) break;
    if (!event && event.error() == Error::RingCorrupt) {
      break_off(queue);
      break;
    }
    done++;
    if (event) {
      take(queue, *event);
    } else if (event.error() == Error::Exhausted) {
      busy = co_await settle(queue, false);
    } else if (honest() && !gave_up(event.error())) {
      fail(std::string("a packet of an honest host is refused: ") + name(event.error()));
    }
  }
  co_await tasks_.turn();
  if (!busy) busy = co_await settle(queue, done < budget);
  co_await signal_host(queue, receiving.give_back());
  if (HV_MUTANT(26) && busy) {
    (void)queue.napi.complete();  // the bug: nobody goes on for what is owed, and no signal comes
    co_return 0;
  }
  // While completions are owed there is no end: nobody would wake us for them.
  if (busy || done >= budget) co_return budget;
  const uint32_t position = receiving.position();
  if (!queue.napi.complete()) co_return done;
  co_await tasks_.turn();
  // From here on another CPU may poll.
  queue.masked = false;
  const bool more = receiving.unmask_behind(position);
  co_await tasks_.turn();
  if (more) queue.napi.schedule();
  co_return done;
}

Task<> NetDriver::softirq() {
  const auto due = [this] {
    return std::any_of(napis_.begin(), napis_.end(),
                       [](const NetQueue* queue) { return queue->napi.listed; });
  };
  for (;;) {
    co_await tasks_.work(due);
    while (!kernel_.rng().chance(poll_attention_)) co_await tasks_.turn();
    if (!due()) continue;
    std::vector<NetQueue*> listed;
    for (NetQueue* queue : napis_) {
      if (queue->napi.listed) listed.push_back(queue);
    }
    NetQueue& queue = *listed[kernel_.rng().below(static_cast<uint32_t>(listed.size()))];
    queue.napi.listed = false;
    const uint32_t budget = 1 + kernel_.rng().below(8);
    queue.polls++;
    const uint32_t done = co_await poll(queue, budget);
    queue.polls--;
    if (done < budget) {
      // At rest it owes nothing, and hears of what comes.
      const bool rests =
          !queue.napi.scheduled && queue.polls == 0 && queue.ready && !queue.adapter.broken;
      if (rests && honest() && queue.core->receiving().owes())
        fail("a queue rests and owes completions: nobody would wake it");
      if (rests && honest() && queue.masked) fail("a queue rests with its signals masked");
      continue;
    }
    if (queue.napi.disabling) {
      queue.napi.scheduled = false;
    } else {
      queue.napi.listed = true;
    }
  }
}

void NetDriver::take(NetQueue& queue, const Event& event) {
  NetAdapter& adapter = queue.adapter;
  if (adapter.freed) fail("a packet is taken for an adapter that was freed");
  switch (event.kind) {
    case Event::Kind::Frame:
      take_frame(event);
      break;
    case Event::Kind::Sent:
      frame_sent(queue, event);
      break;
    case Event::Kind::Control:
      take_control(adapter, event.bytes);
      break;
    case Event::Kind::Answered:
      adapter.setup_answer.assign(event.bytes.begin(), event.bytes.end());
      adapter.setup_done = true;
      break;
    case Event::Kind::SendTable: {
      uint32_t most = 0;
      for (const uint32_t entry : *event.table) most = std::max(most, entry);
      for (size_t i = 0; i < send_table_.size(); i++) {
        send_table_[i] = (*event.table)[i] % Netdev::kMostQueues;
        if (honest() && (*event.table)[i] != i % (most + 1))
          fail("the send table is not the one that the host means");
      }
      break;
    }
    case Event::Kind::Dropped:
      if (honest()) fail("a frame of an honest host makes no sense");
      break;
    case Event::Kind::ControlSent:
      if (honest() && !event.good) fail("an honest host refuses a request");
      break;
    case Event::Kind::VfAssociation:
      function_told(event.vf_allocated, event.vf_serial);
      break;
    case Event::Kind::Ignored:
      break;
  }
}

void NetDriver::take_frame(const Event& event) {
  if (!dev_.running) return;  // counted as dropped
  std::vector<std::byte> frame;
  for (const auto& part : event.fragments)
    frame.insert(frame.end(), part.data, part.data + part.length);
  ledger().received(frame, honest());
}

}  // namespace hv::sim::net
