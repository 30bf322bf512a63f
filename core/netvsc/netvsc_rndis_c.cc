// SPDX-License-Identifier: GPL-2.0-only OR MIT
// The face for C of the RNDIS dialogue: translation alone.
#include "core/netvsc/face.hpp"

using namespace hv::netvsc;
using namespace hv::netvsc::face;
using hv::wire::rndis::MessageType;
using hv::wire::rndis::Oid;

namespace {

std::span<std::byte> room_at(void* page, size_t room) {
  return {static_cast<std::byte*>(page), room};
}

/// Bytes written, or the status.
int bytes_of(const hv::Result<size_t>& written) {
  return written ? static_cast<int>(*written) : status_of(written.error());
}

uint32_t begin_set(hv_netvsc_conversation* conversation) {
  return of(conversation).begin(MessageType::SetComplete);
}

hv_netvsc_capabilities to_c(const Capabilities& found) {
  return {.tcp4_checksum = found.tcp4_checksum,
          .udp4_checksum = found.udp4_checksum,
          .tcp6_checksum = found.tcp6_checksum,
          .udp6_checksum = found.udp6_checksum,
          .rsc = found.rsc,
          .large_send4 = found.large_send4,
          .large_send6 = found.large_send6};
}

static_assert(HV_NETVSC_TOLD_ANSWER == static_cast<int>(Told::Kind::Answer) &&
              HV_NETVSC_TOLD_LINK_UP == static_cast<int>(Told::Kind::LinkUp) &&
              HV_NETVSC_TOLD_LINK_DOWN == static_cast<int>(Told::Kind::LinkDown) &&
              HV_NETVSC_TOLD_NETWORK_CHANGED == static_cast<int>(Told::Kind::NetworkChanged) &&
              HV_NETVSC_TOLD_SPEED == static_cast<int>(Told::Kind::Speed) &&
              HV_NETVSC_TOLD_KEEP_ALIVE == static_cast<int>(Told::Kind::KeepAlive) &&
              HV_NETVSC_TOLD_NONSENSE == static_cast<int>(Told::Kind::Nonsense));
static_assert(HV_NETVSC_MOST_CONTROL == kMostControl &&
              HV_NETVSC_RSS_KEY == std::tuple_size_v<RssKey>);
static_assert(HV_NETVSC_RSS_ENTRIES == kMostRssEntries);
static_assert(HV_NETVSC_FILTER_DIRECTED == hv::wire::rndis::kFilterDirected &&
              HV_NETVSC_FILTER_PROMISCUOUS == hv::wire::rndis::kFilterPromiscuous);
static_assert(HV_NETVSC_FILTER_ALL_MULTICAST == hv::wire::rndis::kFilterAllMulticast &&
              HV_NETVSC_FILTER_BROADCAST == hv::wire::rndis::kFilterBroadcast);
static_assert(HV_NETVSC_V2 == static_cast<int>(hv::wire::netvsc::Version::V2) &&
              HV_NETVSC_V4 == static_cast<int>(hv::wire::netvsc::Version::V4));
static_assert(HV_NETVSC_V5 == static_cast<int>(hv::wire::netvsc::Version::V5) &&
              HV_NETVSC_V6_1 == static_cast<int>(hv::wire::netvsc::Version::V6_1));

}  // namespace

extern "C" {

void hv_netvsc_conversation_create(hv_netvsc_conversation* conversation) {
  new (conversation) Conversation();
}

int hv_netvsc_conversation_cancel(hv_netvsc_conversation* conversation) {
  return of(conversation).cancel();
}

void hv_netvsc_discovery_create(hv_netvsc_discovery* discovery, const hv_netvsc_opening* opening,
                                int rsc) {
  new (discovery) Discovery(of(opening).dialect(), {.rsc = rsc != 0});
}

int hv_netvsc_discovery_done(const hv_netvsc_discovery* discovery) { return of(discovery).done(); }

int hv_netvsc_discovery_write(const hv_netvsc_discovery* discovery,
                              hv_netvsc_conversation* conversation, void* page, size_t room) {
  return bytes_of(of(discovery).write(room_at(page, room), of(conversation)));
}

int hv_netvsc_discovery_answer(hv_netvsc_discovery* discovery,
                               const hv_netvsc_conversation* conversation) {
  return status_of(of(discovery).answered(of(conversation).answer()));
}

void hv_netvsc_discovery_facts(const hv_netvsc_discovery* discovery, hv_netvsc_facts* out) {
  const Facts& facts = of(discovery).facts();
  *out = {.max_packets = facts.limits.max_packets,
          .max_transfer = facts.limits.max_transfer,
          .alignment = facts.limits.alignment,
          .most_mtu = facts.most_mtu,
          .link_speed = facts.link_speed,
          .rss_queues = facts.rss.queues,
          .rss_entries = facts.rss.table_entries,
          .link_up = facts.link_up,
          .mac = {},
          .capabilities = to_c(facts.capabilities)};
  __builtin_memcpy(out->mac, facts.mac.data(), sizeof(out->mac));
}

uint32_t hv_netvsc_queue_limit(const hv_netvsc_facts* facts, uint32_t cpus) {
  Facts said;
  said.rss = {.queues = facts->rss_queues, .table_entries = facts->rss_entries};
  return said.queue_limit(cpus);
}

int hv_netvsc_write_filter(hv_netvsc_conversation* conversation, void* page, size_t room,
                           uint32_t filter) {
  return bytes_of(write_set_u32(room_at(page, room), begin_set(conversation),
                                Oid::CurrentPacketFilter, filter));
}

int hv_netvsc_write_mac(hv_netvsc_conversation* conversation, void* page, size_t room,
                        const uint8_t mac[6]) {
  MacAddress address;
  __builtin_memcpy(address.data(), mac, sizeof(address));
  return bytes_of(write_set_mac(room_at(page, room), begin_set(conversation), address));
}

int hv_netvsc_write_offloads(hv_netvsc_conversation* conversation, void* page, size_t room,
                             uint32_t version, const hv_netvsc_capabilities* capabilities,
                             int rsc) {
  const Dialect dialect(static_cast<hv::wire::netvsc::Version>(version));
  return bytes_of(write_set_offloads(room_at(page, room), begin_set(conversation), dialect,
                                     of_c(*capabilities), {.rsc = rsc != 0}));
}

int hv_netvsc_write_rss(hv_netvsc_conversation* conversation, void* page, size_t room,
                        const uint16_t* table, size_t entries, const uint8_t key[HV_NETVSC_RSS_KEY],
                        int off) {
  RssKey bytes;
  __builtin_memcpy(bytes.data(), key, sizeof(bytes));
  return bytes_of(write_set_rss(room_at(page, room), begin_set(conversation), {table, entries},
                                bytes, off != 0));
}

int hv_netvsc_set_done(const hv_netvsc_conversation* conversation) {
  return status_of(parse_set_complete(of(conversation).answer()));
}

int hv_netvsc_write_halt(hv_netvsc_conversation* conversation, void* page, size_t room) {
  return bytes_of(write_halt(room_at(page, room), of(conversation).id_without_answer()));
}

int hv_netvsc_write_keep_alive_complete(void* page, size_t room, uint32_t id) {
  return bytes_of(write_keep_alive_complete(room_at(page, room), id));
}

int hv_netvsc_control(hv_netvsc_conversation* conversation, const void* bytes, size_t length,
                      uint32_t* value) {
  const Told told = of(conversation).hear(bytes_at(bytes, length));
  *value = told.value;
  return static_cast<int>(told.kind);
}
}
