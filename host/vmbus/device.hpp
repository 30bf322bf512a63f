// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "core/base/guid.hpp"
#include "core/vmbus/ring.hpp"
#include "host/machine.hpp"
#include "host/vmbus/counters.hpp"

namespace hv::host::vmbus {

/// What the guest is told of a device.
struct OfferInfo {
  Guid class_id;
  Guid instance_id;
  uint16_t flags = 0;  ///< channel flags of the offer message
  uint16_t mmio_megabytes = 0;
  std::array<std::byte, 120> user_defined{};
};

/// A channel that the guest has opened, from Device::opened until Device::closed returns. The rings
/// belong to whichever thread the device chose to serve the channel with.
class OpenChannel {
 public:
  virtual ~OpenChannel() = default;
  virtual uint16_t index() const = 0;             ///< 0: the primary
  virtual hv::vmbus::RingReader& incoming() = 0;  ///< guest to host
  virtual hv::vmbus::RingWriter& outgoing() = 0;  ///< host to guest
  virtual int signal_fd() const = 0;              ///< eventfd, readable when the guest signals
  virtual void signal_guest() = 0;  ///< event flag to the channel's VP; call when commit() said so
  virtual Machine& machine() = 0;
  virtual uint32_t vp() const = 0;  ///< where it interrupts now
  /// The guest broke the ring or the protocol: said once, and the channel is not served any more.
  /// The guest may close it.
  virtual void fail(const std::string& why) = 0;
  /// A round that sent something ends: whether its ring makes no sense from here on (a fault of
  /// this host's).
  virtual bool breaks() { return false; }

  /// Empties `signal_fd` and counts the signals that were in it; does not block. Returns their
  /// number.
  uint64_t take_signals();
  /// Packets and bytes are counted by the device, signals by this class.
  ChannelCounters& counters() { return counters_; }

 protected:
  ChannelCounters counters_;
};

class DeviceHandle;

/// One device behind the server. The server calls it from its own thread, one call at a time: a
/// call may wait for the device's own threads, and these may use the handle meanwhile, but not
/// Server.
class Device {
 public:
  virtual ~Device() = default;
  virtual const OfferInfo& offer() const = 0;
  virtual std::string name() const = 0;
  /// Before the first offer. `handle` lives until `detached` returns.
  virtual void attached(DeviceHandle& handle) { (void)handle; }
  /// The server has forgotten the device; all its channels were closed before.
  virtual void detached() {}
  /// A channel was opened: start to serve it. False: refused, the guest gets an error status.
  virtual bool opened(OpenChannel& channel) = 0;
  /// The device is being withdrawn, and the guest about to be told. From here on it begins nothing
  /// of its own, and answers what the guest asks until `closed`: a guest waits for that, and then
  /// frees rings and buffers without asking for them back (Linux does).
  virtual void leaving() {}
  /// Closed by the guest or taken away: on return the device touches neither `channel` nor memory
  /// of the guest through it.
  virtual void closed(OpenChannel& channel) = 0;
  /// The answer to DeviceHandle::find_gpadl: the frames of its pages, in order; none when the open
  /// channel has no such GPADL of one range of whole pages. Whether they are RAM is not known here.
  virtual void gpadl_found(OpenChannel& channel, uint32_t gpadl_id,
                           std::span<const uint64_t> frames) {
    (void)channel, (void)gpadl_id, (void)frames;
  }
  /// The guest takes a GPADL of an open channel back: on return the device does not touch its pages
  /// any more.
  virtual void gpadl_gone(OpenChannel& channel, uint32_t gpadl_id) {
    (void)channel, (void)gpadl_id;
  }
};

/// How a device asks the server for more channels of its own. Any thread; never waits for the
/// server.
class DeviceHandle {
 public:
  virtual ~DeviceHandle() = default;
  /// Offers sub-channels 1..count to the guest soon; any that exist already are kept, and all go
  /// when the primary closes. False: more than a device may have; nothing is offered.
  virtual bool offer_sub_channels(uint16_t count) = 0;
  /// Asks for a GPADL of the open channel `index`; the answer is Device::gpadl_found, unless the
  /// channel closes first.
  virtual void find_gpadl(uint16_t index, uint32_t gpadl_id) = 0;
};

}  // namespace hv::host::vmbus
