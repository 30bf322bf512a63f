// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

// The part of core/vmbus/ring.hpp that each packet comes through: inlined into who sends and
// receives. What happens seldom stands in ring.cc.

#include "core/vmbus/ring.hpp"
#include "core/vmbus/shared.hpp"

namespace hv::vmbus {

namespace ring {

inline constexpr uint32_t kUnit = 8;  ///< lengths and indices are multiples of it
inline constexpr uint32_t kTrailer = wire::kPacketTrailerSize;
inline constexpr uint32_t kDescriptor = sizeof(wire::PacketDescriptor);
inline constexpr size_t kMaxLength = size_t{UINT16_MAX} * kUnit;  ///< that a descriptor can say

/// Indices are below `size` and sums below twice that.
inline uint32_t wrap(uint32_t index, uint32_t size) { return index >= size ? index - size : index; }

/// Bytes from `from` forward to `to`.
inline uint32_t distance(uint32_t from, uint32_t to, uint32_t size) {
  return to >= from ? to - from : to + size - from;
}

inline bool possible(uint32_t index, uint32_t size) { return index < size && index % kUnit == 0; }

inline bool known(wire::PacketType type) {
  switch (type) {
    case wire::PacketType::DataInBand:
    case wire::PacketType::DataUsingTransferPages:
    case wire::PacketType::DataUsingGpaDirect:
    case wire::PacketType::Completion:
      return true;
  }
  return false;
}

}  // namespace ring

// --- RingWriter

inline bool RingWriter::accept(uint32_t read_index) {
  const uint32_t size = memory_.size();
  if (!ring::possible(read_index, size) ||
      ring::distance(peer_, read_index, size) > ring::distance(peer_, committed_, size))
      [[unlikely]] {
    corrupt_ = true;
    return false;
  }
  peer_ = read_index;
  return true;
}

inline uint32_t RingWriter::free_behind_staged() const {
  return memory_.size() - kAlwaysFree - ring::distance(peer_, staged_, memory_.size());
}

template <Peer peer>
inline Result<Staged> RingWriter::stage_for(wire::PacketType type, uint16_t flags,
                                            uint64_t transaction_id,
                                            std::span<const std::byte> extra,
                                            std::span<const std::byte> payload) {
  using namespace ring;
  if constexpr (peer == Peer::Hostile) {
    if (corrupt_) [[unlikely]]
      return Error::RingCorrupt;
    if (extra.size() % kUnit != 0 || extra.size() > kMaxLength || payload.size() > kMaxLength)
        [[unlikely]]
      return Error::BadLength;
  }
  const size_t total = packet_size(extra.size(), payload.size());
  if constexpr (peer == Peer::Hostile) {
    if (total - kTrailer > kMaxLength) [[unlikely]]
      return Error::BadLength;
  }
  if (total > free_behind_staged()) [[unlikely]] {
    if constexpr (peer == Peer::Hostile) {
      HV_TRY(find_room(total));
    } else {
      peer_ = shared::load_acquire(memory_.control().read_index);
      if (total > free_behind_staged()) return Error::RingFull;
    }
  }

  const uint32_t size = memory_.size();
  const uint64_t offset8 = (kDescriptor + extra.size()) / kUnit;
  const uint64_t length8 = (total - kTrailer) / kUnit;
  const uint64_t head =
      static_cast<uint64_t>(type) | offset8 << 16 | length8 << 32 | uint64_t{flags} << 48;
  if (memory_.mirrored() || total <= size - staged_) [[likely]] {
    std::byte* to = memory_.data() + staged_;
    shared::write8(to, head);
    shared::write8(to + kUnit, transaction_id);
    to += kDescriptor;
    shared::copy_in(to, extra.data(), extra.size());
    to += extra.size();
    std::byte* const end = to + align_up(payload.size(), kUnit);
    // The last word first, as zeros; the payload then covers what is its own of it.
    if (payload.size() % kUnit != 0) shared::write8(end - kUnit, 0);
    shared::copy_in(to, payload.data(), payload.size());
    shared::write8(end, uint64_t{staged_} << 32);
  } else {
    write_wrapping(head, transaction_id, extra, payload);
  }
  const Staged staged(memory_.data() + wrap(staged_ + kUnit, size));
  staged_ = wrap(staged_ + static_cast<uint32_t>(total), size);
  return staged;
}

inline void Staged::set_id(uint64_t transaction_id) const { shared::write8(id_, transaction_id); }

inline Signal RingWriter::commit() {
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

// --- RingReader

inline bool RingReader::accept(uint32_t write_index) {
  const uint32_t size = memory_.size();
  if (!ring::possible(write_index, size) ||
      ring::distance(committed_, write_index, size) < ring::distance(committed_, peer_, size))
      [[unlikely]] {
    corrupt_ = true;
    return false;
  }
  peer_ = write_index;
  return true;
}

template <Peer peer>
inline Result<Packet> RingReader::read_for(std::span<std::byte> buffer) {
  using namespace ring;
  if (peer == Peer::Hostile && corrupt_) [[unlikely]]
    return Error::RingCorrupt;
  if (next_ == peer_) {
    const uint32_t write_index = shared::load_acquire(memory_.control().write_index);
    if constexpr (peer == Peer::Hostile) {
      if (!accept(write_index)) [[unlikely]]
        return Error::RingCorrupt;
    } else {
      peer_ = write_index;
    }
    if (next_ == peer_) return Error::RingEmpty;
  }

  const std::byte* const data = memory_.data();
  const uint32_t size = memory_.size();
  const uint32_t available = distance(next_, peer_, size);
  if (peer == Peer::Hostile && available < kDescriptor + kTrailer) [[unlikely]] {
    corrupt_ = true;
    return Error::RingCorrupt;
  }

  const uint64_t head = shared::read8(data + next_);
  const uint64_t transaction_id = shared::read8(data + wrap(next_ + kUnit, size));
  const uint32_t offset = static_cast<uint16_t>(head >> 16) * kUnit;
  const uint32_t length = static_cast<uint16_t>(head >> 32) * kUnit;
  if (peer == Peer::Hostile &&
      (offset < kDescriptor || length < offset || length + kTrailer > available)) [[unlikely]] {
    corrupt_ = true;
    return Error::RingCorrupt;
  }

  const uint32_t begin = wrap(next_ + kDescriptor, size);
  last_ = next_;
  next_ = wrap(next_ + length + kTrailer, size);
  const uint32_t body = length - kDescriptor;
  const auto type = static_cast<wire::PacketType>(static_cast<uint16_t>(head));
  if constexpr (peer == Peer::Hostile) {
    if (body > buffer.size()) [[unlikely]]
      return Error::BadLength;
    if (!known(type)) [[unlikely]]
      return Error::BadValue;
  }

  if (memory_.mirrored() || body <= size - begin) [[likely]] {
    shared::copy_out(buffer.data(), data + begin, body);
  } else {
    copy_wrapping(buffer.data(), begin, body);
  }

  const uint32_t extra = offset - kDescriptor;
  const std::span<const std::byte> copy = buffer.first(body);
  return Packet{type, static_cast<uint16_t>(head >> 48), transaction_id, copy.first(extra),
                copy.subspan(extra)};
}

inline Signal RingReader::commit() {
  if (next_ == committed_) return Signal::No;
  auto& control = memory_.control();
  const uint32_t before = committed_;
  committed_ = next_;
  shared::store_ordered(control.read_index, committed_);
  // The wish before the write index: a producer wishes, then looks whether we read; one of us sees
  // the other.
  const uint32_t wish = shared::load_ordered(control.pending_send_size);
  if (wish == 0) [[likely]]
    return Signal::No;
  return grant(wish, before);
}

}  // namespace hv::vmbus
