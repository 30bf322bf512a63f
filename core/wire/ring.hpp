// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace hv::wire {

inline constexpr size_t kPageSize = 4096;

/// The first page of each ring; the data follows it. Shared memory: the peer may change any byte at
/// any time. Offsets of both indices count bytes from the start of the data. Source: vmbus_ring
/// (OpenVMM), hyperv.h.
struct RingControl {
  uint32_t write_index;        ///< written by the producer alone
  uint32_t read_index;         ///< written by the consumer alone
  uint32_t interrupt_mask;     ///< consumer: not 0 = do not signal me
  uint32_t pending_send_size;  ///< producer: bytes that I wait for; 0 = do not signal me when you
                               ///< have read
  std::array<uint32_t, 12> reserved1;
  uint32_t feature_bits;  ///< kRingFeaturePendingSendSize
  std::array<uint8_t, 4028> reserved2;
};
static_assert(sizeof(RingControl) == kPageSize);
static_assert(offsetof(RingControl, feature_bits) == 64);

inline constexpr uint32_t kRingFeaturePendingSendSize = 1;

enum class PacketType : uint16_t {
  DataInBand = 6,
  DataUsingTransferPages = 7,
  DataUsingGpaDirect = 9,
  Completion = 11,
};

/// Opens every packet in a ring; lengths count units of 8 bytes. Behind the packet follow 8 bytes
/// of kPacketTrailerSize that belong to no packet length.
struct PacketDescriptor {
  PacketType type;
  uint16_t data_offset8;  ///< from the start of this descriptor to the payload
  uint16_t length8;       ///< descriptor and payload, without the trailer
  uint16_t flags;         ///< kPacketCompletionRequested
  uint64_t transaction_id;
};
static_assert(sizeof(PacketDescriptor) == 16);

inline constexpr uint16_t kPacketCompletionRequested = 1;
/// After each packet: the write index at which it began, in the upper half of a 64-bit word.
inline constexpr size_t kPacketTrailerSize = 8;

/// Follows the descriptor of a DataUsingGpaDirect packet; `range_count` ranges follow it.
struct GpaDirectHeader {
  uint32_t reserved;
  uint32_t range_count;
};
static_assert(sizeof(GpaDirectHeader) == 8);

/// One range of guest memory: the numbers of all pages it touches follow, 8 bytes each.
struct GpaRangeHeader {
  uint32_t byte_count;
  uint32_t byte_offset;  ///< into the first page
};
static_assert(sizeof(GpaRangeHeader) == 8);

/// Follows the descriptor of a DataUsingTransferPages packet; `range_count` TransferPageRange
/// follow it.
struct TransferPageHeader {
  uint16_t transfer_page_set_id;
  uint8_t sender_owns_set;
  uint8_t reserved;
  uint32_t range_count;
};
static_assert(sizeof(TransferPageHeader) == 8);

struct TransferPageRange {
  uint32_t byte_count;
  uint32_t byte_offset;
};
static_assert(sizeof(TransferPageRange) == 8);

}  // namespace hv::wire
