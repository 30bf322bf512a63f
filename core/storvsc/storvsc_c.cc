// SPDX-License-Identifier: GPL-2.0-only OR MIT
// The machine's face for C: translation alone.
#include "core/storvsc/identity.hpp"
#include "core/storvsc/life.hpp"
#include "core/storvsc/machine.hpp"
#include "core/storvsc/recognition.hpp"
#include "core/storvsc/storvsc.h"
#include "core/vmbus/face.hpp"

namespace {

using hv::Error;
using hv::Result;
using hv::face::object;
using hv::face::signal_of;
using hv::face::status_of;
using hv::storvsc::Channel;
using hv::storvsc::Handshake;
using hv::storvsc::Machine;
using hv::storvsc::Recognition;

Machine& of(hv_storvsc* machine) { return object<Machine>(machine); }
const Machine& of(const hv_storvsc* machine) { return object<Machine>(machine); }
Channel& of(hv_storvsc_channel* channel) { return object<Channel>(channel); }
Handshake& of(hv_storvsc_handshake* handshake) { return object<Handshake>(handshake); }
const Handshake& of(const hv_storvsc_handshake* handshake) { return object<Handshake>(handshake); }

Recognition& of(hv_storvsc_recognition* recognition) { return object<Recognition>(recognition); }
const Recognition& of(const hv_storvsc_recognition* recognition) {
  return object<Recognition>(recognition);
}

/// Makes the channel where it is to live: it is too large for a kernel's stack.
Result<void> make_channel(hv_storvsc_channel* place, const hv_port_rings& rings) {
  new (place) Channel(HV_TRY(hv::vmbus::Rings::create(rings)));
  return {};
}

/// The one range of a request of `length` bytes, `offset` into the first of `count` frames; its
/// head is written where the port left room.
std::span<const std::byte> range_at(uint64_t* words, uint32_t length, uint32_t offset,
                                    uint32_t count) {
  const hv::wire::GpaDirectHeader header{.reserved = 0, .range_count = 1};
  const hv::wire::GpaRangeHeader range{.byte_count = length, .byte_offset = offset};
  __builtin_memcpy(&words[0], &header, sizeof(header));
  __builtin_memcpy(&words[1], &range, sizeof(range));
  return {reinterpret_cast<const std::byte*>(words),
          (HV_STORVSC_RANGE_WORDS + size_t{count}) * sizeof(uint64_t)};
}
std::span<const std::byte> ranges_of(const hv_storvsc_request& request) {
  if (request.length == 0) return {};
  return range_at(request.range, request.length, request.offset, request.frame_count);
}

static_assert(HV_STORVSC_RANGE_WORDS * sizeof(uint64_t) ==
              sizeof(hv::wire::GpaDirectHeader) + sizeof(hv::wire::GpaRangeHeader));
static_assert(sizeof(hv_storvsc_slot) == sizeof(hv::Slot) &&
              alignof(hv_storvsc_slot) == alignof(hv::Slot));
static_assert(HV_STORVSC_CONTROL_SLOTS == Machine::kControlSlots);
static_assert(HV_STORVSC_ANSWER_SECONDS == hv::storvsc::kAnswerSeconds);
static_assert(HV_STORVSC_REQUEST_SECONDS == hv::storvsc::kRequestSeconds);
static_assert(HV_STORVSC_PACKET_SIZE == hv::wire::storvsc::kPacketSize);
static_assert(HV_STORVSC_CDB_SIZE == hv::wire::storvsc::kCdbSize);
static_assert(HV_STORVSC_WIN7 == static_cast<int>(hv::wire::storvsc::Version::Win7));
static_assert(HV_STORVSC_WIN8 == static_cast<int>(hv::wire::storvsc::Version::Win8));
static_assert(HV_STORVSC_WIN8_1 == static_cast<int>(hv::wire::storvsc::Version::Win8_1));
static_assert(HV_STORVSC_WIN10 == static_cast<int>(hv::wire::storvsc::Version::Win10));
static_assert(HV_STORVSC_READ == static_cast<int>(hv::wire::storvsc::Direction::Read));
static_assert(HV_STORVSC_NO_DATA == static_cast<int>(hv::wire::storvsc::Direction::None));
static_assert(HV_STORVSC_IGNORED == static_cast<int>(hv::storvsc::Event::Kind::Ignored));
static_assert(HV_STORVSC_PASS_THROUGH == static_cast<int>(hv::storvsc::Verdict::PassThrough));
static_assert(HV_STORVSC_RESCAN_HOST == static_cast<int>(hv::storvsc::Chore::RescanHost));
static_assert(HV_STORVSC_DETAIL == static_cast<int>(hv::storvsc::Report::Detail));
static_assert(HV_STORVSC_RESET == static_cast<int>(Machine::Control::Reset) &&
              HV_STORVSC_RECOGNITION == static_cast<int>(Machine::Control::Recognition));
static_assert(HV_STORVSC_RECOGNITION_BYTES == Recognition::kMostBytes);
static_assert(HV_STORVSC_CHANGED == static_cast<int>(hv::storvsc::Recognised::Changed) &&
              HV_STORVSC_ANOTHER == static_cast<int>(hv::storvsc::Recognised::Other) &&
              HV_STORVSC_NOBODY == static_cast<int>(hv::storvsc::Recognised::Gone));
static_assert(HV_STORVSC_OTHER_DISK == static_cast<int>(hv::storvsc::Identity::Other) &&
              HV_STORVSC_UNKNOWN_DISK == static_cast<int>(hv::storvsc::Identity::Unknown));

}  // namespace

extern "C" {

int hv_storvsc_create(hv_storvsc* machine, hv_storvsc_slot* slots, size_t count) {
  auto made = Machine::create({reinterpret_cast<hv::Slot*>(slots), count});
  if (!made) return status_of(made.error());
  new (machine) Machine(made.take());
  return HV_OK;
}

int hv_storvsc_channel_create(hv_storvsc_channel* channel, const hv_port_rings* rings) {
  return status_of(make_channel(channel, *rings));
}

int hv_storvsc_handshake_create(hv_storvsc_handshake* handshake, int fibre_channel,
                                uint16_t sub_channels) {
  new (handshake) Handshake({.fibre_channel = fibre_channel != 0, .sub_channels = sub_channels});
  return HV_OK;
}

int hv_storvsc_handshake_send(const hv_storvsc_handshake* handshake, hv_storvsc* machine,
                              hv_storvsc_channel* channel) {
  return status_of(
      of(machine).submit(of(channel).out, Machine::Control::Dialogue, of(handshake).packet()));
}

int hv_storvsc_handshake_answer(hv_storvsc_handshake* handshake, const void* packet,
                                size_t length) {
  return status_of(of(handshake).answered({static_cast<const std::byte*>(packet), length}));
}

int hv_storvsc_handshake_done(const hv_storvsc_handshake* handshake) {
  return of(handshake).done();
}

int hv_storvsc_handshake_at_sub_channels(const hv_storvsc_handshake* handshake) {
  return of(handshake).state() == Handshake::State::CreateSubChannels;
}

void hv_storvsc_adopt(hv_storvsc* machine, const hv_storvsc_handshake* handshake,
                      hv_storvsc_properties* properties) {
  const auto& found = of(handshake).properties();
  of(machine).adopt(found.dialect);
  *properties = {.version = static_cast<uint16_t>(found.dialect.version),
                 .sub_channels = found.sub_channels,
                 .max_transfer = found.max_transfer,
                 .node_name = found.names.node,
                 .port_name = found.names.port};
}

int hv_storvsc_submit(hv_storvsc* machine, hv_storvsc_channel* channel, size_t slot,
                      const hv_storvsc_request* request) {
  const hv::storvsc::Request command{
      .address = {.path = request->path, .target = request->target, .lun = request->lun},
      .port = request->port,
      .direction = static_cast<hv::wire::storvsc::Direction>(request->direction),
      .tagged = request->tagged != 0,
      .length = request->length,
      .cdb = {request->cdb, request->cdb_length},
  };
  return status_of(of(machine).submit(of(channel).out, slot, command, ranges_of(*request)));
}

int hv_storvsc_submit_reset(hv_storvsc* machine, hv_storvsc_channel* channel, uint8_t path) {
  return status_of(of(machine).submit(of(channel).out, Machine::Control::Reset,
                                      hv::storvsc::reset_bus_packet(path)));
}

int hv_storvsc_publish(hv_storvsc_channel* channel) { return signal_of(of(channel).out.publish()); }

int hv_storvsc_receive(hv_storvsc* machine, hv_storvsc_channel* channel, hv_storvsc_event* event) {
  const auto packet = of(channel).in.read();
  if (!packet) return status_of(packet.error());
  const auto received = of(machine).receive(*packet);
  if (!received) return status_of(received.error());
  const auto& seen = *received;
  const auto& completion = seen.completion;
  event->kind = static_cast<uint32_t>(seen.kind);
  event->slot = static_cast<uint32_t>(seen.slot);
  event->completion = {.intelligible = seen.intelligible,
                       .srb_code = completion.srb_code,
                       .scsi_status = completion.scsi_status,
                       .sense_length = static_cast<uint8_t>(completion.sense.size()),
                       .nt_status = completion.nt_status,
                       .moved = completion.moved,
                       .sense = completion.sense.data()};
  event->packet = seen.packet.data();
  event->packet_length = static_cast<uint32_t>(seen.packet.size());
  event->node_name = seen.names.node;
  event->port_name = seen.names.port;
  return HV_OK;
}

int hv_storvsc_give_back(hv_storvsc_channel* channel) {
  return signal_of(of(channel).finish_round().signal);
}

enum hv_storvsc_identity hv_storvsc_compare_identity(const void* known, size_t known_length,
                                                     const void* now, size_t now_length) {
  return static_cast<hv_storvsc_identity>(hv::storvsc::compare_identity(
      hv::face::bytes_at(known, known_length), hv::face::bytes_at(now, now_length)));
}

void hv_storvsc_recognition_create(hv_storvsc_recognition* recognition,
                                   const hv_storvsc_known* known) {
  new (recognition)
      Recognition({.address = {.path = known->path, .target = known->target, .lun = known->lun},
                   .port = known->port,
                   .bytes = known->bytes,
                   .identity = hv::face::bytes_at(known->identity, known->identity_length)});
}

int hv_storvsc_recognition_done(const hv_storvsc_recognition* recognition) {
  return of(recognition).done();
}

enum hv_storvsc_recognised hv_storvsc_recognition_verdict(
    const hv_storvsc_recognition* recognition) {
  return static_cast<hv_storvsc_recognised>(of(recognition).verdict());
}

int hv_storvsc_recognition_send(const hv_storvsc_recognition* recognition, hv_storvsc* machine,
                                hv_storvsc_channel* channel, uint64_t frame, uint64_t* range) {
  const auto request = of(recognition).request();
  range[HV_STORVSC_RANGE_WORDS] = frame;
  return status_of(of(machine).submit_recognition(of(channel).out, request,
                                                  range_at(range, request.length, 0, 1)));
}

void hv_storvsc_recognition_answer(hv_storvsc_recognition* recognition, const void* packet,
                                   size_t length, const void* page) {
  of(recognition)
      .heard(hv::face::bytes_at(packet, length),
             hv::face::bytes_at(page, HV_STORVSC_RECOGNITION_BYTES));
}

void hv_storvsc_life_create(hv_life* life) { new (life) hv::vmbus::Lifecycle(hv::storvsc::kLife); }

void hv_storvsc_judge(uint8_t opcode, int fibre_channel, uint32_t length, uint32_t least,
                      const hv_storvsc_completion* completion, hv_storvsc_outcome* outcome) {
  const auto judged =
      completion->intelligible
          ? hv::storvsc::judge({.opcode = opcode,
                                .fibre_channel = fibre_channel != 0,
                                .length = length,
                                .least = least},
                               {.srb_code = completion->srb_code,
                                .scsi_status = completion->scsi_status,
                                .nt_status = completion->nt_status,
                                .moved = completion->moved,
                                .sense = {completion->sense, completion->sense_length}})
          : hv::storvsc::unintelligible();
  *outcome = {.verdict = static_cast<uint8_t>(judged.verdict),
              .chore = static_cast<uint8_t>(judged.chore),
              .report = static_cast<uint8_t>(judged.report),
              .scsi_status = judged.scsi_status,
              .moved = judged.moved,
              .sense = judged.sense.data(),
              .sense_length = static_cast<uint32_t>(judged.sense.size())};
}

int hv_storvsc_cancel(hv_storvsc* machine, size_t slot) {
  return status_of(of(machine).cancel(slot));
}

int hv_storvsc_alive(const hv_storvsc* machine, size_t slot) { return of(machine).alive(slot); }

size_t hv_storvsc_control_slot(const hv_storvsc* machine, hv_storvsc_control control) {
  return of(machine).slot_of(static_cast<Machine::Control>(control));
}

size_t hv_storvsc_in_flight(const hv_storvsc* machine) { return of(machine).in_flight(); }
}
