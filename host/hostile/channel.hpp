// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <mutex>
#include <string>
#include <vector>

#include "host/hostile/intent.hpp"
#include "host/hostile/packets.hpp"
#include "host/hostile/receive_buffer.hpp"
#include "host/vmbus/device.hpp"

namespace hv::host::hostile {

/// Stands between an honest device and the guest: the device writes to a ring of ours, and what it
/// wrote goes on, as it is or worse, when it signals. The guest's packets are read by the device
/// from the real ring. Concurrency: as OpenChannel; `attack` from any other thread.
class Channel final : public vmbus::OpenChannel {
 public:
  /// `buffer`: where a network adapter's frames for the guest lie, for as long as the channel is
  /// there; nullptr: it is no network channel.
  Channel(vmbus::OpenChannel& inner, Intent& intent, uint64_t place,
          ReceiveBuffer* buffer = nullptr);

  uint16_t index() const override { return inner_.index(); }
  hv::vmbus::RingReader& incoming() override { return inner_.incoming(); }
  hv::vmbus::RingWriter& outgoing() override { return shadow_writer_; }
  int signal_fd() const override { return inner_.signal_fd(); }
  void signal_guest() override;
  host::Machine& machine() override { return inner_.machine(); }
  uint32_t vp() const override { return inner_.vp(); }
  bool breaks() override { return inner_.breaks(); }
  void fail(const std::string& why) override { inner_.fail(why); }

  /// A packet out of nothing, or a scribble over the rings.
  void attack(Dice& dice);

 private:
  void pass_on();
  void send(const Packet& packet);
  bool attack_buffer(Dice& dice);
  void scribble(Dice& dice);

  vmbus::OpenChannel& inner_;
  Intent& intent_;
  ReceiveBuffer* const buffer_of_frames_;
  std::vector<std::byte> pages_;
  hv::vmbus::RingWriter shadow_writer_;
  hv::vmbus::RingReader shadow_reader_;
  std::vector<std::byte> buffer_;
  std::mutex mutex_;  ///< of the guest's ring, and all below
  Stream stream_;
  PacketForger forger_;
  uint32_t write_index_;  ///< where the next packet is staged
};

}  // namespace hv::host::hostile
