// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/base/bytes.hpp"
#include "core/base/result.hpp"
#include "core/wire/ring.hpp"

namespace hv::vmbus {

/// One direction of a channel in shared memory: a control page and the data behind it, contiguous in our address space.
class RingMemory {
 public:
  /// `memory`: the control page and then at least one page of data, page-multiple. `mirrored`: the data is mapped a second time right
  /// behind itself, so that no packet ever wraps. Errors: BadLength.
  static Result<RingMemory> create(std::span<std::byte> memory, bool mirrored = false);

  wire::RingControl& control() const { return *control_; }
  std::byte* data() const { return data_; }
  uint32_t size() const { return size_; }   ///< bytes of data, the mirror not counted
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
  wire::PacketType type;
  uint16_t flags;
  uint64_t transaction_id;
  std::span<const std::byte> extra;    ///< between descriptor and payload (GPA ranges, transfer pages), may be empty
  std::span<const std::byte> payload;
  bool wants_completion() const { return flags & wire::kPacketCompletionRequested; }
};

/// Whether the peer has to be signalled now. The port does it; the ring never does.
enum class [[nodiscard]] Signal : bool { No = false, Yes = true };

/// The producer's side of one ring.
/// Concurrency: one caller at a time (the port's lock, or one thread); the consumer runs anywhere, at any time.
/// Trust: of the shared memory it reads the peer's read index (validated at every read), interrupt mask and feature bits,
/// and nothing else; its own write index is private and only published.
class RingWriter {
 public:
  static Result<RingWriter> create(RingMemory memory);

  /// Bytes that `stage` of a packet with this much extra and payload takes, descriptor and trailer included.
  static constexpr size_t packet_size(size_t extra, size_t payload);

  /// Free bytes behind what is staged. Errors: RingCorrupt (the peer's index is impossible; stays so).
  Result<uint32_t> free_bytes();

  /// Stages a packet behind those already staged; the peer does not see it before `commit`. Payload parts are gathered in order and padded
  /// with zeros to 8 bytes. Errors: RingFull (nothing staged; the ring asks to be signalled once there is room, see
  /// `wait_for_space`), BadLength (over the descriptor's 16-bit lengths), RingCorrupt.
  Result<void> stage(wire::PacketType type, uint16_t flags, uint64_t transaction_id, std::span<const std::byte> extra,
                     std::span<const std::span<const std::byte>> payload);

  /// Publishes what is staged: one store of the write index, one signal decision for all of it.
  Signal commit();
  /// Forgets what is staged.
  void revert();

  /// Sets pending_send_size to `bytes`, then looks again: true when there is room now (and the wish is withdrawn). 0 withdraws it.
  Result<bool> wait_for_space(uint32_t bytes);

 private:
  explicit RingWriter(RingMemory memory) : memory_(memory) {}
  RingMemory memory_;
  uint32_t committed_ = 0;  ///< our write index as the peer sees it
  uint32_t staged_ = 0;     ///< our write index behind what is staged
  bool corrupt_ = false;
};

/// The consumer's side of one ring.
/// Concurrency: one caller at a time; the producer runs anywhere, at any time.
/// Trust: the peer's write index is validated at every read, descriptors are copied out before they are looked at, and the packet is copied once.
class RingReader {
 public:
  static Result<RingReader> create(RingMemory memory);

  /// Copies the next packet into `buffer` and steps over it; the peer does not get the room back before `commit`.
  /// Errors: RingEmpty; BadLength (packet does not fit `buffer`: the packet is stepped over); RingCorrupt (stays so).
  Result<Packet> read(std::span<std::byte> buffer);

  /// Gives the room of all read packets back. Yes: the producer waits for room and has it now.
  Signal commit();

  /// Asks the producer not to signal (polling) or to signal again. `unmask` returns true when data arrived in between: go on
  /// reading, no signal will come for it.
  void mask();
  Result<bool> unmask();

  /// Bytes readable now. Errors: RingCorrupt.
  Result<uint32_t> readable();

 private:
  explicit RingReader(RingMemory memory) : memory_(memory) {}
  RingMemory memory_;
  uint32_t committed_ = 0;  ///< our read index as the peer sees it
  uint32_t next_ = 0;       ///< our read index behind what was read
  bool corrupt_ = false;
};

}  // namespace hv::vmbus
