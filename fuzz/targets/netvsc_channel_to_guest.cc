// SPDX-License-Identifier: GPL-2.0-only OR MIT
// A hostile host against one channel of the guest's netvsc: any packets, ranges, messages and ids,
// over real rings. What is given out lies within the receive buffer and adds up, every message of
// ours completes exactly once or stays alive, every packet of the host's is owed one completion,
// and nothing goes on for ever.
#include <array>
#include <bitset>
#include <cstring>
#include <memory>

#include "core/netvsc/queue.hpp"
#include "fuzz/support/input.hpp"
#include "fuzz/support/ring_buffers.hpp"

using namespace hv;
using namespace hv::netvsc;

namespace {

constexpr SlotPlan kPlan{.sections = 3, .pages = 3};
constexpr size_t kReceive = 1024;
constexpr uint32_t kSection = 256;

std::span<std::byte> other_ring() {
  static auto* const once = static_cast<std::byte*>(
      std::aligned_alloc(wire::kPageSize, wire::kPageSize + fuzz::kRingData));
  std::memset(once, 0, wire::kPageSize + fuzz::kRingData);
  return {once, wire::kPageSize + fuzz::kRingData};
}

void demand(bool fact) {
  if (!fact) __builtin_trap();
}

class World {
 public:
  explicit World(fuzz::Input& input)
      : input_(input),
        out_(vmbus::RingMemory::create(other_ring()).take()),
        in_(vmbus::RingMemory::create(fuzz::ring_bytes(false)).take()),
        queue_({vmbus::RingWriter::create(out_).take(), vmbus::RingReader::create(in_).take()},
               kPlan, QueueMemory::create(memory_, kPlan).take(), input_.take<uint8_t>() & 1),
        host_in_(vmbus::RingReader::create(out_).take()),
        host_out_(vmbus::RingWriter::create(in_).take()) {
    queue_.sending().share({.bytes = send_, .first = 0, .section_size = kSection}).take();
    queue_.sending().adopt({.max_packets = 4,
                            .max_transfer = input_.take<uint16_t>(),
                            .alignment = 1u << input_.number(12)});
    queue_.receiving().adopt(Dialect(kVersions[input_.number(kVersions.size() - 1)]));
    queue_.receiving().share(receive_);
  }

  void run() {
    while (!input_.empty()) {
      switch (input_.number(5)) {
        case 0:
          guest_sends();
          break;
        case 1:
          host_reads();
          break;
        case 2:
          host_says();
          break;
        case 3:
          host_delivers();
          break;
        default:
          guest_receives();
          break;
      }
    }
  }

 private:
  void guest_sends() {
    auto& sending = queue_.sending();
    const SendFrame frame{.length = 14u + input_.number(300),
                          .tagged = input_.number(1) != 0,
                          .hashed = input_.number(1) != 0};
    switch (input_.number(3)) {
      case 0: {
        auto place = sending.copy(frame);
        if (place) {
          demand(*place >= send_.data() && *place + frame.length <= send_.data() + send_.size());
          std::memset(*place, 0, frame.length);
        }
        break;
      }
      case 1:
        (void)sending.flush().ok();
        break;
      case 2: {
        auto slot = sending.take_pages();
        if (!slot) break;
        demand(kPlan.kind(*slot) == SlotKind::Pages && !held_[*slot]);
        auto sent = sending.list_header(frame, 0);
        if (sent) sent = sending.list_piece(wire::kPageSize, frame.length);
        if (sent) sent = sending.send_pages(*slot, frame, header_);
        if (sent)
          held_[*slot] = true;
        else
          sending.drop_pages(*slot);
        break;
      }
      case 3:
        (void)sending.send_setup(revoke_send_buffer()).ok();
        break;
    }
    (void)sending.publish();
  }

  void host_reads() {
    alignas(8) std::array<std::byte, 4096> buffer;
    const auto packet = host_in_.read(buffer);
    if (packet && packet->wants_completion()) last_id_ = packet->transaction_id;
    if (packet && packet->type == wire::PacketType::Completion) {
      demand(completions_due_ > 0);
      completions_due_--;
    }
    (void)host_in_.commit();
  }

  uint64_t some_id() {
    const uint8_t how = input_.take<uint8_t>();
    if (how < 128) return last_id_;
    if (how < 192) return last_id_ ^ uint64_t { 1 } << input_.number(63);
    return input_.take<uint64_t>();
  }

  void put(wire::PacketType type, uint64_t id, std::span<const std::byte> extra,
           std::span<const std::byte> payload) {
    if (!host_out_.stage(type, 0, id, extra, payload)) return;
    if (type == wire::PacketType::DataUsingTransferPages) transfers_++;
    (void)host_out_.commit();
  }

  void host_says() {
    const auto type =
        input_.number(3) == 0 ? wire::PacketType::DataInBand : wire::PacketType::Completion;
    const auto bytes = input_.bytes(input_.number(128));
    put(type, some_id(), {}, std::as_bytes(bytes));
  }

  void host_delivers() {
    const auto content = input_.bytes(input_.number(200));
    const size_t at = input_.number(kReceive - 200);
    if (!content.empty()) std::memcpy(receive_.data() + at, content.data(), content.size());
    alignas(8) std::array<std::byte, 8 + 8 * 8> extra;
    const uint32_t ranges = input_.number(8);
    ByteWriter writer(extra);
    const bool honest = input_.number(3) != 0;
    (void)writer
        .put(wire::TransferPageHeader{
            honest ? wire::netvsc::kReceiveBufferId : input_.take<uint16_t>(), 0, 0,
            honest ? ranges : input_.take<uint32_t>()})
        .ok();
    for (uint32_t i = 0; i < ranges; i++) {
      const bool near = input_.number(3) != 0;
      (void)writer
          .put(wire::TransferPageRange{near ? input_.number(255) : input_.take<uint32_t>(),
                                       near ? static_cast<uint32_t>(at) : input_.take<uint32_t>()})
          .ok();
    }
    const auto message = make_message(input_.number(7) ? wire::netvsc::MessageType::SendRndisPacket
                                                       : wire::netvsc::MessageType::Init,
                                      wire::netvsc::RndisPacket{});
    put(wire::PacketType::DataUsingTransferPages, some_id(), writer.written(), message);
  }

  void guest_receives() {
    auto& receiving = queue_.receiving();
    // A packet has 8 ranges at most, so this many calls see the end of one.
    for (int i = 0; i < 10; i++) {
      const auto event = receiving.next();
      if (event)
        understand(*event);
      else if (event.error() == Error::RingEmpty || event.error() == Error::RingCorrupt)
        break;
      else if (event.error() == Error::Exhausted)
        demand(receiving.owes());
    }
    (void)receiving.give_back();
    pay();
  }

  void pay() {
    auto& receiving = queue_.receiving();
    while (receiving.owes()) {
      const auto& completion = receiving.oldest();
      demand(transfers_ > 0);
      if (!queue_.sending().send_completion(completion.id, completion.status)) break;
      transfers_--;
      completions_due_++;
      receiving.pay();
    }
    auto& sending = queue_.sending();
    if (sending.may_wait()) {
      // They go with the next frame, or by the timer, which runs twice at most.
      if (input_.number(1)) return;
      if (sending.wait_expired() == Piggyback::Due::Later)
        demand(sending.wait_expired() == Piggyback::Due::Now);
    }
    (void)sending.publish();
  }

  void understand(const Event& event) {
    switch (event.kind) {
      case Event::Kind::Frame: {
        uint64_t length = 0;
        demand(!event.fragments.empty());
        for (const auto& part : event.fragments) {
          demand(part.data >= receive_.data() && part.length <= receive_.size());
          demand(part.data + part.length <= receive_.data() + receive_.size());
          length += part.length;
        }
        demand(length == event.length && length >= kEthernetHeader &&
               length <= Receiver::kMostFrame);
        break;
      }
      case Event::Kind::Sent:
        if (event.slot_kind == SlotKind::Pages) {
          demand(held_[event.slot]);
          held_[event.slot] = false;
        }
        demand(event.slot_kind != SlotKind::Setup && !queue_.alive(event.slot));
        queue_.release(event.slot);
        break;
      case Event::Kind::Control:
        control(event.bytes);
        break;
      case Event::Kind::SendTable:
        demand(event.table != nullptr);
        break;
      case Event::Kind::ControlSent:
        __builtin_trap();  // none was sent
      case Event::Kind::Answered:
      case Event::Kind::VfAssociation:
      case Event::Kind::Dropped:
      case Event::Kind::Ignored:
        break;
    }
  }

  void control(std::span<const std::byte> bytes) {
    demand(bytes.size() <= Receiver::kMostControl);
    const auto view = parse_control(bytes);
    if (!view) return;
    (void)parse_indication(*view).ok();
    (void)parse_set_complete(bytes).ok();
    (void)parse_u32(bytes).ok();
    (void)parse_mac(bytes).ok();
    (void)parse_offloads(bytes).ok();
    const auto limits = parse_initialize_complete(bytes);
    if (limits)
      demand(limits->alignment >= 1 && limits->alignment <= 4096 && limits->max_packets >= 1);
    const auto rss = parse_rss(bytes);
    if (rss) demand(rss->table_entries >= 1 && rss->table_entries <= kMostRssEntries);
    const auto buffer = parse_query_complete(bytes);
    if (buffer && !buffer->empty())
      demand(buffer->data() >= bytes.data() &&
             buffer->data() + buffer->size() <= bytes.data() + bytes.size());
  }

  fuzz::Input& input_;
  vmbus::RingMemory out_, in_;
  std::array<std::byte, 3 * kSection> send_{};
  std::array<std::byte, kReceive> receive_{};
  std::array<std::byte, kHeaderRoom> header_{};
  alignas(8) std::array<std::byte, QueueMemory::bytes_needed(kPlan)> memory_{};
  Queue queue_;
  vmbus::RingReader host_in_;
  vmbus::RingWriter host_out_;
  std::bitset<kPlan.count()> held_;
  uint64_t last_id_ = 0;
  size_t transfers_ = 0;
  size_t completions_due_ = 0;
};

/// The dialogues: whatever the answers are, they end, and what they found holds together.
void converse(fuzz::Input& input) {
  Opening opening({});
  for (int round = 0; !opening.done() && opening.state() != Opening::State::Failed; round++) {
    demand(round < 16);
    if (opening.state() == Opening::State::ReceiveBuffer ||
        opening.state() == Opening::State::SendBuffer)
      opening.give_buffer(1, 65536).take();
    (void)opening.message();
    if (!opening.wants_answer()) {
      opening.sent().take();
      continue;
    }
    const auto bytes = input.bytes(input.number(48));
    (void)opening.answered(std::as_bytes(bytes)).ok();
  }
  const auto& receive = opening.receive_sections();
  const auto& send = opening.send_sections();
  demand(uint64_t{receive.size} * receive.count <= 65536 &&
         uint64_t{send.size} * send.count <= 65536);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  if (input.number(3) == 0) {
    converse(input);
  } else {
    auto world = std::make_unique<World>(input);
    world->run();
  }
  return 0;
}
