// SPDX-License-Identifier: GPL-2.0-only OR MIT
// A hostile host against the guest's storvsc machine: any packets, in the dialogue and after it,
// with live, stale and forged ids. Every request completes exactly once or is cancelled, nothing
// else completes, and what the machine says of a completion keeps within its bounds.
#include <array>
#include <bitset>
#include <cstring>

#include "core/storvsc/machine.hpp"
#include "fuzz/support/input.hpp"

using namespace hv;
using namespace hv::storvsc;
namespace proto = wire::storvsc;

namespace {

constexpr size_t kRequests = 8;

/// Takes what is sent and remembers the ids of each slot's lives.
struct Wire {
  Result<void> send(uint64_t id, std::span<const std::byte>, std::span<const std::byte> packet) {
    if (full) return Error::RingFull;
    if (id == 0 ||
        (packet.size() != proto::kPacketSize && packet.size() != proto::kPacketSizeBeforeWin8))
      __builtin_trap();
    last_id = id;
    return {};
  }
  bool full = false;
  uint64_t last_id = 0;
};

class Guest {
 public:
  explicit Guest(fuzz::Input& input) : input_(input) {}

  void run() {
    const uint8_t wishes = input_.take<uint8_t>();
    if (!converse({.fibre_channel = (wishes & 1) != 0,
                   .sub_channels = static_cast<uint16_t>(wishes >> 1)}))
      return;
    while (!input_.empty()) {
      switch (input_.take<uint8_t>() % 4) {
        case 0:
          submit();
          break;
        case 1:
          cancel();
          break;
        default:
          receive();
          break;
      }
      if (machine_.in_flight() != live_.count()) __builtin_trap();
    }
  }

 private:
  /// A packet of the host: perhaps a header that makes sense, then whatever comes.
  std::span<const std::byte> packet() {
    const uint8_t shape = input_.take<uint8_t>();
    const size_t length = shape & 1 ? proto::kPacketSize : input_.number(sizeof(buffer_));
    std::memset(buffer_.data(), 0, buffer_.size());
    const auto bytes = input_.bytes(length);
    if (!bytes.empty()) std::memcpy(buffer_.data(), bytes.data(), bytes.size());
    if (shape & 2) {
      const proto::Header header{.operation = proto::Operation::CompleteIo,
                                 .flags = 0,
                                 .status = shape & 4 ? 0u : 0xc0000059u};
      std::memcpy(buffer_.data(), &header, sizeof(header));
    }
    return std::span(buffer_).first(length);
  }

  bool converse(const Wishes& wishes) {
    Handshake handshake(wishes);
    for (int round = 0; !handshake.done(); round++) {
      // Begin, four versions, properties, names, end, sub-channels.
      if (round > 9) __builtin_trap();
      if (!machine_.submit(wire_, Machine::Control::Dialogue, handshake.packet())) __builtin_trap();
      auto event = machine_.receive(completion(wire_.last_id, packet()));
      if (!event || event->kind != Event::Kind::Answered ||
          event->slot != machine_.slot_of(Machine::Control::Dialogue))
        __builtin_trap();
      if (!handshake.answered(event->packet)) {
        if (handshake.state() != Handshake::State::Failed) __builtin_trap();
        return false;
      }
    }
    const auto& found = handshake.properties();
    if (found.max_transfer < kLeastTransfer || found.max_transfer > kMostTransfer ||
        found.max_transfer % 4096 != 0)
      __builtin_trap();
    if (found.sub_channels > wishes.sub_channels) __builtin_trap();
    machine_.adopt(found.dialect);
    return true;
  }

  void submit() {
    const size_t slot = input_.number(kRequests);
    const uint8_t opcode = input_.take<uint8_t>();
    const std::array<uint8_t, 16> cdb = {opcode};
    wire_.full = input_.take<uint8_t>() % 8 == 0;
    asked_length_ = input_.take<uint16_t>();
    const bool was_live = slot < kRequests && live_[slot];
    const auto sent = machine_.submit(wire_, slot,
                                      {.address = {.path = 0, .target = 0, .lun = 1},
                                       .port = 0,
                                       .direction = proto::Direction::Read,
                                       .tagged = true,
                                       .length = asked_length_,
                                       .cdb = std::span(cdb).first(input_.number(16))},
                                      {});
    wire_.full = false;
    if (!sent) return;
    if (slot >= kRequests || was_live) __builtin_trap();
    live_[slot] = true;
    ids_[slot] = wire_.last_id;
    opcodes_[slot] = opcode;
  }

  void cancel() {
    const size_t slot = input_.number(kRequests - 1);
    if (machine_.cancel(slot).ok() != live_[slot]) __builtin_trap();
    live_[slot] = false;
  }

  vmbus::Packet completion(uint64_t id, std::span<const std::byte> payload) {
    return {wire::PacketType::Completion, 0, id, {}, payload};
  }

  void receive() {
    const uint8_t how = input_.take<uint8_t>();
    const size_t near = input_.number(kRequests - 1);
    uint64_t id = ids_[near];
    if (how & 1) id ^= uint64_t{1} << input_.number(63);
    if (how % 16 == 2) id = 0;
    if (how % 16 == 4) id = input_.take<uint64_t>();
    auto message = completion(id, packet());
    if (how >= 0xf0) message.type = static_cast<wire::PacketType>(input_.number(15));

    auto event = machine_.receive(message);
    if (!event) return;
    switch (event->kind) {
      case Event::Kind::Completed:
        ended(event->slot, id, *event);
        break;
      case Event::Kind::Answered:
        __builtin_trap();  // nothing of the dialogue is out
      case Event::Kind::DevicesChanged:
      case Event::Kind::NamesChanged:
      case Event::Kind::Ignored:
        break;
    }
  }

  void ended(size_t slot, uint64_t id, const Event& event) {
    if (slot >= kRequests || !live_[slot] || ids_[slot] != id) __builtin_trap();
    live_[slot] = false;
    if (!event.intelligible) return;
    const auto& sense = event.completion.sense;
    if (sense.size() > proto::kSenseSize) __builtin_trap();
    if (!sense.empty() && (reinterpret_cast<const std::byte*>(sense.data()) < buffer_.data() ||
                           reinterpret_cast<const std::byte*>(sense.data() + sense.size()) >
                               buffer_.data() + buffer_.size())) {
      __builtin_trap();
    }
    const auto outcome = judge(
        {.opcode = opcodes_[slot], .fibre_channel = false, .length = asked_length_, .least = 0},
        event.completion);
    if (outcome.moved > asked_length_ || outcome.sense.size() > sense.size()) __builtin_trap();
    if (outcome.verdict != Verdict::Done && (outcome.moved != 0 || !outcome.sense.empty()))
      __builtin_trap();
  }

  fuzz::Input& input_;
  std::array<Slot, kRequests + Machine::kControlSlots> slots_{};
  Machine machine_ = Machine::create(slots_).take();
  Wire wire_;
  std::bitset<kRequests> live_;
  std::array<uint64_t, kRequests> ids_{};
  std::array<uint8_t, kRequests> opcodes_{};
  uint32_t asked_length_ = 0;
  std::array<std::byte, 96> buffer_{};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  Guest(input).run();
  return 0;
}
