// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <memory>
#include <optional>

#include "core/vmbus/channel.hpp"
#include "ports/sim/support.hpp"

namespace hv::sim {

/// What the kernel knows of the driver of a channel, primary or sub-channel: contexts to be run,
/// and how far its life has come.
class ChannelDriver {
 public:
  using Time = hv::vmbus::Time;
  explicit ChannelDriver(hv::vmbus::Channel& channel) : channel_(channel) {}
  virtual ~ChannelDriver() = default;

  hv::vmbus::Channel& channel() { return channel_; }
  const hv::vmbus::Channel& channel() const { return channel_; }
  bool rescind_told = false;

  /// Stop and clean up; `release`: for good.
  virtual void stop(bool release) = 0;
  /// After resume.
  virtual void start_again() = 0;
  /// Who drives a sub-channel of this primary.
  virtual std::unique_ptr<ChannelDriver> driver_of(hv::vmbus::Channel& sub_channel) = 0;

  // How far it is.
  virtual bool stopping() const = 0;
  virtual bool finished() const = 0;  ///< the channel is released
  virtual bool idle() const = 0;      ///< holds nothing; might start again
  virtual bool in_use() const = 0;    ///< holds something: memory, a GPADL, an open channel
  virtual bool settled() const = 0;   ///< idle, or running with nothing left to do
  virtual int state_number() const = 0;
  virtual void describe(Log&) const {}

  // The scheduler.
  virtual bool runnable() const = 0;
  virtual void step() = 0;
  virtual bool tasklet_runnable() const { return false; }
  virtual void tasklet() {}
  virtual bool signal_pending() const { return false; }
  virtual void signal() {}
  /// The channel's event flag was set.
  virtual void callback() = 0;
  virtual bool waits_for_host() const = 0;
  /// Sleeps until a time that has nothing to do with the host.
  virtual bool sleeps() const { return false; }
  /// What is owed to it when nothing can happen any more: nullptr when nothing is.
  virtual const char* stuck() const = 0;
  virtual std::optional<Time> deadline() const { return std::nullopt; }
  virtual void deadline_reached() {}

 protected:
  hv::vmbus::Channel& channel_;
};

}  // namespace hv::sim
