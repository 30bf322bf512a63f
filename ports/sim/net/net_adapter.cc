// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <algorithm>
#include <cstring>

#include "core/base/mutant.hpp"
#include "ports/sim/kernel.hpp"
#include "ports/sim/net/net_driver.hpp"

// An adapter as a whole: opened, closed, opened anew; which of its queues are used; memory shared
// with the host. netvsc_adapter.c, netvsc_buffers.c.
namespace hv::sim::net {

namespace {
constexpr hv::vmbus::Time kChannelsWait = 10'000;
constexpr unsigned kTeardowns = 20;
}  // namespace

// --- Memory ---

std::unique_ptr<Buffer> NetDriver::allocate(uint32_t pages) {
  if (kernel_.allocation_fails()) return nullptr;
  const auto first = kernel_.memory().allocate(pages);
  if (!first) return nullptr;
  auto buffer = std::make_unique<Buffer>();
  buffer->first = *first;
  buffer->pages = pages;
  for (uint32_t i = 0; i < pages; i++) buffer->frames.push_back(*first + i);
  std::memset(kernel_.memory().at(*first), 0, size_t{pages} * Memory::kPage);
  if (kernel_.profile().isolated) kernel_.memory().set_shared(*first, pages, true);
  return buffer;
}

/// Memory goes back when the host does not have it; otherwise when it says so.
void NetDriver::give_back(std::unique_ptr<Buffer>& buffer) {
  if (kernel_.connection().take_back(buffer->gpadl)) {
    kernel_.hand_back(std::move(buffer));
  } else {
    kernel_.keep_until_released(std::move(buffer));
  }
}

/// Makes the buffer known to the host. False: it was not, and is gone.
Task<bool> NetDriver::share(std::unique_ptr<Buffer>& buffer, Waiter& waiter,
                            hv::vmbus::Channel& channel) {
  const auto bytes = static_cast<uint32_t>(buffer->pages * Memory::kPage);
  auto begun = kernel_.connection().create_gpadl(channel, buffer->gpadl, buffer->frames, bytes, 0,
                                                 waiter.request, kernel_.now());
  if (begun) {
    kernel_.wait(waiter);
    co_await tasks_.host("a GPADL", [&waiter] { return !waiter.waiting; });
    if (waiter.result.ok) co_return true;
  }
  give_back(buffer);
  co_return false;
}

/// The host is to let go of it; the memory is still there. Does nothing the second time.
Task<> NetDriver::take_back(Buffer* buffer, Waiter& waiter) {
  if (!buffer) co_return;
  for (unsigned attempt = 0; attempt < kTeardowns; attempt++) {
    if (!kernel_.connection().teardown_gpadl(buffer->gpadl, &waiter.request, kernel_.now())) break;
    kernel_.wait(waiter);
    co_await tasks_.host("a GPADL's teardown", [&waiter] { return !waiter.waiting; });
    if (waiter.result.ok || waiter.result.error != Error::Exhausted) break;
  }
}

Task<> NetDriver::unshare(std::unique_ptr<Buffer>& buffer, Waiter& waiter) {
  if (!buffer) co_return;
  co_await take_back(buffer.get(), waiter);
  give_back(buffer);
}

/// The sections that the host has cut.
std::span<const std::byte> NetDriver::receive_memory(NetAdapter& adapter) {
  return {kernel_.memory().at(adapter.receive->first),
          size_t{adapter.receive_sections.size} * adapter.receive_sections.count};
}

std::byte* NetDriver::at(uint64_t address) {
  return kernel_.memory().at(static_cast<uint32_t>(address / Memory::kPage)) +
         address % Memory::kPage;
}

/// Where the host sees so many bytes: in a confidential VM in pages that are shared for it alone,
/// until `unmap`.
std::optional<uint64_t> NetDriver::map(uint64_t address, uint32_t length) {
  if (!kernel_.profile().isolated) return address;
  const auto offset = static_cast<uint32_t>(address % Memory::kPage);
  const auto pages = static_cast<uint32_t>((offset + length + Memory::kPage - 1) / Memory::kPage);
  if (kernel_.allocation_fails()) return std::nullopt;
  const auto first = kernel_.memory().allocate(pages);
  if (!first) return std::nullopt;
  kernel_.memory().set_shared(*first, pages, true);
  const uint64_t seen = uint64_t{*first} * Memory::kPage + offset;
  std::memcpy(at(seen), at(address), length);
  return seen;
}

void NetDriver::unmap(uint64_t address, uint32_t length) {
  if (!kernel_.profile().isolated) return;
  const auto first = static_cast<uint32_t>(address / Memory::kPage);
  const auto pages =
      static_cast<uint32_t>((address % Memory::kPage + length + Memory::kPage - 1) / Memory::kPage);
  kernel_.memory().set_shared(first, pages, false);
  kernel_.memory().free(first, pages);
}

// --- Queues ---

/// Queues [0, result) are open.
unsigned NetDriver::open_queues(const NetAdapter& adapter) const {
  unsigned count = 0;
  while (count < adapter.wanted && adapter.queues[count] && adapter.queues[count]->ready) count++;
  return count;
}

/// Puts the queues to use that are open now. Under RTNL.
Task<> NetDriver::use_queues() {
  if (!adapter_) co_return;
  NetAdapter& adapter = *adapter_;
  const unsigned count = std::min(open_queues(adapter), adapter.granted);
  if (count == 0) co_return;
  if (count > 1) {
    // Hosts want it off before they change it.
    (void)co_await set_rss(adapter, true);
    (void)co_await set_rss(adapter, false);
  }
  dev_.queues = count;
  adapter.active = count;
}

/// Asks for the channels that the configuration wants. With one the adapter works, too.
Task<> NetDriver::more_channels(NetAdapter& adapter) {
  adapter.wanted = std::clamp(config_.queues, 1u, adapter.most_queues);
  co_await ready_channel(*adapter.queues[0]);
  if (adapter.wanted == 1) co_return;
  if (HV_MUTANT(28)) {
    // The bug: the queues of sub-channels are listed before these come, and closing disables what
    // was never enabled.
    for (unsigned i = 1; i < adapter.wanted; i++) {
      adapter.queues[i] = std::make_unique<NetQueue>(adapter, channel_, i);
      napis_.push_back(adapter.queues[i].get());
    }
  }
  co_await tasks_.lock("channels", channels_lock_);
  accepting_ = &adapter;
  channels_lock_.held = false;
  const int granted = co_await ask_sub_channels(adapter, adapter.wanted - 1);
  if (granted >= 0) adapter.granted = 1 + static_cast<unsigned>(granted);
  // The bug: who holds RTNL waits for sub-channels whose coming wants RTNL.
  if (HV_MUTANT(31))
    co_await tasks_.until("sub-channels", [&adapter] { return adapter.open >= adapter.granted; });
}

// --- The adapter ---

/// Opens the adapter up to where frames can go; who calls shows it to the stack. Under RTNL.
Task<int> NetDriver::open_adapter() {
  if (kernel_.allocation_fails()) co_return -1;
  const auto page = kernel_.memory().allocate(1);
  if (!page) co_return -1;
  adapters_.push_back(std::make_unique<NetAdapter>());
  NetAdapter& adapter = *adapters_.back();
  adapter.page = *page;
  // The bug: senders see the adapter before its buffers are there.
  if (HV_MUTANT(36)) adapter_ = &adapter;
  NetQueue* queue = co_await open_channel(adapter, channel_, 0, nullptr);
  bool ok = queue != nullptr;
  if (ok) ok = co_await converse(adapter);
  if (ok) {
    link_up_ = adapter.facts.link_up;
    dev_.mtu = std::min(dev_.mtu, adapter.facts.most_mtu);
    if (adapter.facts.rss.table_entries)
      adapter.most_queues =
          std::min({adapter.facts.rss.queues, kernel_.profile().cpus, Netdev::kMostQueues});
    co_await more_channels(adapter);
    ok = !adapter.broken;
  }
  if (!ok) {
    if (adapter_ == &adapter) adapter_ = nullptr;
    co_await destroy_adapter(adapter);
    co_return -1;
  }
  function_.opened(adapter.dialect, kernel_.profile().isolated);
  adapter_ = &adapter;
  kernel_.log()("adapter open: nvsp %x, %u of %u queues",
                static_cast<unsigned>(adapter.dialect.version()), adapter.granted, adapter.wanted);
  co_return 0;
}

/// Closes what is open of it. No sender knows the adapter any more.
Task<> NetDriver::destroy_adapter(NetAdapter& adapter) {
  const bool gone = channel_.rescinded();
  co_await close_channels(adapter);
  // The bug: what was made for RNDIS is forgotten when the device goes by itself.
  if (HV_MUTANT(39) && gone) co_return;
  if (adapter.page_mapped) unmap(*adapter.page_mapped, Memory::kPage);
  adapter.page_mapped.reset();
  co_await unshare(adapter.send, adapter.waiter);
  co_await unshare(adapter.receive, adapter.waiter);
  kernel_.memory().free(adapter.page, 1);
  adapter.freed = true;
}

/// Nothing is sent or received when this returns. Does nothing the second time. Under RTNL.
Task<> NetDriver::close_adapter() {
  if (!adapter_) co_return;
  NetAdapter& adapter = *adapter_;
  dev_.stop_all();
  function_.closed();
  adapter_ = nullptr;
  // Behind this no sender holds it.
  co_await tasks_.until("senders", [this] { return senders_ == 0; });
  bool drained = false;
  if (!channel_.rescinded() && !adapter.broken) {
    (void)co_await set_filter(adapter, 0);
    // Behind the halt the host refuses frames. The bug: they are waited for only then.
    if (!HV_MUTANT(70)) drained = co_await drain(adapter);
    co_await halt(adapter);
    const bool halted = co_await drain(adapter);
    drained = drained && halted;
    co_await revoke(adapter);
    // Older hosts want their buffers back before the channel closes, newer behind.
    if (kernel_.connection().version() < wire::vmbus::Version::V4_0) {
      co_await take_back(adapter.receive.get(), adapter.waiter);
      co_await take_back(adapter.send.get(), adapter.waiter);
    }
  }
  kernel_.log()("adapter closes, drained %d; %llu frames tried, %llu sent, %llu received", drained,
                static_cast<unsigned long long>(ledger().sent_count()),
                static_cast<unsigned long long>(ledger().reached_count()),
                static_cast<unsigned long long>(ledger().received_count()));
  if (honest()) ledger().closed(drained && !adapter.broken);
  co_await destroy_adapter(adapter);
}

Task<int> NetDriver::reopen_once(Config config) {
  config_ = config;
  dev_.mtu = config.mtu;
  const int error = co_await open_adapter();
  if (error) co_return error;
  NetAdapter& adapter = *adapter_;
  const auto enough = [this, &adapter] {
    return adapter.open >= adapter.granted || hopeless(adapter);
  };
  if (must_succeed()) {
    co_await tasks_.host("sub-channels", enough, kChannelsWait);
  } else {
    co_await tasks_.clock("sub-channels", enough, kChannelsWait);
  }
  co_await use_queues();
  co_return 0;
}

/// Closes the adapter and opens it otherwise; as it was, when that fails. Under RTNL.
Task<int> NetDriver::reopen(Config config) {
  const Config before = config_;
  if (leaving_ || channel_.rescinded()) co_return -1;
  dev_.detach();
  co_await close_adapter();
  if (HV_MUTANT(36)) dev_.attach();
  const int error = co_await reopen_once(config);
  if (error) {
    const int again = co_await reopen_once(before);
    if (again) {
      dev_.carrier = false;
      co_return error;
    }
  }
  if (dev_.running) (void)co_await apply_filter();
  co_await function_settle();
  dev_.attach();
  show_link();
  co_return error;
}

}  // namespace hv::sim::net
