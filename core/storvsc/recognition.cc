// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "core/storvsc/recognition.hpp"

#include "core/base/checked.hpp"

namespace hv::storvsc {

namespace {

using Bytes = std::span<const std::byte>;

/// SPC-4, 6.6: for the vital product data of page 83h.
constexpr uint8_t kInquiry[] = {0x12, 0x01, 0x83, 0, Recognition::kMostBytes, 0};
/// SBC-3, 5.16.
constexpr uint32_t kCapacityBytes = 32;
constexpr uint8_t kReadCapacity[] = {0x9e, 0x10,           0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                                     0,    kCapacityBytes, 0, 0};
static_assert(kCapacityBytes <= Recognition::kMostBytes);

struct Capacity {
  uint8_t last_block[8];  ///< big-endian
  uint8_t block_bytes[4];
};

template <size_t N>
uint64_t big_endian(const uint8_t (&bytes)[N]) {
  uint64_t value = 0;
  for (const uint8_t byte : bytes) value = value << 8 | byte;
  return value;
}

Result<uint64_t> bytes_of_disk(const Capacity& said) {
  const uint64_t blocks = HV_TRY(checked_add(big_endian(said.last_block), 1));
  return checked_mul(blocks, big_endian(said.block_bytes));
}

/// Of a page's first byte, the three bits that say whether there is a unit behind it.
constexpr bool is_connected(std::byte first) { return (first & std::byte{0xe0}) == std::byte{0}; }

}  // namespace

Request Recognition::request() const {
  const bool first = step_ == Step::Identity;
  return {.address = known_.address,
          .port = known_.port,
          .direction = wire::storvsc::Direction::Read,
          .tagged = false,
          .length = first ? kMostBytes : kCapacityBytes,
          .cdb = first ? std::span<const uint8_t>(kInquiry) : kReadCapacity};
}

void Recognition::heard(Bytes packet, Bytes memory) {
  const auto asked = request();
  const auto completion = parse_completion(packet);
  const Outcome outcome = completion ? judge({.opcode = asked.cdb[0],
                                              .fibre_channel = false,
                                              .length = asked.length,
                                              .least = 0},
                                             *completion)
                                     : unintelligible();
  // What the unit has to say of a change it says once.
  changed_ = changed_ || outcome.chore == Chore::RescanDevice;
  if (outcome.verdict == Verdict::NoDevice) return decide(Recognised::Gone);
  const bool good = outcome.verdict == Verdict::Done && outcome.scsi_status == 0;
  if (!good && ++tries_ < kTries) return;
  tries_ = 0;

  std::array<std::byte, kMostBytes> copy;
  size_t length = good ? outcome.moved : 0;
  for (const size_t most : {memory.size(), copy.size()}) length = length < most ? length : most;
  if (length != 0) __builtin_memcpy(copy.data(), memory.data(), length);
  const Bytes data = Bytes(copy).first(length);

  if (step_ == Step::Identity) {
    heard_identity(data);
  } else {
    heard_capacity(data);
  }
}

void Recognition::heard_identity(Bytes page) {
  if (!page.empty() && !is_connected(page[0])) return decide(Recognised::Gone);
  identity_ = compare_identity(known_.identity, page);
  if (identity_ == Identity::Other) return decide(Recognised::Other);
  if (known_.bytes == 0) return recognised();
  step_ = Step::Capacity;
}

void Recognition::heard_capacity(Bytes data) {
  const auto said = ByteReader(data).take<Capacity>();
  if (!said) return recognised();
  const auto bytes = bytes_of_disk(*said);
  if (bytes && *bytes == known_.bytes) return recognised();
  decide(identity_ == Identity::Same ? Recognised::Changed : Recognised::Other);
}

}  // namespace hv::storvsc
