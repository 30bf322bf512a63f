// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <optional>

#include "core/netvsc/conversation.hpp"
#include "core/netvsc/frame.hpp"
#include "core/netvsc/opening.hpp"
#include "core/netvsc/queue_memory.hpp"
#include "core/vmbus/endpoint.hpp"

namespace hv::netvsc {

/// A piece of a frame, in the receive buffer: shared with the host until the next event. To be
/// copied, once.
struct Fragment {
  const std::byte* data;
  uint32_t length;
};

/// By a frame's hash, its queue: below kMaxQueues, though there may be fewer.
using ChannelTable = std::array<uint32_t, wire::netvsc::kSendTableEntries>;

/// What a packet from the host means.
struct Event {
  enum class Kind : uint8_t {
    Frame,    ///< `fragments` (1 or more) make up one frame of `length` bytes; `info`
    Control,  ///< an RNDIS control message: `bytes`, a private copy, as long as what came
    Sent,  ///< the host is done with `slot` (sections or pages); `good` false: it refused, or made
           ///< no sense. Pages: the port lets go of the frame, then calls `release_pages`
    ControlSent,    ///< the host has read the RNDIS control message
    Answered,       ///< the NVSP message of the dialogue is answered by `bytes`
    SendTable,      ///< `*table`
    VfAssociation,  ///< `vf_serial`, when `vf_allocated`
    Dropped,        ///< a frame of the host that made no sense
    Ignored,        ///< well formed, of no interest
  };
  Kind kind;
  SlotKind slot_kind = SlotKind::Section;
  bool good = true;
  bool vf_allocated = false;
  uint16_t slot = 0;
  uint32_t vf_serial = 0;
  uint32_t length = 0;
  std::span<const Fragment> fragments{};
  std::span<const std::byte> bytes{};
  ReceivedInfo info{};
  const ChannelTable* table = nullptr;
};

/// A completion that is owed to the host.
struct Completion {
  uint64_t id;
  wire::netvsc::Status status;
};

/// The receiving side of one channel.
/// Concurrency: one caller at a time; independent of the sending side.
/// Trust: the packet is copied once; its ranges, offsets, lengths and ids are checked; a frame's
/// headers are copied once and looked at in the copy; a frame's bytes are left for the port to
/// copy.
class Receiver {
 public:
  /// Bytes of the largest packet taken, its descriptor not counted: a frame of kMostParts pieces.
  static constexpr size_t kMostParts = 562;
  static constexpr size_t kMostPacket = 8 + kMostParts * sizeof(wire::TransferPageRange) + 256;
  static constexpr size_t kMostOwed = 256;
  static constexpr size_t kMostControl = 2048;
  /// Bytes of a frame: an Ethernet header, a tag and the largest IP packet, which joined frames may
  /// make.
  static constexpr uint32_t kMostFrame = 65535 + kEthernetHeader + 4;

  Receiver(vmbus::RingReader ring, SlotTable& slots, const SlotPlan& plan,
           std::span<const std::byte> buffer, bool primary)
      : in_(ring), slots_(slots), plan_(plan), buffer_(buffer), primary_(primary) {}

  void adopt(const Dialect& dialect) { dialect_ = dialect; }
  /// The sections of the receive buffer: where frames of the host may be. Before the first of them;
  /// an empty span forbids all.
  void share(std::span<const std::byte> buffer) { buffer_ = buffer; }

  /// The next event. What it views lasts until the next call, and so long the completion of its
  /// packet is not owed. Errors: RingEmpty; RingCorrupt (for good: close the channel); Exhausted
  /// (kMostOwed completions are owed: pay some first). Any other: this packet was refused and no
  /// request is harmed, go on.
  HV_HOT Result<Event> next();
  /// Completions that are owed, oldest first. `pay` takes the oldest away, when it has been sent.
  bool owes() const { return owed_count_ != 0; }
  const Completion& oldest() const { return owed_[owed_head_]; }
  void pay() {
    owed_head_ = (owed_head_ + 1) % kMostOwed;
    owed_count_--;
  }

  vmbus::Signal give_back() { return in_.give_back(); }
  void mask() { in_.mask(); }
  uint32_t position() const { return in_.position(); }
  /// When the receiver may be another caller's already; `position` is from before
  /// (RingReader::unmask_behind).
  bool unmask_behind(uint32_t position) const { return in_.unmask_behind(position); }

 private:
  /// The packet of transfer pages whose ranges are being gone through.
  struct Transfer {
    bool active = false;
    uint64_t id = 0;
    wire::netvsc::Status status = wire::netvsc::Status::Success;
    std::span<const std::byte> ranges{};
    bool wants_completion = false;
  };

  HV_HOT Result<Event> open_packet();
  HV_HOT Result<Event> begin_transfer(const vmbus::Packet& packet);
  HV_HOT Result<Event> completed(const vmbus::Packet& packet);
  Result<Event> host_says(std::span<const std::byte> message);
  HV_HOT std::optional<Event> next_range();
  HV_HOT std::optional<Event> take_range(const wire::TransferPageRange& range);
  HV_HOT std::optional<Event> take_frame(std::span<const std::byte> message);
  Event drop_frame();
  HV_HOT void end_transfer();

  vmbus::Inbound<kMostPacket> in_;
  SlotTable& slots_;
  SlotPlan plan_;
  Dialect dialect_ = kNewest;
  std::span<const std::byte> buffer_;
  bool primary_;
  bool forming_ = false;  ///< the first parts of a frame are in `parts_`, more are to come
  Transfer transfer_;
  uint32_t part_count_ = 0;
  uint32_t length_ = 0;
  ReceivedInfo first_info_;
  ChannelTable table_{};
  size_t owed_head_ = 0;
  size_t owed_count_ = 0;
  std::array<Completion, kMostOwed> owed_;
  std::array<Fragment, kMostParts> parts_;
  PpiScratch ppis_;
  alignas(8) std::array<std::byte, kMostControl> control_;
};

/// The send table in an NVSP message, a private copy. Hosts up to version 6 may misstate its
/// offset: then it is looked for behind the longest message of the protocol. Errors: Truncated,
/// BadValue (not 16 entries), BadLength (out of the message).
Result<ChannelTable> parse_send_table(std::span<const std::byte> message, const Dialect& dialect);

}  // namespace hv::netvsc
