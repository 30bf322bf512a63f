// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/hostile/device.hpp"

#include <iterator>

namespace hv::host::hostile {

Channel& OpenChannels::add(vmbus::OpenChannel& inner) {
  const std::lock_guard lock(mutex_);
  auto& channel = channels_[&inner];
  channel = std::make_unique<Channel>(inner, intent_, ++places_);
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
  if (inner_->opened(channels_.add(channel))) return true;
  channels_.remove(channel);
  return false;
}

void Device::closed(vmbus::OpenChannel& channel) {
  inner_->closed(channels_.of(channel));
  channels_.remove(channel);
}

}  // namespace hv::host::hostile
