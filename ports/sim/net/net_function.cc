// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "core/base/mutant.hpp"
#include "ports/sim/kernel.hpp"
#include "ports/sim/net/net_driver.hpp"
#include "ports/sim/net/nic.hpp"

// The virtual function of an adapter, and the interface of it as the rest of the machine has it
// come and go. netvsc_vf.c.
namespace hv::sim::net {

namespace {
constexpr unsigned kOurs = 0, kOther = 1;  ///< namespaces; the adapter is in ours
constexpr uint32_t kSerial = SimNic::kSerial;
constexpr hv::vmbus::Time kPause = 100;
constexpr hv::vmbus::Time kDrainLimit = netvsc::kDrainSeconds * 1000;
constexpr uint32_t kEnough = 256;
}  // namespace

// --- The rest of the machine: under RTNL, as all of it ---

Task<> NetDriver::machine() {
  for (;;) {
    co_await tasks_.work([this] {
      return function_ops_left_ && !stopping_ && !leaving_ &&
             (life_ == Life::Probing || life_ == Life::Running);
    });
    co_await tasks_.lock("RTNL", rtnl_);
    if (function_ops_left_ && !leaving_) co_await machine_once();
    rtnl_.held = false;
  }
}

Task<> NetDriver::machine_once() {
  function_ops_left_--;
  Rng& rng = kernel_.rng();
  if (!vf_.registered) {
    vf_.space = rng.chance(300) ? kOther : kOurs;
    kernel_.log()("a function comes, namespace %u", vf_.space);
    co_await function_registers();
  } else if (vf_.space == kOther && rng.chance(500)) {
    kernel_.log()("the function's namespace is deleted");
    co_await function_moves(kOurs);
  } else if (!vf_.running) {
    vf_.running = true;
    if (function_.has_function()) co_await function_look_up();
  } else if (rng.chance(500)) {
    co_await function_goes_down();
  } else {
    kernel_.log()("the function goes");
    if (vf_.running) co_await function_goes_down();
    co_await function_unregisters();
  }
}

Task<> NetDriver::function_goes_down() {
  if (function_.has_function()) co_await function_down();
  vf_.running = false;
}

Task<> NetDriver::function_registers() {
  vf_.registered = true;
  vf_.told = true;
  co_await function_registered();
  vf_.told = false;
}

Task<> NetDriver::function_unregisters() {
  if (function_.has_function()) co_await function_leave();
  vf_.registered = false;
}

/// dev_change_net_namespace, and what deleting a namespace does to what is in it.
Task<> NetDriver::function_moves(unsigned space) {
  if (vf_.told) fail("an interface is moved to another namespace while the stack tells of it");
  co_await function_unregisters();
  vf_.space = space;
  co_await function_registers();
}

// --- The driver ---

bool NetDriver::function_is_ours() const {
  const netvsc::Candidate candidate{.permanent = SimNic::kMac, .serial = kSerial};
  return dev_.registered && vf_.registered &&
         function_.match(candidate) != netvsc::FunctionMatch::None;
}

/// The notifier.
Task<> NetDriver::function_registered() {
  if (leaving_ || !function_is_ours()) co_return;
  if (vf_.space == kOurs) {
    function_join();
  } else if (HV_MUTANT(33)) {
    co_await function_moves(
        kOurs);  // the bug: whoever goes through a namespace's interfaces loses its way
  } else {
    schedule(function_work_);
  }
}

void NetDriver::function_join() {
  function_.joined();
  function_fresh_ = true;
  schedule(function_setup_work_, kPause);
}

/// It is going down, or away: what is sent from here on goes by the channels.
Task<> NetDriver::function_down() {
  function_.down();
  co_await tasks_.until("senders", [this] { return senders_ == 0; });
  co_await function_settle();
}

Task<> NetDriver::function_look_up() {
  if (!vf_.running) {
    co_await function_down();
    co_return;
  }
  function_.up();
  co_await function_settle();
}

Task<> NetDriver::function_leave() {
  if (!function_.has_function()) co_return;
  co_await function_down();
  function_.left();
}

/// Tells the host of the data path until there is nothing to tell.
Task<> NetDriver::function_settle() {
  for (bool more = true; more && adapter_;) {
    NetAdapter& adapter = *adapter_;
    more = co_await switch_path(adapter);
  }
}

/// Tells the host of the data path. True: it has answered.
Task<bool> NetDriver::switch_path(NetAdapter& adapter) {
  NetQueue& queue = *adapter.queues[0];
  auto& sending = queue.core->sending();
  adapter.setup_done = false;
  for (const Time end = kernel_.now() + kDrainLimit;;) {
    co_await tasks_.lock("a queue's lock", queue.lock);
    const auto message = function_.begin();
    bool sent = false, full = false;
    if (message) {
      const auto staged = sending.send_setup(*message);
      sent = staged.ok();
      full = !sent && staged.error() == Error::RingFull;
      if (!sent) function_.unsent();
    }
    queue.lock.held = false;
    co_await publish(queue);
    if (sent) break;
    if (!full || hopeless(adapter) || kernel_.now() >= end) co_return false;
    co_await tasks_.host(
        "room for a message",
        [this, &adapter, &sending] {
          const auto room = sending.may_send(kEnough);
          return hopeless(adapter) || !room || *room || sending.pages().empty();
        },
        end - kernel_.now());
  }
  if (HV_MUTANT(32)) {
    function_.answered();  // the bug: frames take the function before the host has heard of it
    co_return false;
  }
  const bool came = co_await setup_answered(adapter);
  if (!came) {
    function_.unanswered();
    co_return false;
  }
  function_.answered();
  co_return true;
}

/// Makes the interface, once, what ours is.
Task<> NetDriver::function_setup_work() {
  co_await tasks_.lock("RTNL", rtnl_);
  if (!leaving_ && function_.has_function() && function_fresh_) {
    function_fresh_ = false;
    if (dev_.running) vf_.running = true;
    co_await function_look_up();
  }
  rtnl_.held = false;
}

/// Something has happened that is not dealt with where it was seen.
Task<> NetDriver::function_work() {
  co_await tasks_.lock("RTNL", rtnl_);
  if (!leaving_ && dev_.registered) {
    // The bug: an interface that is there before the driver is never looked for.
    if (function_is_ours() && !HV_MUTANT(30)) {
      if (vf_.space == kOther) {
        co_await function_moves(kOurs);
      } else {
        function_join();
      }
    }
    co_await function_settle();
  }
  rtnl_.held = false;
}

void NetDriver::function_told(bool allocated, uint32_t serial) {
  function_.associated(allocated, serial);
  schedule(function_work_);
}

// --- Oracles ---

/// nullptr: all that belongs to a function is as it should be.
const char* NetDriver::function_amiss() const {
  if (!dev_.registered || !vf_.registered || !adapter_ || adapter_->broken) return nullptr;
  if (!function_.has_function()) return "a virtual function is there and is not joined";
  const bool told = adapter_->dialect.at_least(wire::netvsc::Version::V4) &&
                    !kernel_.profile().isolated && function_.allocated();
  if (must_succeed() && told && vf_.running && !function_.carries())
    return "a virtual function is up and carries nothing";
  return nullptr;
}

}  // namespace hv::sim::net
