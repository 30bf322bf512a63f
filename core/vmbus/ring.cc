// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "core/vmbus/ring.hpp"

#include "core/base/mutant.hpp"
#include "core/vmbus/shared.hpp"

namespace hv::vmbus {

using ring::distance;
using ring::kUnit;
using ring::possible;
using ring::wrap;

namespace {

/// Writes on from `at`, at the end of the data from its start again.
struct Pen {
  std::byte* data;
  uint32_t size;
  uint32_t at;

  void word(uint64_t value) {
    shared::write8(data + at, value);
    at = wrap(at + kUnit, size);
  }

  [[gnu::noinline]] void bytes(std::span<const std::byte> from) {
    while (!from.empty()) {
      const size_t to_end = size - at;
      const auto piece = from.first(from.size() < to_end ? from.size() : to_end);
      shared::copy_in(data + at, piece.data(), piece.size());
      at = wrap(at + static_cast<uint32_t>(piece.size()), size);
      from = from.subspan(piece.size());
    }
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

Result<uint32_t> RingWriter::free_bytes() {
  if (corrupt_ || !accept(shared::load_acquire(memory_.control().read_index)))
    return Error::RingCorrupt;
  return free_behind_staged();
}

Result<void> RingWriter::find_room(size_t size) {
  if (size > capacity()) return Error::BadLength;
  if (!accept(shared::load_acquire(memory_.control().read_index))) return Error::RingCorrupt;
  if (size > free_behind_staged()) return Error::RingFull;
  return {};
}

void RingWriter::write_wrapping(uint64_t head, uint64_t transaction_id,
                                std::span<const std::byte> extra,
                                std::span<const std::byte> payload) {
  Pen pen{memory_.data(), memory_.size(), staged_};
  pen.word(head);
  pen.word(transaction_id);
  pen.bytes(extra);
  const uint32_t length = static_cast<uint32_t>(payload.size());
  if (length % kUnit != 0) {
    // The last word first, as zeros; the payload then covers what is its own of it.
    shared::write8(pen.data + wrap(pen.at + (length & ~(kUnit - 1)), pen.size), 0);
  }
  pen.bytes(payload);
  pen.at = wrap(align_up(pen.at, kUnit), pen.size);
  pen.word(uint64_t{staged_} << 32);
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

Result<uint32_t> RingReader::readable() {
  if (corrupt_ || !accept(shared::load_acquire(memory_.control().write_index)))
    return Error::RingCorrupt;
  return distance(next_, peer_, memory_.size());
}

void RingReader::copy_wrapping(std::byte* to, uint32_t begin, uint32_t length) const {
  for (uint32_t at = begin, piece = memory_.size() - begin; length != 0; at = 0, piece = length) {
    shared::copy_out(to, memory_.data() + at, piece);
    to += piece;
    length -= piece;
  }
}

Signal RingReader::grant(uint32_t wish, uint32_t before) {
  auto& control = memory_.control();
  const uint32_t size = memory_.size();
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
