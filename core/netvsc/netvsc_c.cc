// SPDX-License-Identifier: GPL-2.0-only OR MIT
// The machines' face for C: translation alone. netvsc_rndis_c.cc has the rest.
#include "core/netvsc/face.hpp"

using namespace hv::netvsc;
using namespace hv::netvsc::face;

namespace {

SendFrame frame_of(const hv_netvsc_frame& frame) {
  return {.length = frame.length,
          .offload = static_cast<SendFrame::Offload>(frame.offload),
          .ipv6 = frame.ipv6 != 0,
          .udp = frame.udp != 0,
          .tagged = frame.tagged != 0,
          .hashed = frame.hashed != 0,
          .transport_offset = frame.transport_offset,
          .segment = frame.segment,
          .vlan = frame.vlan,
          .hash = frame.hash};
}

SlotPlan plan_of(const hv_netvsc_plan& plan) {
  return {.sections = plan.sections, .pages = plan.pages};
}

/// Makes the queue where it is to live: it is too large for a kernel's stack.
hv::Result<void> make_queue(hv_netvsc_queue* place, std::span<std::byte> memory,
                            const SlotPlan& plan, const hv_port_rings& rings, bool primary) {
  const auto open = HV_TRY(hv::vmbus::Rings::create(rings));
  const auto arrays = HV_TRY(QueueMemory::create(memory, plan));
  new (place) Queue(open, plan, arrays, primary);
  return {};
}

uint32_t part_of(uint32_t bytes, uint32_t percent) {
  return static_cast<uint32_t>(uint64_t{bytes} * percent / 100) & ~7u;
}

static_assert(HV_NETVSC_MOST_PAGES == PageList::kMost && HV_NETVSC_HEADER_ROOM == kHeaderRoom);
static_assert(sizeof(hv_netvsc_fragment) == sizeof(Fragment) &&
              offsetof(hv_netvsc_fragment, length) == offsetof(Fragment, length));
static_assert(HV_NETVSC_IGNORED == static_cast<int>(Event::Kind::Ignored));
static_assert(HV_NETVSC_VF_ASSOCIATION == static_cast<int>(Event::Kind::VfAssociation));
static_assert(HV_NETVSC_LARGE_SEND == static_cast<int>(SendFrame::Offload::LargeSend));
static_assert(HV_NETVSC_NEITHER == static_cast<int>(Doer::Neither));
static_assert(HV_NETVSC_FAILED == static_cast<int>(Opening::State::Failed));
static_assert(HV_NETVSC_MOST_PACKET >= Receiver::kMostPacket && HV_NETVSC_MOST_PACKET % 8 == 0);
static_assert(HV_NETVSC_ANSWER_SECONDS == kAnswerSeconds &&
              HV_NETVSC_DRAIN_SECONDS == kDrainSeconds);
static_assert(HV_NETVSC_PIGGYBACK_MS == Piggyback::kPeriodMs);
static_assert(HV_NETVSC_LEAST_MTU == kLeastMtu && HV_NETVSC_MOST_MTU == kMostMtu);
static_assert(HV_NETVSC_SEND_TABLE == std::tuple_size_v<ChannelTable>);
static_assert(HV_NETVSC_MOST_QUEUES == hv::wire::netvsc::kMaxQueues);
static_assert(HV_NETVSC_JOINED_FRONT == kMaxJoinedFront);
static_assert(HV_NETVSC_TCP_GOOD == hv::wire::rndis::kTcpChecksumGood &&
              HV_NETVSC_UDP_GOOD == hv::wire::rndis::kUdpChecksumGood);

}  // namespace

extern "C" {

size_t hv_netvsc_queue_bytes(const hv_netvsc_plan* plan) {
  return QueueMemory::bytes_needed(plan_of(*plan));
}

int hv_netvsc_queue_create(hv_netvsc_queue* queue, void* memory, size_t bytes,
                           const hv_netvsc_plan* plan, const hv_port_rings* rings, int primary) {
  return status_of(
      make_queue(queue, memory_at(memory, bytes), plan_of(*plan), *rings, primary != 0));
}

void hv_netvsc_stall_create(hv_netvsc_stall* stall) { new (stall) Stall(); }

int hv_netvsc_stalled(hv_netvsc_stall* stall, uint32_t stops, uint64_t now) {
  return object<Stall>(stall).over(stops, now);
}

void hv_netvsc_opening_create(hv_netvsc_opening* opening, const hv_netvsc_wishes* wishes) {
  new (opening) Opening({.mtu = wishes->mtu,
                         .virtual_function = wishes->virtual_function != 0,
                         .isolated = wishes->isolated != 0});
}

int hv_netvsc_opening_state(const hv_netvsc_opening* opening) {
  return static_cast<int>(of(opening).state());
}

int hv_netvsc_opening_give(hv_netvsc_opening* opening, uint32_t gpadl, uint32_t bytes) {
  return status_of(of(opening).give_buffer(gpadl, bytes));
}

int hv_netvsc_opening_skip(hv_netvsc_opening* opening) {
  return status_of(of(opening).skip_send_buffer());
}

int hv_netvsc_opening_send(hv_netvsc_opening* opening, hv_netvsc_queue* queue, int* answered) {
  Opening& machine = of(opening);
  if (machine.done() || machine.state() == Opening::State::Failed) return HV_BAD_STATE;
  of(queue).sending().adopt(machine.dialect());
  *answered = machine.wants_answer();
  if (*answered) return status_of(of(queue).sending().send_setup(machine.message()));
  const auto sent = of(queue).sending().send_notice(machine.message());
  return sent ? status_of(machine.sent()) : status_of(sent.error());
}

int hv_netvsc_opening_answer(hv_netvsc_opening* opening, const void* answer, size_t length) {
  return status_of(of(opening).answered(bytes_at(answer, length)));
}

void hv_netvsc_opening_result(const hv_netvsc_opening* opening, hv_netvsc_opened* opened) {
  const Opening& machine = of(opening);
  *opened = {.version = static_cast<uint32_t>(machine.dialect().version()),
             .most_receive_buffer = machine.dialect().most_receive_buffer(),
             .receive_section_size = machine.receive_sections().size,
             .receive_sections = machine.receive_sections().count,
             .send_section_size = machine.send_sections().size,
             .send_sections = machine.send_sections().count};
}

int hv_netvsc_send_sub_channels(hv_netvsc_queue* queue, uint32_t count) {
  return status_of(of(queue).sending().send_setup(sub_channel_request(count)));
}

int hv_netvsc_sub_channels_granted(const void* answer, size_t length, uint32_t asked) {
  const auto granted = parse_sub_channel_answer(bytes_at(answer, length), asked);
  return granted ? static_cast<int>(*granted) : status_of(granted.error());
}

int hv_netvsc_send_revoke_receive(hv_netvsc_queue* queue) {
  return status_of(of(queue).sending().send_notice(revoke_receive_buffer()));
}

int hv_netvsc_send_revoke_send(hv_netvsc_queue* queue) {
  return status_of(of(queue).sending().send_notice(revoke_send_buffer()));
}

int hv_netvsc_share_send(hv_netvsc_queue* queue, void* memory, uint32_t section_size,
                         uint32_t first, uint32_t count) {
  const auto bytes = memory_at(static_cast<std::byte*>(memory) + size_t{first} * section_size,
                               size_t{count} * section_size);
  return status_of(
      of(queue).sending().share({.bytes = bytes, .first = first, .section_size = section_size}));
}

void hv_netvsc_adopt_limits(hv_netvsc_queue* queue, const hv_netvsc_facts* facts) {
  of(queue).sending().adopt({.max_packets = facts->max_packets,
                             .max_transfer = facts->max_transfer,
                             .alignment = facts->alignment});
}

hv_netvsc_doer hv_netvsc_share_out(const hv_netvsc_capabilities* host,
                                   const hv_netvsc_undone* undone, hv_netvsc_frame* frame) {
  SendFrame described;
  const Doer doer = share_out(of_c(*host),
                              {.sum = undone->sum != 0,
                               .segment = undone->segment,
                               .ipv6 = undone->ipv6 != 0,
                               .protocol = undone->protocol,
                               .transport_offset = undone->transport_offset},
                              described);
  frame->offload = static_cast<uint8_t>(described.offload);
  frame->ipv6 = described.ipv6;
  frame->udp = described.udp;
  frame->transport_offset = described.transport_offset;
  frame->segment = described.segment;
  return static_cast<hv_netvsc_doer>(doer);
}

int hv_netvsc_copy(hv_netvsc_queue* queue, const hv_netvsc_frame* frame, void** place) {
  auto copied = of(queue).sending().copy(frame_of(*frame));
  if (!copied) return status_of(copied.error());
  *place = *copied;
  return HV_OK;
}

int hv_netvsc_take_pages(hv_netvsc_queue* queue) {
  const auto slot = of(queue).sending().take_pages();
  return slot ? *slot : status_of(slot.error());
}

void hv_netvsc_drop_pages(hv_netvsc_queue* queue, uint32_t slot) {
  of(queue).sending().drop_pages(static_cast<uint16_t>(slot));
}

uint32_t hv_netvsc_page_index(const hv_netvsc_queue* queue, uint32_t slot) {
  return slot - of(queue).plan().sections;
}

int hv_netvsc_list_header(hv_netvsc_queue* queue, const hv_netvsc_frame* frame, uint64_t address) {
  return status_of(of(queue).sending().list_header(frame_of(*frame), address));
}

int hv_netvsc_list_piece(hv_netvsc_queue* queue, uint64_t address, uint32_t length) {
  return status_of(of(queue).sending().list_piece(address, length));
}

int hv_netvsc_send_pages(hv_netvsc_queue* queue, uint32_t slot, const hv_netvsc_frame* frame,
                         void* header) {
  return status_of(of(queue).sending().send_pages(static_cast<uint16_t>(slot), frame_of(*frame),
                                                  memory_at(header, kHeaderRoom)));
}

int hv_netvsc_send_control(hv_netvsc_queue* queue, uint64_t address, uint32_t length) {
  return status_of(of(queue).sending().send_control(address, length));
}

int hv_netvsc_publish(hv_netvsc_queue* queue) { return signal_of(of(queue).publish()); }

hv_round_end hv_netvsc_finish_round(hv_netvsc_queue* queue, int pay, int may_wait) {
  return round_end_of(of(queue).finish_round(pay != 0, may_wait != 0));
}

hv_round_end hv_netvsc_wait_expired(hv_netvsc_queue* queue) {
  return round_end_of(of(queue).wait_expired());
}

int hv_netvsc_may_send(hv_netvsc_queue* queue, uint32_t percent) {
  Transmitter& sending = of(queue).sending();
  const auto may = sending.may_send(part_of(sending.ring_capacity(), percent));
  return may ? *may : status_of(may.error());
}

int hv_netvsc_await_room(hv_netvsc_queue* queue, uint32_t percent) {
  Transmitter& sending = of(queue).sending();
  const auto room = sending.wait_for_space(part_of(sending.ring_capacity(), percent));
  return room ? *room : status_of(room.error());
}

void hv_netvsc_share_receive(hv_netvsc_queue* queue, const void* memory, size_t bytes,
                             uint32_t version) {
  of(queue).receiving().adopt(Dialect(static_cast<hv::wire::netvsc::Version>(version)));
  of(queue).receiving().share(bytes_at(memory, bytes));
}

int hv_netvsc_next(hv_netvsc_queue* queue, hv_netvsc_event* out) {
  const auto received = of(queue).receiving().next();
  if (!received) return status_of(received.error());
  const Event& event = *received;
  out->kind = static_cast<uint8_t>(event.kind);
  out->good = event.good;
  out->pages = event.slot_kind == SlotKind::Pages;
  out->has_checksum = event.info.has_checksum;
  out->has_vlan = event.info.has_vlan;
  out->has_hash = event.info.has_hash;
  out->sum_header = event.info.sum_header;
  out->joined = event.info.part != 0;
  out->vf_allocated = event.vf_allocated;
  out->vlan = event.info.vlan;
  out->slot = event.slot;
  out->checksum = event.info.checksum;
  out->hash = event.info.hash;
  out->length =
      event.kind == Event::Kind::Frame ? event.length : static_cast<uint32_t>(event.bytes.size());
  out->fragment_count = static_cast<uint32_t>(event.fragments.size());
  out->vf_serial = event.vf_serial;
  out->fragments = reinterpret_cast<const hv_netvsc_fragment*>(event.fragments.data());
  out->bytes = event.bytes.data();
  out->table = event.table ? event.table->data() : nullptr;
  return HV_OK;
}

int hv_netvsc_describe_joined(const void* front, size_t size, uint32_t length, uint32_t parts,
                              uint32_t mtu, hv_netvsc_joined* joined) {
  const auto described = describe_joined(bytes_at(front, size), length, parts, mtu);
  if (!described) return status_of(described.error());
  *joined = {.transport_offset = described->transport_offset,
             .segment = described->segment,
             .segments = described->segments,
             .pseudo_sum = described->pseudo_sum,
             .ipv6 = described->ipv6,
             .congestion = described->congestion};
  return HV_OK;
}

int hv_netvsc_owes(hv_netvsc_queue* queue) { return of(queue).receiving().owes(); }

void hv_netvsc_release(hv_netvsc_queue* queue, uint32_t slot) {
  of(queue).release(static_cast<uint16_t>(slot));
}

int hv_netvsc_give_back(hv_netvsc_queue* queue) {
  return signal_of(of(queue).receiving().give_back());
}

void hv_netvsc_mask(hv_netvsc_queue* queue) { of(queue).receiving().mask(); }

uint32_t hv_netvsc_position(const hv_netvsc_queue* queue) {
  return of(queue).receiving().position();
}

int hv_netvsc_unmask_behind(const hv_netvsc_queue* queue, uint32_t position) {
  return of(queue).receiving().unmask_behind(position);
}

int hv_netvsc_cancel(hv_netvsc_queue* queue, uint32_t slot) {
  return status_of(of(queue).cancel(slot));
}

int hv_netvsc_alive(const hv_netvsc_queue* queue, uint32_t slot) { return of(queue).alive(slot); }

uint32_t hv_netvsc_setup_slot(const hv_netvsc_queue* queue) { return of(queue).plan().setup(); }

uint32_t hv_netvsc_control_slot(const hv_netvsc_queue* queue) { return of(queue).plan().control(); }

uint32_t hv_netvsc_first_pages_slot(const hv_netvsc_queue* queue) {
  return of(queue).plan().sections;
}

size_t hv_netvsc_in_flight(const hv_netvsc_queue* queue) { return of(queue).in_flight(); }
}
