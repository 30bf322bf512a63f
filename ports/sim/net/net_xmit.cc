// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <algorithm>
#include <cstring>

#include "core/base/mutant.hpp"
#include "ports/sim/kernel.hpp"
#include "ports/sim/net/net_driver.hpp"
#include "ports/sim/net/nic.hpp"

// Frames of the stack go to the host. netvsc_xmit.c.
namespace hv::sim::net {

using hv::vmbus::Signal;
using netvsc::SendFrame;

namespace {
constexpr uint32_t kWakePercent =
    20;  ///< a stopped queue goes on when more than this is free of its ring
constexpr uint32_t kEthernetHeader = 14;
}  // namespace

// --- The stack ---

bool NetDriver::may_queue(unsigned index) const {
  return dev_.registered && dev_.running && dev_.present && dev_.carrier && index < dev_.queues &&
         !dev_.stopped[index];
}

std::optional<Skb> NetDriver::new_skb() {
  Rng& rng = kernel_.rng();
  Skb skb;
  skb.length = rng.chance(300)
                   ? Ledger::kLeast + rng.below(dev_.mtu + kEthernetHeader - Ledger::kLeast + 1)
                   : Ledger::kLeast + rng.below(300);
  skb.offset = rng.below(Memory::kPage);
  skb.pages = static_cast<uint32_t>((skb.offset + skb.length + Memory::kPage - 1) / Memory::kPage);
  const auto first = kernel_.memory().allocate(skb.pages);
  if (!first) return std::nullopt;
  skb.first = *first;
  skb.number = ledger().new_sent(skb.length);
  Ledger::fill({at(uint64_t{skb.first} * Memory::kPage + skb.offset), skb.length}, skb.number,
               std::array<uint8_t, 6>{2, 2, 2, 2, 2, 2});
  return skb;
}

void NetDriver::free_skb(const Skb& skb) {
  std::memset(kernel_.memory().at(skb.first), 0xdd, skb.pages * Memory::kPage);
  kernel_.memory().free(skb.first, skb.pages);
}

/// The frame is dropped, and counted.
void NetDriver::drop(const Skb& skb) {
  ledger().given_up(skb.number);
  free_skb(skb);
}

/// Whoever sends: a burst by one of the queues that are not stopped.
Task<> NetDriver::sender() {
  const auto free_queue = [this](unsigned index) {
    return may_queue(index) && !tx_locks_[index].held;
  };
  for (;;) {
    co_await tasks_.work([this, free_queue] {
      for (unsigned i = 0; i < dev_.queues; i++) {
        if (frames_left_ && free_queue(i)) return true;
      }
      return false;
    });
    unsigned index = kernel_.rng().below(dev_.queues);
    while (!free_queue(index)) index = (index + 1) % dev_.queues;
    tx_locks_[index].held = true;
    for (uint32_t burst = 1 + kernel_.rng().below(8); burst > 0 && frames_left_ && may_queue(index);
         burst--) {
      auto skb = requeued_[index] ? std::exchange(requeued_[index], std::nullopt) : new_skb();
      if (!skb) break;
      const bool sent = co_await start_xmit(index, *skb, burst > 1 && frames_left_ > 1);
      if (sent) {
        frames_left_ -= frames_left_ > 0;
        continue;
      }
      requeued_[index] = skb;
      break;
    }
    tx_locks_[index].held = false;
  }
}

// --- The driver ---

/// False: the stack keeps the frame (NETDEV_TX_BUSY).
Task<bool> NetDriver::start_xmit(unsigned index, Skb& skb, bool more) {
  senders_++;
  NetAdapter* adapter = adapter_;
  bool sent = true;
  if (function_.carries() && vf_.running) {
    co_await tasks_.turn();
    ledger().accepted(skb.number);
    kernel_.host().function_sends(
        {at(uint64_t{skb.first} * Memory::kPage + skb.offset), skb.length});
    free_skb(skb);
  } else if (adapter && index < adapter->active) {
    if (!adapter->queues[index] || !adapter->queues[index]->core)
      fail("a frame is sent by a queue that is not set up");
    sent = co_await xmit(*adapter, *adapter->queues[index], skb, more);
  } else {
    drop(skb);
  }
  senders_--;
  co_return sent;
}

bool NetDriver::may_send(NetQueue& queue, uint32_t percent) {
  auto& sending = queue.core->sending();
  const auto may = sending.may_send(sending.ring_capacity() * percent / 100);
  return may && *may;
}

/// Under the queue's lock: no more frames until the host has done some. Closes the race with it.
void NetDriver::stop_queue(NetQueue& queue) {
  dev_.stopped[queue.index] = true;
  kernel_.log()("queue %u stops, pages %s", queue.index,
                queue.core->sending().pages().empty() ? "used up" : "left");
  // From here on a signal comes when there is room; there may be already.
  auto& sending = queue.core->sending();
  const auto room = sending.wait_for_space(sending.ring_capacity() * kWakePercent / 100);
  if (room && *room) wake(queue);
}

/// Under the queue's lock: frames may come again, if the queue was stopped and has room.
void NetDriver::wake(NetQueue& queue) {
  if (!dev_.stopped[queue.index] || !dev_.running || !dev_.present || adapter_ != &queue.adapter)
    return;
  if (may_send(queue, kWakePercent)) dev_.stopped[queue.index] = false;
}

Task<bool> NetDriver::xmit(NetAdapter& adapter, NetQueue& queue, Skb& skb, bool more) {
  bool kept = false;
  co_await tasks_.lock("a queue's lock", queue.lock);
  if (adapter.freed) fail("a frame is sent by an adapter that was freed");
  const auto sent = send(queue, skb, kept);
  if (sent) ledger().accepted(skb.number);
  bool stop = !may_send(queue, stop_percent_);
  if (stop) more = false;
  const bool busy = !sent && (sent.error() == Error::RingFull || sent.error() == Error::Exhausted);
  stop = stop || busy;
  // It may be that a completion has come before the queue is stopped: so it looks again.
  if (stop && !HV_MUTANT(25)) stop_queue(queue);
  Signal signal = Signal::No;
  if (!more || !sent) {
    (void)queue.core->sending().flush().ok();
    signal = queue.core->sending().publish();
  }
  queue.lock.held = false;
  co_await signal_host(queue, signal);
  if (stop && HV_MUTANT(25)) {
    co_await tasks_.turn();
    dev_.stopped[queue.index] = true;
  }
  if (busy) co_return false;
  if (!sent) {
    drop(skb);
  } else if (!kept) {
    free_skb(skb);
  }
  co_return true;
}

/// Under the queue's lock.
Result<void> NetDriver::send(NetQueue& queue, Skb& skb, bool& kept) {
  const SendFrame frame{.length = skb.length};
  if (queue.core->sending().fits_section(frame)) {
    const auto copied = send_copy(queue, skb);
    if (copied || copied.error() != Error::Exhausted) return copied;
  }
  const auto sent = send_pages(queue, skb);
  kept = sent.ok();
  return sent;
}

Result<void> NetDriver::send_copy(NetQueue& queue, const Skb& skb) {
  auto place = queue.core->sending().copy(SendFrame{.length = skb.length});
  if (!place) return place.error();
  std::memcpy(*place, at(uint64_t{skb.first} * Memory::kPage + skb.offset), skb.length);
  return {};
}

Result<void> NetDriver::send_pages(NetQueue& queue, Skb& skb) {
  auto& sending = queue.core->sending();
  const uint16_t slot = HV_TRY(sending.take_pages());
  const unsigned index = slot - queue.core->plan().sections;
  Sent& sent = queue.sent[index];
  // The bug: rooms for headers are not cut so that each lies in one page.
  const uint32_t room_at = HV_MUTANT(37) ? 4064 : index * uint32_t{netvsc::kHeaderRoom};
  const uint64_t header = uint64_t{queue.headers} * Memory::kPage + (HV_MUTANT(37) ? 0 : room_at);
  // Before it is sent: its completion may come at once.
  sent.skb = skb;
  // The bug: what was mapped for a frame that found no room is still mapped, and taken for the next
  // one's.
  if (!(HV_MUTANT(38) && sent.mapped)) {
    const auto header_at = map(header, netvsc::kHeaderRoom);
    const auto data_at = header_at
                             ? map(uint64_t{skb.first} * Memory::kPage + skb.offset, skb.length)
                             : std::nullopt;
    if (!data_at) {
      if (header_at) unmap(*header_at, netvsc::kHeaderRoom);
      sent.skb.reset();
      sending.drop_pages(slot);
      return Error::NoMemory;
    }
    sent.header_at = *header_at;
    sent.data_at = *data_at;
    sent.mapped = true;
  }
  const SendFrame frame{.length = skb.length};
  auto staged = sending.list_header(frame, HV_MUTANT(37) ? header + room_at : sent.header_at);
  if (staged) staged = sending.list_piece(sent.data_at, skb.length);
  if (staged) staged = sending.send_pages(slot, frame, {at(header), netvsc::kHeaderRoom});
  if (staged) {
    // The header was written behind its mapping; nothing is published yet.
    if (sent.header_at != header) std::memcpy(at(sent.header_at), at(header), netvsc::kHeaderRoom);
    return {};
  }
  if (!HV_MUTANT(38)) unmap_sent(sent);
  sent.skb.reset();
  sending.drop_pages(slot);
  return staged.error();
}

void NetDriver::unmap_sent(Sent& sent) {
  if (!sent.mapped) return;
  unmap(sent.header_at, netvsc::kHeaderRoom);
  unmap(sent.data_at, sent.skb->length);
  sent.mapped = false;
}

/// The host is done with a slot. From the poll.
void NetDriver::frame_sent(NetQueue& queue, const netvsc::Event& event) {
  if (event.slot_kind == netvsc::SlotKind::Pages) {
    const size_t index = size_t{event.slot} - queue.core->plan().sections;
    if (index >= queue.sent.size() || !queue.sent[index].skb)
      fail("a completion of another kind is taken for a frame's");
    Sent& sent = queue.sent[index];
    unmap_sent(sent);
    free_skb(*sent.skb);
    sent.skb.reset();
  }
  if (!event.good && honest()) fail("an honest host refuses a frame");
  queue.core->release(event.slot);
}

/// Behind the closing of the channel: what the host had is lost.
void NetDriver::forget_frames(NetQueue& queue) {
  for (Sent& sent : queue.sent) {
    if (!sent.skb) continue;
    unmap_sent(sent);
    drop(*sent.skb);
    sent.skb.reset();
  }
}

}  // namespace hv::sim::net
