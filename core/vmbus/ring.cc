// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "core/vmbus/ring.hpp"

#include "core/base/mutant.hpp"
#include "core/vmbus/shared.hpp"

namespace hv::vmbus {

using wire::PacketDescriptor;
using wire::PacketType;

namespace {

constexpr uint32_t kUnit = 8;  ///< lengths and indices are multiples of it
constexpr uint32_t kTrailer = wire::kPacketTrailerSize;

/// Indices are below `size` and sums below twice that.
uint32_t wrap(uint32_t index, uint32_t size) { return index >= size ? index - size : index; }

/// Bytes from `from` forward to `to`.
uint32_t distance(uint32_t from, uint32_t to, uint32_t size) {
  return to >= from ? to - from : to + size - from;
}

bool possible(uint32_t index, uint32_t size) { return index < size && index % kUnit == 0; }

bool known(PacketType type) {
  switch (type) {
    case PacketType::DataInBand:
    case PacketType::DataUsingTransferPages:
    case PacketType::DataUsingGpaDirect:
    case PacketType::Completion:
      return true;
  }
  return false;
}

/// A packet to be laid down. `extra` and `payload` are checked: their lengths fit the descriptor
/// and the ring.
struct Parts {
  uint64_t head;  ///< the descriptor's first half
  uint64_t transaction_id;
  std::span<const std::byte> extra;
  std::span<const std::byte> payload;
};

/// Writes packets from `at` on. `wraps`: they may go on at the start of the data, and each step
/// looks whether they do.
template <bool wraps>
struct Pen {
  std::byte* data;
  uint32_t size;
  uint32_t at;

  uint32_t behind(uint32_t length) const { return wraps ? wrap(at + length, size) : at + length; }

  void word(uint64_t value) {
    shared::write8(data + at, value);
    at = behind(kUnit);
  }

  void bytes(std::span<const std::byte> from) {
    if (from.empty()) return;
    const uint32_t length = static_cast<uint32_t>(from.size());
    const uint32_t to_end = size - at;
    if (!wraps || length <= to_end) {
      shared::copy_in(data + at, from.data(), length);
    } else {
      shared::copy_in(data + at, from.data(), to_end);
      shared::copy_in(data, from.data() + to_end, length - to_end);
    }
    at = behind(length);
  }

  void packet(const Parts& parts) {
    const uint32_t start = at;
    word(parts.head);
    word(parts.transaction_id);
    bytes(parts.extra);
    const uint32_t payload_size = static_cast<uint32_t>(parts.payload.size());
    if (payload_size % kUnit != 0) {
      // The last word first, as zeros; the payload then covers what is its own of it.
      shared::write8(data + behind(payload_size & ~(kUnit - 1)), 0);
    }
    bytes(parts.payload);
    at = align_up(at, kUnit);
    at = behind(0);
    word(uint64_t{start} << 32);
  }
};

}  // namespace

Result<RingMemory> RingMemory::create(std::span<std::byte> memory, bool mirrored) {
  if (memory.size() < 2 * wire::kPageSize || memory.size() % wire::kPageSize != 0)
    return Error::BadLength;
  const size_t size = memory.size() - wire::kPageSize;
  if (size > kMaxDataSize) return Error::BadLength;
  if (reinterpret_cast<uintptr_t>(memory.data()) % kUnit != 0) return Error::BadValue;
  return RingMemory(reinterpret_cast<wire::RingControl*>(memory.data()),
                    memory.data() + wire::kPageSize, static_cast<uint32_t>(size), mirrored);
}

void RingMemory::reset() const {
  __builtin_memset(control_, 0, sizeof(*control_));
  shared::store_ordered(control_->feature_bits, wire::kRingFeaturePendingSendSize);
}

Result<RingWriter> RingWriter::create(RingMemory memory) {
  auto& control = memory.control();
  const uint32_t write_index = shared::load_acquire(control.write_index);
  const uint32_t read_index = shared::load_acquire(control.read_index);
  if (!possible(write_index, memory.size()) || !possible(read_index, memory.size()))
    return Error::RingCorrupt;
  // It is the producer who says that wishes for room are spoken in this ring.
  shared::store_ordered(control.pending_send_size, 0);
  shared::store_ordered(control.feature_bits, wire::kRingFeaturePendingSendSize);
  return RingWriter(memory, write_index, read_index);
}

/// The read index may only move over what we have published.
inline bool RingWriter::accept(uint32_t read_index) {
  const uint32_t size = memory_.size();
  if (!possible(read_index, size) ||
      distance(peer_, read_index, size) > distance(peer_, committed_, size)) {
    corrupt_ = true;
    return false;
  }
  peer_ = read_index;
  return true;
}

inline uint32_t RingWriter::free_behind_staged() const {
  return memory_.size() - kAlwaysFree - distance(peer_, staged_, memory_.size());
}

Result<uint32_t> RingWriter::free_bytes() {
  if (corrupt_ || !accept(shared::load_acquire(memory_.control().read_index)))
    return Error::RingCorrupt;
  return free_behind_staged();
}

Result<void> RingWriter::stage(PacketType type, uint16_t flags, uint64_t transaction_id,
                               std::span<const std::byte> extra,
                               std::span<const std::byte> payload) {
  if (corrupt_) return Error::RingCorrupt;

  constexpr size_t most = size_t{UINT16_MAX} * kUnit;
  if (extra.size() % kUnit != 0 || extra.size() > most || payload.size() > most)
    return Error::BadLength;
  const size_t total = packet_size(extra.size(), payload.size());
  if (total - kTrailer > most || total > capacity()) return Error::BadLength;

  if (total > free_behind_staged()) [[unlikely]] {
    if (!accept(shared::load_acquire(memory_.control().read_index))) return Error::RingCorrupt;
    if (total > free_behind_staged()) return Error::RingFull;
  }

  const uint32_t size = memory_.size();
  const uint32_t length = static_cast<uint32_t>(total) - kTrailer;
  const uint64_t offset8 = (sizeof(PacketDescriptor) + extra.size()) / kUnit;
  const uint64_t head = static_cast<uint64_t>(type) | offset8 << 16 |
                        uint64_t{length / kUnit} << 32 | uint64_t{flags} << 48;
  const Parts parts{head, transaction_id, extra, payload};
  if (memory_.mirrored() || total <= size - staged_) [[likely]] {
    Pen<false>{memory_.data(), size, staged_}.packet(parts);
  } else {
    Pen<true>{memory_.data(), size, staged_}.packet(parts);
  }
  staged_ = wrap(staged_ + static_cast<uint32_t>(total), size);
  return {};
}

Signal RingWriter::commit() {
  if (staged_ == committed_) return Signal::No;
  auto& control = memory_.control();
  const uint32_t before = committed_;
  committed_ = staged_;
  shared::store_ordered(control.write_index, committed_);
  // The mask before the index: a consumer unmasks, then looks whether we wrote; one of us sees the
  // other.
  if (shared::load_ordered(control.interrupt_mask) != 0) return Signal::No;
  return shared::load_ordered(control.read_index) == before ? Signal::Yes : Signal::No;
}

Result<bool> RingWriter::wait_for_space(uint32_t bytes) {
  if (corrupt_) return Error::RingCorrupt;
  if (bytes > capacity()) return Error::BadLength;
  auto& control = memory_.control();
  if (bytes != 0) {
    // The consumer signals when it sees more than this free, the part that is never filled
    // included.
    shared::store_ordered(control.pending_send_size, bytes);
    if (!accept(shared::load_ordered(control.read_index))) return Error::RingCorrupt;
    if (free_behind_staged() < bytes) return false;
  }
  shared::store_ordered(control.pending_send_size, 0);
  return true;
}

Result<RingReader> RingReader::create(RingMemory memory) {
  auto& control = memory.control();
  const uint32_t read_index = shared::load_acquire(control.read_index);
  const uint32_t write_index = shared::load_acquire(control.write_index);
  if (!possible(write_index, memory.size()) || !possible(read_index, memory.size()))
    return Error::RingCorrupt;
  return RingReader(memory, read_index, write_index);
}

/// The write index may only move into what we have given back.
inline bool RingReader::accept(uint32_t write_index) {
  const uint32_t size = memory_.size();
  if (!possible(write_index, size) ||
      distance(committed_, write_index, size) < distance(committed_, peer_, size)) {
    corrupt_ = true;
    return false;
  }
  peer_ = write_index;
  return true;
}

Result<uint32_t> RingReader::readable() {
  if (corrupt_ || !accept(shared::load_acquire(memory_.control().write_index)))
    return Error::RingCorrupt;
  return distance(next_, peer_, memory_.size());
}

Result<Packet> RingReader::read(std::span<std::byte> buffer) {
  if (corrupt_) return Error::RingCorrupt;
  if (next_ == peer_) {
    if (!accept(shared::load_acquire(memory_.control().write_index))) return Error::RingCorrupt;
    if (next_ == peer_) return Error::RingEmpty;
  }

  const std::byte* const data = memory_.data();
  const uint32_t size = memory_.size();
  const uint32_t available = distance(next_, peer_, size);
  if (available < sizeof(PacketDescriptor) + kTrailer) {
    corrupt_ = true;
    return Error::RingCorrupt;
  }

  const uint64_t head = shared::read8(data + next_);
  const uint64_t transaction_id = shared::read8(data + wrap(next_ + kUnit, size));
  const uint32_t offset = static_cast<uint16_t>(head >> 16) * kUnit;
  const uint32_t length = static_cast<uint16_t>(head >> 32) * kUnit;
  if (offset < sizeof(PacketDescriptor) || length < offset || length + kTrailer > available) {
    corrupt_ = true;
    return Error::RingCorrupt;
  }

  const uint32_t begin = wrap(next_ + uint32_t{sizeof(PacketDescriptor)}, size);
  last_ = next_;
  next_ = wrap(next_ + length + kTrailer, size);
  const uint32_t body = length - uint32_t{sizeof(PacketDescriptor)};
  if (body > buffer.size()) return Error::BadLength;
  const auto type = static_cast<PacketType>(static_cast<uint16_t>(head));
  if (!known(type)) return Error::BadValue;

  const uint32_t to_end = size - begin;
  if (body <= to_end || memory_.mirrored()) [[likely]] {
    shared::copy_out(buffer.data(), data + begin, body);
  } else {
    shared::copy_out(buffer.data(), data + begin, to_end);
    shared::copy_out(buffer.data() + to_end, data, body - to_end);
  }

  const uint32_t extra = offset - uint32_t{sizeof(PacketDescriptor)};
  const std::span<const std::byte> copy = buffer.first(body);
  return Packet{type, static_cast<uint16_t>(head >> 48), transaction_id, copy.first(extra),
                copy.subspan(extra)};
}

Signal RingReader::commit() {
  if (next_ == committed_) return Signal::No;
  auto& control = memory_.control();
  const uint32_t size = memory_.size();
  const uint32_t before = committed_;
  committed_ = next_;
  shared::store_ordered(control.read_index, committed_);
  // The wish before the write index: a producer wishes, then looks whether we read; one of us sees
  // the other.
  const uint32_t wish = shared::load_ordered(control.pending_send_size);
  if (wish == 0) [[likely]]
    return Signal::No;
  if (!(shared::load_acquire(control.feature_bits) & wire::kRingFeaturePendingSendSize))
    return Signal::No;
  const uint32_t write_index = shared::load_ordered(control.write_index);
  if (!possible(write_index, size)) {
    corrupt_ = true;
    return Signal::No;
  }
  // Only the step over the threshold is signalled. More than the wish, as a ring is never filled; a
  // wish that is no multiple of 8 (some peers ask for the size of the ring less one) means the same
  // here as rounded down.
  const uint32_t free_before =
      size - distance(HV_MUTANT(1) ? committed_ : before, write_index, size);
  const uint32_t free_now = size - distance(committed_, write_index, size);
  return free_before <= wish && free_now > wish ? Signal::Yes : Signal::No;
}

void RingReader::mask() { shared::store_relaxed(memory_.control().interrupt_mask, 1); }

Result<bool> RingReader::unmask() {
  if (corrupt_) return Error::RingCorrupt;
  shared::store_ordered(memory_.control().interrupt_mask, 0);
  if (!accept(shared::load_ordered(memory_.control().write_index))) return Error::RingCorrupt;
  return next_ != peer_;
}

bool RingReader::unmask_behind(uint32_t position) const {
  shared::store_ordered(memory_.control().interrupt_mask, 0);
  return shared::load_ordered(memory_.control().write_index) != position;
}

}  // namespace hv::vmbus
