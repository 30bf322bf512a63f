// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/base/bytes.hpp"
#include "core/base/checked.hpp"
#include "core/base/hot.h"
#include "core/base/result.hpp"
#include "core/wire/ring.hpp"

namespace hv::vmbus {

/// One direction of a channel in shared memory: a control page and the data behind it, contiguous
/// in our address space.
class RingMemory {
 public:
  /// Bytes of data at most: sums of two indices stay far from 32 bits.
  static constexpr size_t kMaxDataSize = size_t{1} << 30;

  /// `memory`: the control page and then at least one page of data, page-multiple, aligned to 8.
  /// `mirrored`: behind `memory`, and not counted in it, the data is mapped a second time, so that
  /// no packet ever wraps. Errors: BadLength (no such size), BadValue (not aligned).
  static Result<RingMemory> create(std::span<std::byte> memory, bool mirrored = false);

  /// Empties the ring for a channel about to be opened: indices, mask and wish 0, feature bit set.
  /// The guest does this to both rings before it opens the channel, while nobody else uses them.
  void reset() const;

  wire::RingControl& control() const { return *control_; }
  std::byte* data() const { return data_; }
  uint32_t size() const { return size_; }  ///< bytes of data, the mirror not counted
  bool mirrored() const { return mirrored_; }

 private:
  RingMemory(wire::RingControl* control, std::byte* data, uint32_t size, bool mirrored)
      : control_(control), data_(data), size_(size), mirrored_(mirrored) {}
  wire::RingControl* control_;
  std::byte* data_;
  uint32_t size_;
  bool mirrored_;
};

/// A packet copied out of the ring: all views point into the private copy.
struct Packet {
  Packet(wire::PacketType its_type, uint16_t its_flags, uint64_t id,
         std::span<const std::byte> its_extra, std::span<const std::byte> its_payload)
      : type(its_type),
        flags(its_flags),
        transaction_id(id),
        extra(its_extra),
        payload(its_payload) {}
  /// Field by field: else the compiler writes the packet to memory field by field and at once reads
  /// it back in larger pieces, for which the processor waits.
  Packet(const Packet& other)
      : Packet(other.type, other.flags, other.transaction_id,
               {other.extra.data(), other.extra.size()},
               {other.payload.data(), other.payload.size()}) {}

  wire::PacketType type;
  uint16_t flags;
  uint64_t transaction_id;
  std::span<const std::byte>
      extra;  ///< between descriptor and payload (GPA ranges, transfer pages), may be empty
  std::span<const std::byte> payload;  ///< padded by its sender to a multiple of 8 bytes
  bool wants_completion() const { return flags & wire::kPacketCompletionRequested; }
};

/// Whether what the peer says is checked. `Trusted` is for the benchmark alone, which measures what
/// the checks cost: the members that take it are private, and TrustingRing is their only friend.
enum class Peer : bool { Hostile, Trusted };

/// A packet that was staged, until it is committed or reverted.
class Staged {
 public:
  /// Gives the packet its id, in place of that which it was staged with. Only written, never read
  /// back: the bytes are shared.
  HV_HOT_INLINE void set_id(uint64_t transaction_id) const;

 private:
  friend class RingWriter;
  explicit Staged(std::byte* id) : id_(id) {}
  std::byte* id_;
};

/// Whether the peer has to be signalled now. The port does it; the ring never does.
enum class [[nodiscard]] Signal : bool{No = false, Yes = true};

/// The producer's side of one ring.
/// Concurrency: one caller at a time (the port's lock, or one thread); the consumer runs anywhere,
/// at any time. Trust: of the shared memory it reads the peer's read index (validated at every
/// read) and interrupt mask, and nothing else; its own write index is private and only published.
///
/// A producer that waits for room: commit what is staged, then `wait_for_space(packet_size(...))`;
/// on false sleep until the peer signals (it may do so for other reasons: call it again), on true
/// stage.
class RingWriter {
 public:
  /// Goes on at the write index it finds. Errors: RingCorrupt (an index is impossible).
  static Result<RingWriter> create(RingMemory memory);
  const RingMemory& memory() const { return memory_; }

  /// Bytes that `stage` of a packet with this much extra and payload takes, descriptor and trailer
  /// included.
  static constexpr size_t packet_size(size_t extra, size_t payload) {
    return sizeof(wire::PacketDescriptor) + align_up(extra, 8) + align_up(payload, 8) +
           wire::kPacketTrailerSize;
  }
  /// The largest `packet_size` that an empty ring takes.
  uint32_t capacity() const { return memory_.size() - kAlwaysFree; }

  /// Bytes that can be staged now, behind what is staged already: a packet goes in when its
  /// `packet_size` is not more. Errors: RingCorrupt (the peer's index is impossible; stays so).
  HV_HOT Result<uint32_t> free_bytes();

  /// Stages a packet behind those already staged; the peer does not see it before `commit`. `extra`
  /// is a multiple of 8 bytes; `payload` is padded with zeros to one. Errors (nothing is staged
  /// then): RingFull (no room now; `wait_for_space` asks for it), BadLength (over the descriptor's
  /// 16-bit lengths or `capacity`, or `extra` no multiple of 8), RingCorrupt.
  HV_HOT_INLINE Result<Staged> stage(wire::PacketType type, uint16_t flags, uint64_t transaction_id,
                                     std::span<const std::byte> extra,
                                     std::span<const std::byte> payload) {
    return stage_for<Peer::Hostile>(type, flags, transaction_id, extra, payload);
  }

  /// Publishes what is staged: one store of the write index, one signal decision for all of it.
  /// Yes: the consumer had emptied the ring, may sleep and wants to be woken.
  HV_HOT Signal commit();
  /// Forgets what is staged.
  void revert() { staged_ = committed_; }

  /// Asks the consumer for a signal once `bytes` (a `packet_size`) are free behind what is staged,
  /// then looks again: true when there is room now (and the wish is withdrawn). 0 withdraws the
  /// wish. Errors: BadLength (over `capacity`), RingCorrupt.
  Result<bool> wait_for_space(uint32_t bytes);

 private:
  /// Equal indices mean empty, so a ring is never filled; indices move by 8.
  static constexpr uint32_t kAlwaysFree = 8;

  RingWriter(RingMemory memory, uint32_t write_index, uint32_t read_index)
      : memory_(memory), committed_(write_index), staged_(write_index), peer_(read_index) {}
  template <Peer peer>
  HV_HOT_INLINE Result<Staged> stage_for(wire::PacketType type, uint16_t flags,
                                         uint64_t transaction_id, std::span<const std::byte> extra,
                                         std::span<const std::byte> payload);
  friend struct TrustingRing;  ///< of the benchmark

  /// The read index may only move over what we have published. False: it is impossible.
  bool accept(uint32_t read_index);
  uint32_t free_behind_staged() const;
  /// Looks at the peer's index for a packet of `size` bytes that found no room.
  HV_HOT Result<void> find_room(size_t size);
  /// Writes a packet that goes on at the start of the data. `head`: the descriptor's first half.
  void write_wrapping(uint64_t head, uint64_t transaction_id, std::span<const std::byte> extra,
                      std::span<const std::byte> payload);

  RingMemory memory_;
  uint32_t committed_;  ///< our write index as the peer sees it
  uint32_t staged_;     ///< our write index behind what is staged
  uint32_t peer_;       ///< the peer's read index as last accepted
  bool corrupt_ = false;
};

/// The consumer's side of one ring.
/// Concurrency: one caller at a time; the producer runs anywhere, at any time.
/// Trust: the peer's write index is validated at every read, descriptors are copied out before they
/// are looked at, and the packet is copied once.
///
/// The loop that loses no wake-up, masked or not: `mask` (if wanted); `read` until RingEmpty, with
/// `commit` at least at the end; `unmask`; on true again from the start, on false sleep until
/// signalled.
class RingReader {
 public:
  /// Goes on at the read index it finds. Errors: RingCorrupt (an index is impossible).
  static Result<RingReader> create(RingMemory memory);
  const RingMemory& memory() const { return memory_; }

  /// Copies the next packet, without its descriptor, into `buffer` and steps over it; the peer does
  /// not get the room back before `commit`. Errors: RingEmpty; BadLength (does not fit `buffer`:
  /// the packet is stepped over); BadValue (a packet type that the protocol does not know: stepped
  /// over); RingCorrupt (stays so).
  HV_HOT_INLINE Result<Packet> read(std::span<std::byte> buffer) {
    return read_for<Peer::Hostile>(buffer);
  }
  /// Steps back before the packet of the last read, which comes again then. Once, and before
  /// `commit`.
  void unread() { next_ = last_; }

  /// Gives the room of all read packets back. Yes: the producer waits for room and has it now.
  HV_HOT Signal commit();

  /// Asks the producer not to signal (polling) or to signal again. `unmask`, called when all is
  /// committed, returns true when data arrived in between: go on reading, no signal will come for
  /// it. Errors of `unmask`: RingCorrupt.
  HV_HOT void mask();
  HV_HOT Result<bool> unmask();
  /// `unmask` for a caller that has let go of this object, so that another one may read on
  /// meanwhile: it touches nothing that reading changes. `position`: what this one returned before,
  /// with all committed. True also when an index is impossible: reading on finds it out.
  HV_HOT bool unmask_behind(uint32_t position) const;
  uint32_t position() const { return next_; }

  /// Bytes readable now, trailers included. Errors: RingCorrupt.
  HV_HOT Result<uint32_t> readable();

 private:
  RingReader(RingMemory memory, uint32_t read_index, uint32_t write_index)
      : memory_(memory),
        committed_(read_index),
        next_(read_index),
        last_(read_index),
        peer_(write_index) {}
  template <Peer peer>
  HV_HOT_INLINE Result<Packet> read_for(std::span<std::byte> buffer);
  friend struct TrustingRing;  ///< of the benchmark

  /// The write index may only move into what we have given back. False: it is impossible.
  bool accept(uint32_t write_index);
  /// Copies the `length` bytes from `begin` on that go on at the start of the data.
  void copy_wrapping(std::byte* to, uint32_t begin, uint32_t length) const;
  /// Whether a producer that waits for `wish` bytes has them since the read index moved from
  /// `before` to where it is now.
  Signal grant(uint32_t wish, uint32_t before);

  RingMemory memory_;
  uint32_t committed_;  ///< our read index as the peer sees it
  uint32_t next_;       ///< our read index behind what was read
  uint32_t last_;       ///< our read index before the last read
  uint32_t peer_;       ///< the peer's write index as last accepted
  bool corrupt_ = false;
};

}  // namespace hv::vmbus

#include "core/vmbus/ring_hot.hpp"  // what each packet comes through, to be inlined
