// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/vmbus/late.hpp"

#include <algorithm>

#include "core/base/bytes.hpp"
#include "core/wire/vmbus.hpp"

namespace hv::host::vmbus {
namespace {

using hv::wire::vmbus::MessageType;

std::optional<MessageType> type_of(std::span<const std::byte> message) {
  const auto header = ByteReader(message).take<hv::wire::vmbus::MessageHeader>();
  if (!header) return std::nullopt;
  return header->type;
}

}  // namespace

bool LateMessages::is_modify(std::span<const std::byte> message) {
  return type_of(message) == MessageType::ModifyChannel;
}

bool LateMessages::goes_after(std::span<const std::byte> message) {
  const auto type = type_of(message);
  return type == MessageType::CloseChannel || type == MessageType::GpadlTeardown ||
         type == MessageType::RelIdReleased;
}

void LateMessages::keep(GuestMessage message, Clock::time_point due) {
  if (!kept_.empty()) due = std::max(due, kept_.back().due);
  kept_.push_back({due, std::move(message)});
}

std::optional<GuestMessage> LateMessages::take(Clock::time_point now) {
  if (kept_.empty() || kept_.front().due > now) return std::nullopt;
  return take();
}

std::optional<GuestMessage> LateMessages::take() {
  if (kept_.empty()) return std::nullopt;
  GuestMessage message = std::move(kept_.front().message);
  kept_.pop_front();
  return message;
}

std::optional<LateMessages::Clock::time_point> LateMessages::due() const {
  if (kept_.empty()) return std::nullopt;
  return kept_.front().due;
}

}  // namespace hv::host::vmbus
