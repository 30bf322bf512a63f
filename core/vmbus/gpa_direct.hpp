// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "core/base/bytes.hpp"
#include "core/base/checked.hpp"
#include "core/base/result.hpp"
#include "core/wire/ring.hpp"

namespace hv::vmbus {

/// What a receiver takes at most in one packet.
struct GpaLimits {
  uint32_t ranges = 1;
  uint32_t frames =
      16384;  ///< in all ranges together; what the 16-bit lengths of a descriptor can hold is less
};

/// The page frame numbers of one range, in private memory; bounds are checked when it is made and
/// at each access.
class GpaFrames {
 public:
  constexpr explicit GpaFrames(std::span<const std::byte> bytes) : bytes_(bytes) {}
  size_t size() const { return bytes_.size() / sizeof(uint64_t); }
  uint64_t operator[](size_t index) const {
    if (index >= size()) __builtin_trap();
    uint64_t frame;
    __builtin_memcpy(&frame, bytes_.data() + index * sizeof(frame), sizeof(frame));
    return frame;
  }

 private:
  std::span<const std::byte> bytes_;
};

/// `byte_count` bytes of guest memory, which begin `byte_offset` (below 4096) into the first frame
/// and go on through all of them.
struct GpaRange {
  uint32_t byte_count;
  uint32_t byte_offset;
  GpaFrames frames;
};

/// The ranges of a DataUsingGpaDirect packet, validated as a whole before the first is given out.
/// No allocation. Source: vmbus_ring (OpenVMM), gparange.
class GpaRanges {
 public:
  /// `extra`: the private copy of what stands between descriptor and payload; it outlives this
  /// object. Bytes behind the last range are tolerated. Errors: Truncated (header or frames
  /// missing), BadValue (no range, no bytes in a range, offset not within a page), Exhausted (over
  /// `limits`), Overflow.
  static Result<GpaRanges> parse(std::span<const std::byte> extra, GpaLimits limits) {
    ByteReader reader(extra);
    const auto header = HV_TRY(reader.take<wire::GpaDirectHeader>());
    if (header.range_count == 0) return Error::BadValue;
    if (header.range_count > limits.ranges) return Error::Exhausted;
    GpaRanges ranges(reader, header.range_count);
    uint64_t bytes = 0;
    uint64_t frames = 0;
    for (uint32_t i = 0; i < header.range_count; i++) {
      const auto range = HV_TRY(take_range(reader));
      bytes += range.byte_count;
      frames += range.frames.size();
      if (frames > limits.frames) return Error::Exhausted;
    }
    ranges.byte_count_ = bytes;
    ranges.frame_count_ = static_cast<uint32_t>(frames);
    return ranges;
  }

  uint32_t count() const { return count_; }
  uint64_t byte_count() const { return byte_count_; }    ///< of all ranges
  uint32_t frame_count() const { return frame_count_; }  ///< of all ranges

  /// The next range, front to back; nothing after the last.
  std::optional<GpaRange> next() {
    if (given_ == count_) return std::nullopt;
    given_++;
    auto range = take_range(reader_);
    if (!range) return std::nullopt;
    return *range;
  }

 private:
  GpaRanges(ByteReader reader, uint32_t count) : reader_(reader), count_(count) {}

  static Result<GpaRange> take_range(ByteReader& reader) {
    const auto head = HV_TRY(reader.take<wire::GpaRangeHeader>());
    if (head.byte_count == 0 || head.byte_offset >= wire::kPageSize) return Error::BadValue;
    const uint32_t end = HV_TRY(checked_add(head.byte_offset, head.byte_count));
    const size_t frames = (size_t{end} + (wire::kPageSize - 1)) / wire::kPageSize;
    return GpaRange{head.byte_count, head.byte_offset,
                    GpaFrames(HV_TRY(reader.take_bytes(frames * sizeof(uint64_t))))};
  }

  ByteReader reader_;
  uint32_t count_;
  uint32_t given_ = 0;
  uint64_t byte_count_ = 0;
  uint32_t frame_count_ = 0;
};

/// Writes the `extra` of a DataUsingGpaDirect packet. Each range opens with `range` and is followed
/// by exactly its frames.
class GpaDirectBuilder {
 public:
  constexpr explicit GpaDirectBuilder(std::span<std::byte> storage)
      : storage_(storage), writer_(storage) {}

  /// Bytes that a packet of one range with this many frames needs.
  static constexpr size_t size_for(size_t frames) {
    return sizeof(wire::GpaDirectHeader) + sizeof(wire::GpaRangeHeader) + frames * sizeof(uint64_t);
  }

  /// Begins a range. Errors: BadValue (no bytes, offset not within a page), BadState (frames of the
  /// last range are missing), Overflow, Exhausted (no room).
  Result<void> range(uint32_t byte_count, uint32_t byte_offset) {
    if (byte_count == 0 || byte_offset >= wire::kPageSize) return Error::BadValue;
    if (frames_missing_ != 0) return Error::BadState;
    const uint32_t end = HV_TRY(checked_add(byte_offset, byte_count));
    if (writer_.size() == 0) HV_TRY(writer_.put(wire::GpaDirectHeader{}));
    HV_TRY(writer_.put(wire::GpaRangeHeader{byte_count, byte_offset}));
    ranges_++;
    frames_missing_ = (size_t{end} + (wire::kPageSize - 1)) / wire::kPageSize;
    return {};
  }

  /// Errors: BadState (the range has all its frames), Exhausted.
  Result<void> frame(uint64_t number) {
    if (frames_missing_ == 0) return Error::BadState;
    HV_TRY(writer_.put(number));
    frames_missing_--;
    return {};
  }

  /// A range of memory whose frames follow one another. Errors: as of `range` and `frame`.
  Result<void> memory(uint64_t address, uint32_t byte_count) {
    HV_TRY(range(byte_count, static_cast<uint32_t>(address % wire::kPageSize)));
    for (uint64_t number = address / wire::kPageSize; frames_missing_ != 0; number++)
      HV_TRY(frame(number));
    return {};
  }

  /// The finished bytes, a view of the storage. Errors: BadState (no range, or frames are missing).
  Result<std::span<const std::byte>> finish() {
    if (ranges_ == 0 || frames_missing_ != 0) return Error::BadState;
    ByteWriter head(storage_);
    HV_TRY(head.put(wire::GpaDirectHeader{0, ranges_}));
    return writer_.written();
  }

 private:
  std::span<std::byte> storage_;
  ByteWriter writer_;
  uint32_t ranges_ = 0;
  size_t frames_missing_ = 0;
};

}  // namespace hv::vmbus
