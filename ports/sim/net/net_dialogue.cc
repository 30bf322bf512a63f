// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <cstring>

#include "core/base/mutant.hpp"
#include "ports/sim/kernel.hpp"
#include "ports/sim/net/net_driver.hpp"

// What is asked and answered one by one: NVSP's set-up, and RNDIS requests. netvsc_dialogue.c.
namespace hv::sim::net {

using netvsc::Discovery;
using netvsc::Opening;

namespace {
std::optional<size_t> written(const Result<size_t>& bytes) {
  return bytes ? std::optional(bytes.value()) : std::nullopt;
}

constexpr uint32_t kReceivePages = 16, kSendPages = 9;
constexpr hv::vmbus::Time kAnswerLimit = netvsc::kAnswerSeconds * 1000;
constexpr hv::vmbus::Time kDrainLimit = netvsc::kDrainSeconds * 1000;
}  // namespace

/// Waits for an answer, for so long as one can come.
Task<bool> NetDriver::answer_comes(NetAdapter& adapter, const bool& done) {
  co_await tasks_.host(
      "an answer", [this, &adapter, &done] { return done || hopeless(adapter); }, kAnswerLimit);
  if (!done && !hopeless(adapter) && kernel_.profile().strict())
    fail("the wait for an answer ended by its time limit, though the host is honest");
  co_return done;
}

/// The answer to the NVSP message that was sent. When this returns, none can arrive any more: it
/// was taken, or its id was.
Task<bool> NetDriver::setup_answered(NetAdapter& adapter) {
  const bool came = co_await answer_comes(adapter, adapter.setup_done);
  if (came) co_return true;
  auto& core = *adapter.queues[0]->core;
  if (core.cancel(core.plan().setup())) co_return false;
  co_await tasks_.until("the answer that is being taken",
                        [&adapter] { return adapter.setup_done; });
  co_return true;
}

/// The buffer that the next message tells the host of.
Task<bool> NetDriver::give_buffer(NetAdapter& adapter, Opening& opening) {
  const bool receive = opening.state() == Opening::State::ReceiveBuffer;
  auto& buffer = receive ? adapter.receive : adapter.send;
  buffer = allocate(receive ? kReceivePages : kSendPages);
  bool shared = buffer != nullptr;
  if (shared) shared = co_await share(buffer, adapter.waiter, channel_);
  if (!shared && receive) co_return false;
  // Frames go by pages alone, then.
  if (!shared) co_return opening.skip_send_buffer().ok();
  co_return opening
      .give_buffer(buffer->gpadl.id(), static_cast<uint32_t>(buffer->pages * Memory::kPage))
      .ok();
}

Task<bool> NetDriver::converse_nvsp(NetAdapter& adapter, Opening& opening) {
  NetQueue& queue = *adapter.queues[0];
  while (!opening.done()) {
    if (hopeless(adapter)) co_return false;
    const auto state = opening.state();
    if (state == Opening::State::ReceiveBuffer || state == Opening::State::SendBuffer) {
      const bool given = co_await give_buffer(adapter, opening);
      if (!given) co_return false;
      if (opening.done()) break;
    }
    adapter.setup_done = false;
    co_await tasks_.lock("a queue's lock", queue.lock);
    const bool answered = opening.wants_answer();
    queue.core->sending().adopt(opening.dialect());
    const auto sent = answered ? queue.core->sending().send_setup(opening.message())
                               : queue.core->sending().send_notice(opening.message());
    bool ok = sent.ok();
    if (ok && !answered) ok = opening.sent().ok();
    queue.lock.held = false;
    if (!ok) co_return false;
    co_await publish(queue);
    if (!answered) continue;
    const bool came = co_await setup_answered(adapter);
    if (!came) co_return false;
    const auto taken = opening.answered(adapter.setup_answer);
    if (!taken) {
      kernel_.log()("nvsp: state %d: %s", static_cast<int>(state), name(taken.error()));
      co_return false;
    }
  }
  adapter.dialect = opening.dialect();
  adapter.receive_sections = opening.receive_sections();
  adapter.send_sections = opening.send_sections();
  co_return true;
}

/// The dialogue that opens an adapter, NVSP's and then RNDIS's.
Task<bool> NetDriver::converse(NetAdapter& adapter) {
  NetQueue& queue = *adapter.queues[0];
  Opening opening(
      {.mtu = dev_.mtu, .virtual_function = true, .isolated = kernel_.profile().isolated});
  const bool agreed = co_await converse_nvsp(adapter, opening);
  if (!agreed) co_return false;

  // What the poll looks at changes while it does not run.
  co_await napi_disable(queue);
  queue.core->receiving().adopt(adapter.dialect);
  queue.core->receiving().share(receive_memory(adapter));
  queue.napi.enable();
  // What has come meanwhile gives no further signal.
  if (!HV_MUTANT(27)) queue.napi.schedule();

  Discovery discovery(adapter.dialect, {});
  while (!discovery.done()) {
    const bool begun = co_await begin_request(adapter);
    if (!begun) co_return false;
    bool answered =
        co_await request(adapter, written(discovery.write(page_of(adapter), adapter.conversation)));
    if (answered) answered = discovery.answered(adapter.conversation.answer()).ok();
    if (!answered) kernel_.log()("rndis: state %d failed", static_cast<int>(discovery.state()));
    adapter.request_lock.held = false;
    if (!answered) co_return false;
  }
  adapter.facts = discovery.facts();
  co_return true;
}

/// How many sub-channels will come, -1: none was asked for.
Task<int> NetDriver::ask_sub_channels(NetAdapter& adapter, unsigned count) {
  NetQueue& queue = *adapter.queues[0];
  adapter.setup_done = false;
  co_await tasks_.lock("a queue's lock", queue.lock);
  const bool sent = queue.core->sending().send_setup(netvsc::sub_channel_request(count)).ok();
  queue.lock.held = false;
  if (!sent) co_return -1;
  co_await publish(queue);
  const bool came = co_await setup_answered(adapter);
  if (!came) co_return -1;
  const auto granted = netvsc::parse_sub_channel_answer(adapter.setup_answer, count);
  co_return granted ? static_cast<int>(*granted) : -1;
}

// --- RNDIS requests ---

std::span<std::byte> NetDriver::page_of(NetAdapter& adapter) {
  return {kernel_.memory().at(adapter.page), netvsc::kMostControl};
}

/// The host reads the page until it says that it has. A page that it still has is not written to.
Task<bool> NetDriver::begin_request(NetAdapter& adapter) {
  co_await tasks_.lock("the request's lock", adapter.request_lock);
  auto& core = *adapter.queues[0]->core;
  const auto ours = [&core] { return !core.alive(core.plan().control()); };
  co_await tasks_.host(
      "the host to read a request", [this, &adapter, ours] { return ours() || hopeless(adapter); },
      kDrainLimit);
  if (!ours()) {
    adapter.request_lock.held = false;
    co_return false;
  }
  if (adapter.page_mapped) unmap(*adapter.page_mapped, Memory::kPage);
  adapter.page_mapped.reset();
  adapter.request_done = false;
  co_return true;
}

/// Sends the request of so many bytes (or an error) that is in the page.
Task<bool> NetDriver::send_page(NetAdapter& adapter, std::optional<size_t> bytes) {
  if (!bytes) co_return false;
  NetQueue& queue = *adapter.queues[0];
  const uint64_t page = uint64_t{adapter.page} * Memory::kPage;
  const auto address = map(page, Memory::kPage);
  if (!address) co_return false;
  adapter.page_mapped = address;
  auto& sending = queue.core->sending();
  constexpr uint32_t kEnough = 256;
  bool sent = false;
  for (const Time end = kernel_.now() + kDrainLimit;;) {
    co_await tasks_.lock("a queue's lock", queue.lock);
    const auto staged = sending.send_control(*address, static_cast<uint32_t>(*bytes));
    sent = staged.ok();
    queue.lock.held = false;
    co_await publish(queue);
    if (sent || staged.error() != Error::RingFull || hopeless(adapter) || kernel_.now() >= end)
      break;
    co_await tasks_.host(
        "room for a request",
        [this, &adapter, &sending] {
          const auto room = sending.may_send(kEnough);
          return hopeless(adapter) || !room || *room || sending.pages().empty();
        },
        end - kernel_.now());
  }
  if (!sent) {
    unmap(*adapter.page_mapped, Memory::kPage);
    adapter.page_mapped.reset();
  }
  co_return sent;
}

/// Behind `begin_request`. The answer is in the conversation.
Task<bool> NetDriver::request(NetAdapter& adapter, std::optional<size_t> bytes) {
  const bool sent = co_await send_page(adapter, bytes);
  if (!sent) {
    (void)adapter.conversation.cancel();
    co_return false;
  }
  const bool came = co_await answer_comes(adapter, adapter.request_done);
  if (came) co_return true;
  if (adapter.conversation.cancel()) co_return false;
  co_await tasks_.until("the answer that is being taken",
                        [&adapter] { return adapter.request_done; });
  co_return true;
}

Task<bool> NetDriver::set_filter(NetAdapter& adapter, uint32_t filter) {
  if (adapter.filter == filter) co_return true;
  const bool begun = co_await begin_request(adapter);
  if (!begun) co_return false;
  const auto id = adapter.conversation.begin(wire::rndis::MessageType::SetComplete);
  bool set = co_await request(
      adapter, written(netvsc::write_set_u32(page_of(adapter), id,
                                             wire::rndis::Oid::CurrentPacketFilter, filter)));
  if (set) set = netvsc::parse_set_complete(adapter.conversation.answer()).ok();
  adapter.request_lock.held = false;
  if (set) adapter.filter = filter;
  co_return set;
}

Task<bool> NetDriver::set_rss(NetAdapter& adapter, bool off) {
  const bool begun = co_await begin_request(adapter);
  if (!begun) co_return false;
  std::array<uint16_t, 16> table{};
  const unsigned queues = open_queues(adapter);
  for (size_t i = 0; i < table.size(); i++) table[i] = static_cast<uint16_t>(i % queues);
  const auto id = adapter.conversation.begin(wire::rndis::MessageType::SetComplete);
  bool set = co_await request(adapter,
                              written(netvsc::write_set_rss(page_of(adapter), id, table, {}, off)));
  if (set) set = netvsc::parse_set_complete(adapter.conversation.answer()).ok();
  adapter.request_lock.held = false;
  co_return set;
}

/// Tells the host that the adapter is not used any more; it says nothing to that.
Task<> NetDriver::halt(NetAdapter& adapter) {
  const bool begun = co_await begin_request(adapter);
  if (!begun) co_return;
  (void)co_await send_page(
      adapter,
      written(netvsc::write_halt(page_of(adapter), adapter.conversation.id_without_answer())));
  adapter.request_lock.held = false;
}

/// Takes the buffers away from the host; it says nothing to that.
Task<> NetDriver::revoke(NetAdapter& adapter) {
  NetQueue& queue = *adapter.queues[0];
  co_await tasks_.lock("a queue's lock", queue.lock);
  (void)queue.core->sending().send_notice(netvsc::revoke_receive_buffer()).ok();
  if (adapter.send) (void)queue.core->sending().send_notice(netvsc::revoke_send_buffer()).ok();
  queue.lock.held = false;
  co_await publish(queue);
}

/// From the channel: the bytes last until the next event. As hv_netvsc_control().
void NetDriver::take_control(NetAdapter& adapter, std::span<const std::byte> message) {
  using wire::rndis::MessageType;
  const auto view = netvsc::parse_control(message);
  if (!view) {
    if (honest()) fail("a control message of an honest host makes no sense");
    return;
  }
  if (view->type == MessageType::InitializeComplete || view->type == MessageType::QueryComplete ||
      view->type == MessageType::SetComplete) {
    if (adapter.conversation.take(message, *view)) adapter.request_done = true;
    return;
  }
  if (view->type != MessageType::IndicateStatus) return;
  const auto told = netvsc::parse_indication(*view);
  if (!told) {
    if (honest()) fail("what an honest host tells of the link makes no sense");
    return;
  }
  if (told->kind == netvsc::Indication::Kind::LinkUp) link_up_ = true;
  if (told->kind == netvsc::Indication::Kind::LinkDown) link_up_ = false;
  if (told->kind != netvsc::Indication::Kind::SpeedChanged) schedule(link_work_);
}

}  // namespace hv::sim::net
