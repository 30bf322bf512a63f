// SPDX-License-Identifier: GPL-2.0-only OR MIT
// The connection's face for C: translation alone. ring_c.cc has the rings'.
#include <new>

#include "core/vmbus/connection.hpp"
#include "core/vmbus/face.hpp"
#include "core/vmbus/vmbus.h"

using namespace hv::vmbus;
using hv::face::bytes_at;
using hv::face::object;
using hv::face::status_of;

namespace {

using hv::Guid;

static_assert(sizeof(hv_vmbus_post::bytes) == hv::wire::vmbus::kMaxMessageSize);
static_assert(HV_VMBUS_POSTED == static_cast<int>(PostResult::Posted) &&
              HV_VMBUS_POST_AGAIN == static_cast<int>(PostResult::Again) &&
              HV_VMBUS_POST_NO_PORT == static_cast<int>(PostResult::NoPort) &&
              HV_VMBUS_POST_REFUSED == static_cast<int>(PostResult::Refused));
static_assert(HV_VMBUS_REQUEST_DONE == static_cast<int>(Event::Kind::RequestDone) &&
              HV_VMBUS_CHANNEL_OFFERED == static_cast<int>(Event::Kind::ChannelOffered) &&
              HV_VMBUS_CHANNEL_RESCINDED == static_cast<int>(Event::Kind::ChannelRescinded) &&
              HV_VMBUS_CHANNEL_REATTACHED == static_cast<int>(Event::Kind::ChannelReattached) &&
              HV_VMBUS_CHANNEL_FREED == static_cast<int>(Event::Kind::ChannelFreed) &&
              HV_VMBUS_GPADL_RELEASED == static_cast<int>(Event::Kind::GpadlReleased));

Connection& of(hv_vmbus* bus) { return object<Connection>(bus); }
const Connection& of(const hv_vmbus* bus) { return object<Connection>(bus); }
Channel& of(hv_vmbus_channel* channel) { return object<Channel>(channel); }
const Channel& of(const hv_vmbus_channel* channel) { return object<Channel>(channel); }
Gpadl& of(hv_vmbus_gpadl* gpadl) { return object<Gpadl>(gpadl); }
const Gpadl& of(const hv_vmbus_gpadl* gpadl) { return object<Gpadl>(gpadl); }

template <typename T, typename Storage>
T& fresh(Storage* storage, void* owner) {
  static_assert(sizeof(T) <= sizeof(Storage) && alignof(T) <= alignof(Storage));
  return *new (storage) T(owner);
}
Request& fresh(hv_vmbus_request* request, void* owner) { return fresh<Request>(request, owner); }

Guid guid_at(const uint8_t bytes[16]) {
  Guid guid;
  static_assert(sizeof(guid) == 16);
  __builtin_memcpy(&guid, bytes, sizeof(guid));
  return guid;
}

ConnectionConfig config_of(const hv_vmbus_config& config) {
  return {.max_version = static_cast<hv::wire::vmbus::Version>(config.max_version),
          .message_vp = config.message_vp,
          .message_vtl = config.message_vtl,
          .interrupt_page = config.interrupt_page,
          .monitor_page1 = config.monitor_page1,
          .monitor_page2 = config.monitor_page2,
          .isolated = config.isolated != 0,
          .safe_classes =
              std::span(static_cast<const Guid*>(config.safe_classes), config.safe_class_count)};
}

TimeLimits limits_of(const hv_vmbus_config& config) {
  TimeLimits limits;
  if (config.modify_limit) limits.modify = config.modify_limit;
  return limits;
}

void* owner_of(const Event& event) {
  if (event.kind == Event::Kind::RequestDone) return event.request->owner;
  if (event.kind == Event::Kind::GpadlReleased) return event.gpadl->owner;
  return event.channel->owner;
}

}  // namespace

extern "C" {

const char* hv_status_name(int status) {
  return status >= HV_OK ? "ok" : hv::name(static_cast<hv::Error>(-1 - status));
}

void hv_vmbus_create(hv_vmbus* bus, const hv_vmbus_config* config) {
  static_assert(sizeof(Connection) <= sizeof(*bus) && alignof(Connection) <= alignof(hv_vmbus));
  new (bus) Connection(config_of(*config), limits_of(*config));
}

void hv_vmbus_destroy(hv_vmbus* bus) { of(bus).~Connection(); }

int hv_vmbus_message(hv_vmbus* bus, const void* message, size_t size) {
  return status_of(of(bus).on_message(bytes_at(message, size)));
}

void hv_vmbus_expire(hv_vmbus* bus, uint64_t now) { of(bus).expire(now); }
uint64_t hv_vmbus_next_deadline(const hv_vmbus* bus) { return of(bus).next_deadline(); }

int hv_vmbus_next_post(hv_vmbus* bus, hv_vmbus_post* post) {
  Post next;
  if (!of(bus).next_post(next)) return 0;
  post->connection_id = next.connection_id;
  post->size = next.size;
  __builtin_memcpy(post->bytes, next.bytes.data(), next.size);
  return 1;
}

void hv_vmbus_posted(hv_vmbus* bus, int accepted) { of(bus).posted(accepted != 0); }

int hv_vmbus_next_event(hv_vmbus* bus, hv_vmbus_event* event) {
  Event next;
  if (!of(bus).next_event(next)) return 0;
  const bool failed = next.kind == Event::Kind::RequestDone && !next.ok;
  *event = {.kind = static_cast<uint32_t>(next.kind),
            .status = failed ? status_of(next.error) : HV_OK,
            .host_status = next.host_status,
            .owner = owner_of(next)};
  return 1;
}

int hv_vmbus_next_violation(hv_vmbus* bus, hv_vmbus_violation* violation) {
  Violation next;
  if (!of(bus).next_violation(next)) return 0;
  *violation = {
      .type = static_cast<uint32_t>(next.type), .id = next.id, .why = status_of(next.why)};
  return 1;
}

uint32_t hv_vmbus_version(const hv_vmbus* bus) { return static_cast<uint32_t>(of(bus).version()); }
uint32_t hv_vmbus_connection_id(const hv_vmbus* bus) { return of(bus).message_connection_id(); }

int hv_vmbus_needs_storage(const hv_vmbus* bus) { return of(bus).needs_storage(); }

void hv_vmbus_donate(hv_vmbus* bus, hv_vmbus_channel* channel, void* owner) {
  of(bus).donate(fresh<Channel>(channel, owner));
}

void* hv_vmbus_reclaim(hv_vmbus* bus) {
  const Channel* channel = of(bus).reclaim();
  return channel ? channel->owner : nullptr;
}

int hv_vmbus_connect(hv_vmbus* bus, hv_vmbus_request* request, void* owner, uint64_t now) {
  return status_of(of(bus).connect(fresh(request, owner), now));
}

int hv_vmbus_request_offers(hv_vmbus* bus, hv_vmbus_request* request, void* owner, uint64_t now) {
  return status_of(of(bus).request_offers(fresh(request, owner), now));
}

int hv_vmbus_unload(hv_vmbus* bus, int keep, hv_vmbus_request* request, void* owner, uint64_t now) {
  return status_of(of(bus).unload(keep != 0, fresh(request, owner), now));
}

int hv_vmbus_resume(hv_vmbus* bus, hv_vmbus_request* request, void* owner, uint64_t now) {
  return status_of(of(bus).resume(fresh(request, owner), now));
}

int hv_vmbus_create_gpadl(hv_vmbus* bus, hv_vmbus_channel* channel, hv_vmbus_gpadl* gpadl,
                          void* gpadl_owner, const uint64_t* frames, size_t count, uint32_t bytes,
                          hv_vmbus_request* request, void* owner, uint64_t now) {
  return status_of(of(bus).create_gpadl(of(channel), fresh<Gpadl>(gpadl, gpadl_owner),
                                        std::span(frames, count), bytes, 0, fresh(request, owner),
                                        now));
}

int hv_vmbus_teardown_gpadl(hv_vmbus* bus, hv_vmbus_gpadl* gpadl, hv_vmbus_request* request,
                            void* owner, uint64_t now) {
  return status_of(of(bus).teardown_gpadl(of(gpadl), &fresh(request, owner), now));
}

int hv_vmbus_gpadl_in_use(hv_vmbus* bus, hv_vmbus_gpadl* gpadl) {
  return !of(bus).take_back(of(gpadl));
}

uint32_t hv_vmbus_gpadl_id(const hv_vmbus_gpadl* gpadl) { return of(gpadl).id(); }

int hv_vmbus_open(hv_vmbus* bus, hv_vmbus_channel* channel, hv_vmbus_gpadl* ring,
                  uint32_t downstream_pages, uint32_t target_vp, const void* user_data,
                  size_t user_size, hv_vmbus_request* request, void* owner, uint64_t now) {
  return status_of(of(bus).open(of(channel), of(ring), downstream_pages, target_vp,
                                bytes_at(user_data, user_size), fresh(request, owner), now));
}

int hv_vmbus_close(hv_vmbus* bus, hv_vmbus_channel* channel) {
  return status_of(of(bus).close(of(channel)));
}

int hv_vmbus_modify(hv_vmbus* bus, hv_vmbus_channel* channel, uint32_t target_vp,
                    hv_vmbus_request* request, void* owner, uint64_t now) {
  return status_of(of(bus).modify(of(channel), target_vp, fresh(request, owner), now));
}

int hv_vmbus_release(hv_vmbus* bus, hv_vmbus_channel* channel) {
  return status_of(of(bus).release(of(channel)));
}

int hv_vmbus_connect_service(hv_vmbus* bus, const uint8_t endpoint[16], const uint8_t service[16]) {
  return status_of(of(bus).connect_service(guid_at(endpoint), guid_at(service)));
}

void hv_vmbus_offer(const hv_vmbus_channel* channel, void* offer) {
  __builtin_memcpy(offer, &of(channel).offer(), sizeof(hv::wire::vmbus::OfferChannel));
}

void* hv_vmbus_primary(const hv_vmbus_channel* channel) {
  const Channel* primary = of(channel).primary();
  return primary ? primary->owner : nullptr;
}

hv_vmbus_post_result hv_vmbus_post_result_of(const void* message, size_t size, uint16_t status) {
  return static_cast<hv_vmbus_post_result>(post_result(bytes_at(message, size), status));
}

size_t hv_vmbus_crash_unload(hv_vmbus* bus, void* message, size_t size) {
  return of(bus).crash_unload(hv::face::memory_at(message, size));
}

int hv_vmbus_is_unload_response(const void* message, size_t size) {
  return Connection::is_unload_response(bytes_at(message, size));
}
}
