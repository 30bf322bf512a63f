// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/result.hpp"
#include "core/wire/rndis.hpp"
#include "host/faults/faults.hpp"
#include "host/net/toeplitz.hpp"
#include "host/netvsp/counters.hpp"

namespace hv::host::netvsp {

using Mac = std::array<std::byte, 6>;

/// What the device is: does not change.
struct DeviceFacts {
  Mac mac{};
  std::string name;  ///< the friendly name
  uint64_t bits_per_second = 10'000'000'000;
  bool old_speed_messages = false;  ///< tells the speed with the link, and leaves it out of the
                                    ///< message's length, as old hosts do
};

/// Where received frames go.
struct ReceiveScale {
  bool enabled = false;
  net::RssKey key{};
  std::vector<uint16_t> table;  ///< channel by hash, of kRssTableEntries at most
};

/// The RNDIS device of one NIC: control messages in, answers out, and the settings that they make.
/// Concurrency: any thread; the settings for the data path are read without a lock.
class RndisDevice {
 public:
  RndisDevice(DeviceFacts facts, const NicCounters& counters)
      : facts_(std::move(facts)), counters_(counters), mac_(facts_.mac) {}

  /// One control message, a private copy. The answer to send; none: the message needs none.
  /// `queues` and `frame_size` as negotiated. Errors: first_message's (nothing can be answered);
  /// NotSupported (no control message).
  Result<std::optional<std::vector<std::byte>>> handle(std::span<const std::byte> message,
                                                       uint16_t queues, uint32_t frame_size);

  /// The guest closed the device: everything is as at the beginning, but the link.
  void reset();

  /// True: it was the other way before.
  bool set_link(bool up) { return link_.exchange(up) != up; }
  bool link() const { return link_.load(std::memory_order_relaxed); }
  bool initialized() const { return initialized_.load(std::memory_order_acquire); }
  /// The INDICATE_STATUS that tells of the link as it is.
  std::vector<std::byte> link_message() const;
  /// The INDICATE_STATUS that tells of the speed, when this device does
  /// (DeviceFacts::old_speed_messages).
  std::optional<std::vector<std::byte>> speed_message() const;

  /// Whether the guest wants to see this frame, by its destination.
  bool wants(std::span<const std::byte> frame) const;
  /// Whether the guest takes "the checksum is good" from us.
  bool checks_received() const { return receive_checksum_.load(std::memory_order_relaxed); }
  /// Whether the guest takes TCP segments joined (RSC), of IPv6 or IPv4. That needs their checksums
  /// to be taken, too.
  bool joins_received(bool ipv6) const {
    return checks_received() &&
           (joins_.load(std::memory_order_relaxed) & (ipv6 ? kJoinsIpv6 : kJoinsIpv4));
  }
  bool joins_received() const { return joins_received(false) || joins_received(true); }
  /// Whose faults it has; without it it has none. Before anything else.
  void set_faults(Faults& faults) { faults_ = &faults; }
  /// Whether a joined IPv4 frame bears a stale header checksum, this time.
  bool leaves_sum_stale() const {
    return faults_ != nullptr && faults_->rsc_stale_sum.strikes(facts_.name);
  }
  Mac mac() const;
  uint32_t filter() const { return filter_.load(std::memory_order_relaxed); }
  /// Which channel a frame goes to, and its hash if that decided it.
  struct Place {
    uint16_t channel = 0;
    std::optional<uint32_t> hash{};
  };
  Place place(std::span<const std::byte> frame) const;

 private:
  using Bytes = std::span<const std::byte>;
  struct Answer {
    wire::rndis::Status status = wire::rndis::Status::Success;
    std::vector<std::byte> bytes{};
  };

  Answer query(wire::rndis::Oid oid, Bytes buffer, uint16_t queues, uint32_t frame_size) const;
  std::optional<uint32_t> query_number(wire::rndis::Oid oid, uint32_t frame_size) const;
  wire::rndis::Status set(wire::rndis::Oid oid, Bytes buffer, uint16_t queues);
  wire::rndis::Status set_offload(Bytes buffer);
  wire::rndis::Status set_receive_scale(Bytes buffer, uint16_t queues);
  wire::rndis::Status set_parameter(Bytes buffer);

  const DeviceFacts facts_;
  const NicCounters& counters_;
  Faults* faults_ = nullptr;
  std::atomic<bool> link_{true};
  std::atomic<bool> initialized_{false};
  std::atomic<uint32_t> filter_{0};
  std::atomic<bool> receive_checksum_{false};
  static constexpr uint8_t kJoinsIpv4 = 1, kJoinsIpv6 = 2;
  std::atomic<uint8_t> joins_{0};
  std::atomic<bool> scaled_{false};
  mutable std::mutex mutex_;  ///< of what follows
  Mac mac_;
  ReceiveScale scale_;
};

/// "00:15:5d:01:02:03"; nullopt: no unicast address in that form.
std::optional<Mac> parse_mac(std::string_view text);
std::string text(const Mac& mac);

}  // namespace hv::host::netvsp
