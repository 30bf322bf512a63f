// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <mutex>

#include "host/hostile/intent.hpp"
#include "host/hostile/messages.hpp"
#include "host/machine.hpp"

namespace hv::host::hostile {

/// A machine whose control messages and event flags are not to be trusted. Everything else passes
/// through. Any thread.
class Machine final : public host::Machine {
 public:
  Machine(host::Machine& inner, Intent& intent)
      : inner_(inner), intent_(intent), stream_(intent, 0) {}

  uint32_t vp_count() const override { return inner_.vp_count(); }
  std::optional<std::span<std::byte>> memory(uint64_t gpa, size_t length) override {
    return inner_.memory(gpa, length);
  }
  std::unique_ptr<Mapping> map_pages(std::span<const uint64_t> frames) override {
    return inner_.map_pages(frames);
  }
  bool post_message(uint32_t vp, uint32_t sint, uint32_t message_type,
                    std::span<const std::byte> payload) override;
  void drop_messages() override { inner_.drop_messages(); }
  void signal_event(uint32_t vp, uint32_t sint, uint32_t flag) override;
  bool bind_signal(uint32_t connection_id, int event_fd) override {
    return inner_.bind_signal(connection_id, event_fd);
  }

  /// A message or a flag out of nothing.
  void attack(Dice& dice);

 private:
  host::Machine& inner_;
  Intent& intent_;
  std::mutex mutex_;  ///< of all below; messages leave in the order in which they were made
  Stream stream_;
  MessageForger forger_;
};

}  // namespace hv::host::hostile
