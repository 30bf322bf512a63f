// SPDX-License-Identifier: GPL-2.0-only
// The C face of hv::vmbus::Connection: casts, copies and nothing else.

#include <cstddef>
#include <cstdint>
#include <new>
#include <span>

#include "core.h"
#include "core/vmbus/connection.hpp"

using hv::Error;
using hv::Result;
using hv::vmbus::Channel;
using hv::vmbus::Connection;
using hv::vmbus::ConnectionConfig;
using hv::vmbus::Event;
using hv::vmbus::Gpadl;
using hv::vmbus::Post;
using hv::vmbus::Request;
using hv::vmbus::TimeLimits;
using hv::vmbus::Violation;

namespace {

static_assert(sizeof(Channel) <= sizeof(hvb_core_channel) &&
              alignof(Channel) <= alignof(hvb_core_channel));
static_assert(sizeof(Gpadl) <= sizeof(hvb_core_gpadl) && alignof(Gpadl) <= alignof(hvb_core_gpadl));
static_assert(sizeof(Request) <= sizeof(hvb_core_request) &&
              alignof(Request) <= alignof(hvb_core_request));
static_assert(sizeof(hvb_post::bytes) == hv::wire::vmbus::kMaxMessageSize);
static_assert(HVB_TRUNCATED == 1 + static_cast<int>(Error::Truncated));
static_assert(HVB_RING_CORRUPT == 1 + static_cast<int>(Error::RingCorrupt));
static_assert(HVB_TIMED_OUT == 1 + static_cast<int>(Error::TimedOut));
static_assert(HVB_POSTED == static_cast<int>(hv::vmbus::PostResult::Posted));
static_assert(HVB_POST_REFUSED == static_cast<int>(hv::vmbus::PostResult::Refused));
static_assert(HVB_GONE == 1 + static_cast<int>(Error::Gone));

// No constructor runs when a module is loaded: hvb_core_init makes it.
alignas(Connection) unsigned char connection_storage[sizeof(Connection)];
Connection& connection() {
  return *std::launder(reinterpret_cast<Connection*>(connection_storage));
}

hv::Guid safe_classes[32];

Channel& of(hvb_core_channel* channel) {
  return *std::launder(reinterpret_cast<Channel*>(channel));
}
const Channel& of(const hvb_core_channel* channel) {
  return *std::launder(reinterpret_cast<const Channel*>(channel));
}
Gpadl& of(hvb_core_gpadl* gpadl) { return *std::launder(reinterpret_cast<Gpadl*>(gpadl)); }
const Gpadl& of(const hvb_core_gpadl* gpadl) {
  return *std::launder(reinterpret_cast<const Gpadl*>(gpadl));
}
Request& fresh(hvb_core_request* request, void* owner) { return *new (request) Request(owner); }

hvb_error plain(Error error) { return static_cast<hvb_error>(1 + static_cast<int>(error)); }
hvb_error plain(const Result<void>& result) { return result.ok() ? HVB_OK : plain(result.error()); }

// The waits that hold a mutex of many are short; the rest as the core has it.
constexpr TimeLimits kLimits{.modify = 10'000};

}  // namespace

const char* hvb_error_name(hvb_error error) {
  return error == HVB_OK ? "ok" : hv::name(static_cast<Error>(static_cast<int>(error) - 1));
}

void hvb_core_init(const hvb_core_config* config) {
  const size_t safe = config->safe_class_count < std::size(safe_classes) ? config->safe_class_count
                                                                         : std::size(safe_classes);
  static_assert(sizeof(hv::Guid) == 16);
  if (safe) __builtin_memcpy(safe_classes, config->safe_classes, safe * sizeof(hv::Guid));
  new (connection_storage) Connection(
      ConnectionConfig{.max_version = static_cast<hv::wire::vmbus::Version>(config->max_version),
                       .message_vp = config->message_vp,
                       .message_vtl = config->message_vtl,
                       .interrupt_page = config->interrupt_page,
                       .monitor_page1 = config->monitor_page1,
                       .monitor_page2 = config->monitor_page2,
                       .isolated = config->isolated,
                       .safe_classes = std::span(safe_classes).first(safe)},
      kLimits);
}

void hvb_core_exit() { connection().~Connection(); }

hvb_error hvb_core_message(const void* message, size_t size) {
  return plain(connection().on_message(std::span(static_cast<const std::byte*>(message), size)));
}

void hvb_core_expire(u64 now) { connection().expire(now); }
u64 hvb_core_next_deadline() { return connection().next_deadline(); }

bool hvb_core_next_post(hvb_post* post) {
  Post next;
  if (!connection().next_post(next)) return false;
  post->connection_id = next.connection_id;
  post->size = next.size;
  __builtin_memcpy(post->bytes, next.bytes.data(), next.size);
  return true;
}

void hvb_core_posted(bool accepted) { connection().posted(accepted); }

void hvb_core_run_events() {
  Event event;
  while (connection().next_event(event)) {
    switch (event.kind) {
      case Event::Kind::RequestDone:
        hvb_event_request_done(event.request->owner, event.ok,
                               event.ok ? HVB_OK : plain(event.error), event.host_status);
        break;
      case Event::Kind::ChannelOffered:
        hvb_event_channel_offered(event.channel->owner);
        break;
      case Event::Kind::ChannelRescinded:
        hvb_event_channel_rescinded(event.channel->owner);
        break;
      case Event::Kind::ChannelReattached:
        hvb_event_channel_reattached(event.channel->owner);
        break;
      case Event::Kind::ChannelFreed:
        hvb_event_channel_freed(event.channel->owner);
        break;
      case Event::Kind::GpadlReleased:
        hvb_event_gpadl_released(event.gpadl->owner);
        break;
    }
  }
}

bool hvb_core_next_violation(u32* type, u32* id, hvb_error* why) {
  Violation violation;
  if (!connection().next_violation(violation)) return false;
  *type = static_cast<u32>(violation.type);
  *id = violation.id;
  *why = plain(violation.why);
  return true;
}

u32 hvb_core_version() { return static_cast<u32>(connection().version()); }
u32 hvb_core_connection_id() { return connection().message_connection_id(); }
bool hvb_core_connected() { return connection().state() == Connection::State::Connected; }

bool hvb_core_needs_storage() { return connection().needs_storage(); }
void hvb_core_donate(hvb_core_channel* channel, void* owner) {
  connection().donate(*new (channel) Channel(owner));
}

void* hvb_core_reclaim() {
  const Channel* channel = connection().reclaim();
  return channel ? channel->owner : nullptr;
}

hvb_error hvb_core_connect(hvb_core_request* request, void* owner, u64 now) {
  return plain(connection().connect(fresh(request, owner), now));
}

hvb_error hvb_core_request_offers(hvb_core_request* request, void* owner, u64 now) {
  return plain(connection().request_offers(fresh(request, owner), now));
}

hvb_error hvb_core_unload(bool keep, hvb_core_request* request, void* owner, u64 now) {
  return plain(connection().unload(keep, fresh(request, owner), now));
}

hvb_error hvb_core_resume(hvb_core_request* request, void* owner, u64 now) {
  return plain(connection().resume(fresh(request, owner), now));
}

hvb_error hvb_core_create_gpadl(hvb_core_channel* channel, hvb_core_gpadl* gpadl, void* gpadl_owner,
                                const u64* frames, size_t count, u32 bytes,
                                hvb_core_request* request, void* owner, u64 now) {
  return plain(connection().create_gpadl(of(channel), *new (gpadl) Gpadl(gpadl_owner),
                                         std::span(frames, count), bytes, 0, fresh(request, owner),
                                         now));
}

hvb_error hvb_core_teardown_gpadl(hvb_core_gpadl* gpadl, hvb_core_request* request, void* owner,
                                  u64 now) {
  return plain(connection().teardown_gpadl(of(gpadl), &fresh(request, owner), now));
}

bool hvb_core_gpadl_in_use(hvb_core_gpadl* gpadl) { return !connection().take_back(of(gpadl)); }
u32 hvb_core_gpadl_id(const hvb_core_gpadl* gpadl) { return of(gpadl).id(); }

hvb_error hvb_core_open(hvb_core_channel* channel, hvb_core_gpadl* ring, u32 downstream_pages,
                        u32 target_vp, const void* user_data, size_t user_size,
                        hvb_core_request* request, void* owner, u64 now) {
  return plain(connection().open(of(channel), of(ring), downstream_pages, target_vp,
                                 std::span(static_cast<const std::byte*>(user_data), user_size),
                                 fresh(request, owner), now));
}

hvb_error hvb_core_close(hvb_core_channel* channel) {
  return plain(connection().close(of(channel)));
}

hvb_error hvb_core_modify(hvb_core_channel* channel, u32 target_vp, hvb_core_request* request,
                          void* owner, u64 now) {
  return plain(connection().modify(of(channel), target_vp, fresh(request, owner), now));
}

hvb_error hvb_core_release(hvb_core_channel* channel) {
  return plain(connection().release(of(channel)));
}

hvb_error hvb_core_connect_service(const u8 endpoint[16], const u8 service[16]) {
  hv::Guid to;
  hv::Guid from;
  static_assert(sizeof(from) == 16);
  __builtin_memcpy(&from, endpoint, sizeof(from));
  __builtin_memcpy(&to, service, sizeof(to));
  return plain(connection().connect_service(from, to));
}

void hvb_core_offer(const hvb_core_channel* channel, void* offer) {
  __builtin_memcpy(offer, &of(channel).offer(), sizeof(hv::wire::vmbus::OfferChannel));
}

void* hvb_core_primary(const hvb_core_channel* channel) {
  const Channel* primary = of(channel).primary();
  return primary ? primary->owner : nullptr;
}

hvb_post_result hvb_core_post_result(const void* message, size_t size, u16 status) {
  const auto result =
      hv::vmbus::post_result(std::span(static_cast<const std::byte*>(message), size), status);
  return static_cast<hvb_post_result>(result);
}

size_t hvb_core_crash_unload(void* message, size_t size) {
  return connection().crash_unload(std::span(static_cast<std::byte*>(message), size));
}

bool hvb_core_is_unload_response(const void* message, size_t size) {
  return Connection::is_unload_response(std::span(static_cast<const std::byte*>(message), size));
}
