// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/vmbus/channel.hpp"

#include <fmt/format.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/wire/ring.hpp"

namespace hv::host::vmbus {
namespace {

struct MappedRing {
  std::unique_ptr<Mapping> pages;
  hv::vmbus::RingMemory memory;
};

/// Control page, data, and the data once more. Errors: BadValue (not RAM), and RingMemory's.
Result<MappedRing> map_ring(Machine& machine, std::span<const uint64_t> frames) {
  std::vector<uint64_t> twice(frames.begin(), frames.end());
  twice.insert(twice.end(), frames.begin() + 1, frames.end());
  auto pages = machine.map_pages(twice);
  if (!pages) return Error::BadValue;
  const auto memory = HV_TRY(hv::vmbus::RingMemory::create(
      pages->bytes().first(frames.size() * hv::wire::kPageSize), true));
  return MappedRing{std::move(pages), memory};
}

}  // namespace

ServedChannel::ServedChannel(Machine& machine, const OpenRings& rings, std::string name,
                             Faults& faults, Log& log)
    : machine_(machine),
      faults_(faults),
      log_(log),
      name_(std::move(name)),
      index_(rings.index),
      relid_(rings.relid),
      connection_id_(rings.connection_id),
      monitor_(rings.monitor),
      vp_(rings.vp) {}

Result<std::unique_ptr<ServedChannel>> ServedChannel::create(Machine& machine,
                                                             const OpenRings& rings,
                                                             std::string name, Faults& faults,
                                                             Log& log) {
  std::unique_ptr<ServedChannel> channel(
      new ServedChannel(machine, rings, std::move(name), faults, log));
  HV_TRY(channel->map(rings));
  return channel;
}

Result<void> ServedChannel::map(const OpenRings& rings) {
  auto incoming = HV_TRY(map_ring(machine_, rings.incoming));
  incoming_pages_ = std::move(incoming.pages);
  incoming_.emplace(HV_TRY(hv::vmbus::RingReader::create(incoming.memory)));
  auto outgoing = HV_TRY(map_ring(machine_, rings.outgoing));
  outgoing_pages_ = std::move(outgoing.pages);
  outgoing_.emplace(HV_TRY(hv::vmbus::RingWriter::create(outgoing.memory)));

  signal_fd_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (signal_fd_ < 0) return Error::NoMemory;
  if (!machine_.bind_signal(connection_id_, signal_fd_)) return Error::Exhausted;
  bound_ = true;
  return {};
}

ServedChannel::~ServedChannel() {
  if (bound_) machine_.bind_signal(connection_id_, -1);
  if (signal_fd_ >= 0) ::close(signal_fd_);
}

void ServedChannel::signal_guest() {
  const std::lock_guard lock(target_);
  const uint32_t vp = vp_.load(std::memory_order_relaxed);
  if (vp == hv::wire::vmbus::kNoInterrupt) return;
  counters_.signals_out.add();
  machine_.signal_event(vp, hv::wire::vmbus::kMessageSint, relid_);
}

void ServedChannel::retarget(uint32_t vp) {
  const std::lock_guard lock(target_);
  vp_.store(vp, std::memory_order_relaxed);
}

void ServedChannel::fail(const std::string& why) {
  if (failed_.exchange(true)) return;
  log_.line(fmt::format("{}: channel {} is not served any more: {}", name_, index_, why));
}

}  // namespace hv::host::vmbus
