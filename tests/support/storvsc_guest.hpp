// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <array>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/storvsc/machine.hpp"
#include "core/vmbus/gpa_direct.hpp"
#include "tests/support/doorbell.hpp"
#include "tests/support/fake_channel.hpp"

namespace hv::test {

/// The guest's end of one storage channel: what a port adds to the core. One thread.
class GuestQueue {
 public:
  explicit GuestQueue(FakeChannel& channel)
      : channel_(channel), ends_({channel.to_host().writer(), channel.to_guest().reader()}) {}

  /// As vmbus::RequestSink.
  Result<void> send(uint64_t id, std::span<const std::byte> ranges,
                    std::span<const std::byte> packet) {
    return ends_.out.send(id, ranges, packet);
  }

  /// Shows the host what is staged, and rings when it has to know.
  void publish() {
    if (ends_.out.publish() != vmbus::Signal::Yes) return;
    signals_++;
    channel_.host_bell().ring();
  }

  /// Calls `each` for every packet that is there. The number of them. Throws when the ring is
  /// broken.
  template <typename Each>
  size_t drain(Each&& each) {
    size_t count = 0;
    while (true) {
      auto packet = ends_.in.read();
      if (!packet) {
        if (packet.error() != Error::RingEmpty)
          throw std::runtime_error(std::string("incoming ring: ") + name(packet.error()));
        break;
      }
      count++;
      each(*packet);
    }
    if (ends_.finish_round().signal == vmbus::Signal::Yes) {
      signals_++;
      channel_.host_bell().ring();
    }
    return count;
  }

  void mask() { ends_.in.mask(); }

  /// Sleeps until the host has something, or room for `wanted` bytes when that is not 0. False:
  /// nothing came in a time in which something had to come.
  bool sleep(uint32_t wanted = 0) {
    if (wanted != 0 && ends_.out.wait_for_space(wanted).take()) return true;
    const bool more = ends_.in.unmask().take();
    bool woken = true;
    if (!more) {
      sleeps_++;
      woken = channel_.guest_bell().wait();
    }
    ends_.in.mask();
    return woken;
  }

  uint64_t signals() const { return signals_; }
  uint64_t sleeps() const { return sleeps_; }

 private:
  FakeChannel& channel_;
  storvsc::Channel ends_;
  uint64_t signals_ = 0;
  uint64_t sleeps_ = 0;
};

/// The core's storvsc machine with its slots, and the dialogue driven to its end.
class StorvscGuest {
 public:
  explicit StorvscGuest(size_t requests)
      : slots_(requests + storvsc::Machine::kControlSlots),
        machine_(storvsc::Machine::create(slots_).take()) {}

  storvsc::Machine& machine() { return machine_; }

  /// Errors: the handshake's; TimedOut.
  Result<storvsc::Properties> connect(GuestQueue& primary, const storvsc::Wishes& wishes = {}) {
    storvsc::Handshake handshake(wishes);
    while (!handshake.done()) {
      HV_TRY(machine_.submit(primary, storvsc::Machine::Control::Dialogue, handshake.packet()));
      primary.publish();
      std::optional<Result<void>> answered;
      while (!answered) {
        primary.drain([&](const vmbus::Packet& packet) {
          auto event = machine_.receive(packet);
          if (event && event->kind == storvsc::Event::Kind::Answered)
            answered.emplace(handshake.answered(event->packet));
        });
        if (!answered && !primary.sleep()) return Error::TimedOut;
      }
      if (!*answered) return answered->error();
      machine_.adopt(handshake.properties().dialect);
    }
    return storvsc::Properties(handshake.properties());
  }

 private:
  std::vector<Slot> slots_;
  storvsc::Machine machine_;
};

/// READ(16) or WRITE(16). `blocks` of the disk's own size.
inline std::array<uint8_t, 16> read_write_16(bool write, uint64_t lba, uint32_t blocks) {
  std::array<uint8_t, 16> cdb{};
  cdb[0] = write ? 0x8a : 0x88;
  for (int i = 0; i < 8; i++) cdb[2 + i] = static_cast<uint8_t>(lba >> (56 - 8 * i));
  for (int i = 0; i < 4; i++) cdb[10 + i] = static_cast<uint8_t>(blocks >> (24 - 8 * i));
  return cdb;
}

}  // namespace hv::test
