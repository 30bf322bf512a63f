// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "core/base/slot_table.hpp"
#include "core/vmbus/connection.hpp"
#include "core/vmbus/ring.hpp"
#include "ports/sim/channel_driver.hpp"
#include "ports/sim/memory.hpp"
#include "ports/sim/support.hpp"

namespace hv::sim {

class Kernel;

/// Somebody in the guest who sleeps until his request has ended.
struct Waiter {
  Waiter() : request(this) {}
  hv::vmbus::Request request;
  bool waiting = false;
  hv::vmbus::Event result;
};

/// Pages that the host knows, or is to know.
struct Buffer {
  hv::vmbus::Gpadl gpadl{this};
  uint32_t first = 0;
  uint32_t pages = 0;
  bool handed_back = false;  ///< nothing more may be heard of it
  std::vector<uint64_t> frames;
};

/// A device object of the guest's device model, with its references.
struct Device {
  int references = 0;
  bool gone = false;
};

/// A driver that asks and is answered, of one channel, primary or sub-channel: allocates, opens,
/// does I/O, and cleans up when told to stop. Each step is what one context does under one lock;
/// between two steps anything may happen.
class Driver final : public ChannelDriver {
 public:
  enum class State {
    New,
    Share,
    CreateRing,
    WaitRing,
    ChooseCpu,
    Open,
    WaitOpen,
    CreateBuffer,
    WaitBuffer,
    Running,
    Drain,
    Close,
    Teardown,
    WaitTeardown,
    Free,
    Idle,
    Unregister,
    Release,
    Finished,
  };
  Driver(Kernel& kernel, hv::vmbus::Channel& channel, unsigned requests);

  void step() override;
  bool runnable() const override;
  bool finished() const override { return state_ == State::Finished; }
  bool idle() const override { return state_ == State::Idle; }
  bool settled() const override { return idle() || (state_ == State::Running && io_done()); }
  bool in_use() const override {
    return state_ != State::New && state_ != State::Idle && state_ != State::Unregister &&
           state_ != State::Release && state_ != State::Finished;
  }
  bool waits_for_host() const override { return waiter_.waiting; }
  const char* stuck() const override;
  bool stopping() const override { return stopping_; }
  int state_number() const override { return static_cast<int>(state_); }

  void stop(bool release) override;
  void start_again() override;
  std::unique_ptr<ChannelDriver> driver_of(hv::vmbus::Channel& sub_channel) override;

  // The interrupt's part.
  void callback() override;
  bool tasklet_runnable() const override { return tasklet_; }
  void tasklet() override;
  bool signal_pending() const override { return signal_pending_; }
  void signal() override;

  std::optional<Time> deadline() const override { return drain_deadline_; }
  void deadline_reached() override {
    drain_deadline_.reset();
    drain_over_ = true;
  }

 private:
  struct InFlight {
    uint64_t number = 0;
    uint32_t length = 0;
    bool active = false;
  };
  bool allocate(Buffer& buffer, uint32_t pages);
  void give_back(std::unique_ptr<Buffer>& buffer);
  void create(Buffer& buffer);
  void submit();
  void complete(const hv::vmbus::Packet& packet);
  void fail_requests();
  void device_put();
  bool io_done() const { return completed_ == wanted_ || broken_; }

  Kernel& kernel_;
  State state_ = State::New;
  bool stopping_ = false, releasing_ = false;
  Device device_;
  bool registered_ = false;
  std::unique_ptr<Buffer> ring_, extra_;
  Waiter waiter_;
  uint32_t cpu_ = 0;
  bool callback_set_ = false;
  unsigned attempts_ = 0;
  std::optional<hv::vmbus::RingReader> in_;
  std::optional<hv::vmbus::RingWriter> out_;
  std::array<Slot, 4> slots_;
  SlotTable table_{slots_};
  std::array<InFlight, 4> flight_;
  unsigned in_flight_ = 0;
  unsigned wanted_, submitted_ = 0, completed_ = 0;
  bool blocked_ = false, broken_ = false, signal_pending_ = false;
  bool tasklet_ = false, sleeping_ = true;
  bool drain_over_ = false;
  std::optional<Time> drain_deadline_;
  std::vector<std::byte> packet_buffer_;
};

}  // namespace hv::sim
