// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/hostile/device.hpp"

#include <iterator>

namespace hv::host::hostile {

Channel& OpenChannels::add(vmbus::OpenChannel& inner, ReceiveBuffer* buffer) {
  const std::lock_guard lock(mutex_);
  auto& channel = channels_[&inner];
  channel = std::make_unique<Channel>(inner, intent_, ++places_, buffer);
  return *channel;
}

Channel& OpenChannels::of(vmbus::OpenChannel& inner) {
  const std::lock_guard lock(mutex_);
  return *channels_.at(&inner);
}

void OpenChannels::remove(vmbus::OpenChannel& inner) {
  const std::lock_guard lock(mutex_);
  channels_.erase(&inner);
}

void OpenChannels::attack(Dice& dice) {
  const std::lock_guard lock(mutex_);
  if (channels_.empty()) return;
  std::next(channels_.begin(), dice.below(channels_.size()))->second->attack(dice);
}

bool Device::opened(vmbus::OpenChannel& channel) {
  if (inner_->opened(channels_.add(channel, is_network() ? &buffer_ : nullptr))) return true;
  channels_.remove(channel);
  return false;
}

void Device::closed(vmbus::OpenChannel& channel) {
  if (channel.index() == 0) buffer_.drop();
  inner_->closed(channels_.of(channel));
  channels_.remove(channel);
}

void Device::gpadl_found(vmbus::OpenChannel& channel, uint32_t gpadl_id,
                         std::span<const uint64_t> frames) {
  if (is_network()) buffer_.found(channel.machine(), gpadl_id, frames);
  inner_->gpadl_found(channels_.of(channel), gpadl_id, frames);
}

void Device::gpadl_gone(vmbus::OpenChannel& channel, uint32_t gpadl_id) {
  buffer_.gone(gpadl_id);
  inner_->gpadl_gone(channels_.of(channel), gpadl_id);
}

}  // namespace hv::host::hostile
