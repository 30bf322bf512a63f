// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/hostile/receive_buffer.hpp"

#include <algorithm>
#include <array>

#include "core/base/bytes.hpp"
#include "core/wire/ring.hpp"
#include "host/hostile/network.hpp"

namespace hv::host::hostile {
namespace {

/// Where one of the packet's ranges begins.
std::optional<uint32_t> some_offset(Dice& dice, const Packet& packet) {
  constexpr size_t kHead = sizeof(wire::TransferPageHeader),
                   kRange = sizeof(wire::TransferPageRange);
  if (packet.type != wire::PacketType::DataUsingTransferPages ||
      packet.extra.size() < kHead + kRange)
    return std::nullopt;
  const size_t at = kHead + kRange * dice.below((packet.extra.size() - kHead) / kRange);
  const auto range =
      ByteReader(std::span(packet.extra).subspan(at)).take<wire::TransferPageRange>();
  return range ? std::optional(range->byte_offset) : std::nullopt;
}

}  // namespace

void ReceiveBuffer::found(host::Machine& machine, uint32_t gpadl_id,
                          std::span<const uint64_t> frames) {
  auto pages = netvsp::SharedPages::resolve(machine, frames);
  const std::lock_guard lock(mutex_);
  if (pages && !shared_) shared_.emplace(Shared{gpadl_id, std::move(*pages)});
}

void ReceiveBuffer::gone(uint32_t gpadl_id) {
  const std::lock_guard lock(mutex_);
  if (shared_ && shared_->gpadl_id == gpadl_id) shared_.reset();
}

void ReceiveBuffer::drop() {
  const std::lock_guard lock(mutex_);
  shared_.reset();
}

bool ReceiveBuffer::spoil(Dice& dice, const Packet& packet) {
  const std::lock_guard lock(mutex_);
  const auto offset = some_offset(dice, packet);
  if (!shared_ || !offset || *offset >= shared_->pages.size()) return false;
  std::array<std::byte, kRndisHead> bytes;
  const auto head =
      std::span(bytes).first(std::min<uint64_t>(bytes.size(), shared_->pages.size() - *offset));
  if (!shared_->pages.read(*offset, head)) return false;
  spoil_rndis(dice, head);
  last_offset_ = *offset;
  return shared_->pages.write(*offset, head);
}

std::optional<Packet> ReceiveBuffer::forge(Dice& dice, uint64_t transaction_id) {
  const std::lock_guard lock(mutex_);
  if (!shared_) return std::nullopt;
  const auto message = forge_rndis(dice);
  // Now and then at the very end.
  const uint64_t last = shared_->pages.size() - message.size();
  const auto offset = static_cast<uint32_t>(dice.chance(100) ? last : 8 * dice.below(last / 8));
  if (!shared_->pages.write(offset, message)) return std::nullopt;
  last_offset_ = offset;
  return transfer_of(dice, transaction_id, offset, static_cast<uint32_t>(message.size()));
}

bool ReceiveBuffer::scribble(Dice& dice) {
  const std::lock_guard lock(mutex_);
  if (!shared_) return false;
  const uint64_t words = shared_->pages.size() / sizeof(uint32_t);
  const uint64_t word =
      dice.chance(700) ? last_offset_ / sizeof(uint32_t) + dice.below(24) : dice.below(words);
  const uint32_t value = dice.awkward();
  return shared_->pages.write(word * sizeof(value), bytes_of(value));
}

}  // namespace hv::host::hostile
