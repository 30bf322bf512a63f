// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "ports/sim/net/net_driver.hpp"

#include "core/base/mutant.hpp"
#include "ports/sim/kernel.hpp"

// A life from the probe to the removal, and what the user wants in between. hv_netvsc_main.c,
// netvsc_netdev.c, netvsc_link.c.
namespace hv::sim::net {

namespace {
/// Few slots, so that they run out, or so many that the ring is full before.
netvsc::SlotPlan some_plan(Rng& rng) {
  const uint32_t sections = 1 + rng.below(4);
  return {.sections = static_cast<uint16_t>(sections),
          .pages = static_cast<uint16_t>(rng.chance(300) ? 4 : 64)};
}

/// As the kernel module has it. With less, rings of a page fill, which the module's larger ones
/// seldom do.
constexpr uint32_t kStopPercent = 10;
constexpr hv::vmbus::Time kRetry =
    1'000;  ///< until RTNL is tried again; longer than in truth, as each costs a step of the world
}  // namespace

NetDriver::NetDriver(Kernel& kernel, hv::vmbus::Channel& channel)
    : ChannelDriver(channel),
      kernel_(kernel),
      tasks_(kernel.clock()),
      plan_(some_plan(kernel.rng())),
      stop_percent_(kernel.rng().chance(300) ? kStopPercent : 1),
      poll_attention_(kernel.rng().chance(600) ? 1000 : 25),
      frames_left_(30 + kernel.rng().below(120)),
      ops_left_(2 + kernel.rng().below(4)),
      function_ops_left_(kernel.rng().chance(400) ? 1 + kernel.rng().below(6) : 0) {
  config_.queues = 1 + kernel.rng().below(3);
  tasks_.spawn("life", life());
  tasks_.spawn("admin", admin());
  tasks_.spawn("queues", worker(queues_work_, &NetDriver::queues_work));
  tasks_.spawn("link", worker(link_work_, &NetDriver::link_work));
  tasks_.spawn("function", worker(function_work_, &NetDriver::function_work));
  tasks_.spawn("function set-up", worker(function_setup_work_, &NetDriver::function_setup_work));
  tasks_.spawn("machine", machine());
  tasks_.spawn("broken", worker(broken_work_, &NetDriver::broken_work));
  for (int cpu = 0; cpu < 2; cpu++) {
    tasks_.spawn("softirq", softirq());
    tasks_.spawn("sender", sender());
  }
}

NetDriver::~NetDriver() = default;

void NetDriver::stop(bool release) {
  stopping_ = true;
  releasing_ = releasing_ || release;
}

std::unique_ptr<ChannelDriver> NetDriver::driver_of(hv::vmbus::Channel& sub_channel) {
  return std::make_unique<NetSubChannel>(kernel_, *this, sub_channel);
}

bool NetDriver::honest() const { return !kernel_.profile().hostile; }
bool NetDriver::must_succeed() const {
  return kernel_.profile().strict() && !kernel_.profile().alloc_faults && !channel_.rescinded();
}
Ledger& NetDriver::ledger() { return kernel_.host().ledger(); }

void NetDriver::step() {
  for (uint32_t steps = 1 + kernel_.rng().below(4); steps > 0; steps--) tasks_.step(kernel_.rng());
}

void NetDriver::callback() {
  for (NetQueue* queue : napis_) {
    if (&queue->channel == &channel_ && queue->callback) queue->napi.schedule();
  }
}

bool NetDriver::settled() const {
  if (idle()) return true;
  if (life_ != Life::Running || !tasks_.at_rest()) return false;
  if (function_amiss()) return false;
  const bool may_send =
      adapter_ && dev_.running && dev_.present && dev_.carrier && !adapter_->broken;
  return (frames_left_ == 0 || !may_send) &&
         (!adapter_ || !kernel_.profile().strict() || kernel_.host().with_guest() == 0);
}

const char* NetDriver::stuck() const {
  if (const char* what = tasks_.blocked()) return what;
  if (life_ != Life::Running || settled()) return nullptr;
  if (const char* what = function_amiss()) return what;
  return kernel_.host().with_guest() ? "frames that came are not given back"
                                     : "a queue was stopped and is not woken";
}

void NetDriver::describe(Log& log) const {
  tasks_.each([&log](const char* name, const char* what, bool ready) {
    log("  %s: waits for %s, ready %d", name, what, ready);
  });
  log("  function: registered %d running %d namespace %u joined %d allocated %d path %d",
      vf_.registered, vf_.running, vf_.space, function_.has_function(), function_.allocated(),
      static_cast<int>(function_.path()));
  log("  running %d present %d carrier %d, queues %u, stopped %d %d %d, frames left %u",
      dev_.running, dev_.present, dev_.carrier, dev_.queues, dev_.stopped[0], dev_.stopped[1],
      dev_.stopped[2], frames_left_);
}

std::optional<NetDriver::Time> NetDriver::deadline() const {
  const Time first = tasks_.deadline();
  return first == Tasks::kNever ? std::nullopt : std::optional(first);
}

void NetDriver::sub_channel_offered(NetSubChannel& sub_channel) {
  sub_channel.handling = true;
  sub_channels_.push_back(&sub_channel);
  tasks_.spawn("sub-channel", sub_channel_came(sub_channel));
}

// --- Life ---

Task<> NetDriver::life() {
  co_await probe();
  life_ = Life::Running;
  for (;;) {
    co_await tasks_.work([this] { return stopping_; });
    if (releasing_) break;
    co_await suspend();
    life_ = Life::Suspended;
    co_await tasks_.work([this] { return releasing_ || !stopping_; });
    if (releasing_) break;
    life_ = Life::Running;
    co_await resume();
  }
  co_await remove();
  life_ = Life::Removed;
  // What is said of a sub-channel at this moment is said before.
  co_await tasks_.until("sub-channels to go",
                        [this] { return !kernel_.has_sub_drivers(channel_); });
  while (!kernel_.connection().release(channel_)) co_await tasks_.turn();
  life_ = Life::Finished;
}

Task<> NetDriver::probe() {
  co_await tasks_.lock("RTNL", rtnl_);
  const int error = co_await open_adapter();
  if (error && must_succeed()) fail("an adapter does not open, though nothing fails");
  if (!error && kernel_.allocation_fails()) {
    leaving_ = true;
    co_await close_adapter();  // the interface cannot be registered
  } else if (!error) {
    function_.adopt(adapter_->facts.mac);
    dev_.registered = dev_.present = true;
    dev_.queues = 1;
    show_link();
    schedule(queues_work_);
    schedule(function_work_);  // as the stack tells of the registration
  }
  rtnl_.held = false;
}

Task<> NetDriver::remove() {
  co_await tasks_.lock("RTNL", rtnl_);
  leaving_ = true;
  co_await function_leave();
  if (dev_.registered && dev_.running) co_await dev_stop();
  dev_.registered = dev_.running = dev_.present = false;
  co_await close_adapter();
  rtnl_.held = false;
  co_await cancel(link_work_);
  co_await cancel(queues_work_);
  co_await cancel(broken_work_);
  co_await cancel(function_work_);
  co_await cancel(function_setup_work_);
  for (auto& skb : requeued_) {
    if (skb) free_skb(*skb);
    skb.reset();
  }
}

Task<> NetDriver::suspend() {
  co_await tasks_.lock("RTNL", rtnl_);
  dev_.detach();
  co_await close_adapter();
  function_.forget();
  rtnl_.held = false;
}

Task<> NetDriver::resume() {
  co_await tasks_.lock("RTNL", rtnl_);
  int error = -1;
  if (dev_.registered) error = co_await open_adapter();
  if (!error) {
    co_await use_queues();
    if (dev_.running) error = co_await apply_filter();
    co_await function_settle();
    dev_.attach();
    show_link();
  }
  rtnl_.held = false;
}

// --- What the user wants ---

Task<> NetDriver::admin() {
  for (;;) {
    co_await tasks_.work(
        [this] { return ops_left_ && dev_.registered && dev_.present && !stopping_; });
    co_await tasks_.lock("RTNL", rtnl_);
    if (dev_.registered && dev_.present && !leaving_ && ops_left_) co_await admin_once();
    rtnl_.held = false;
  }
}

Task<> NetDriver::admin_once() {
  ops_left_--;
  Rng& rng = kernel_.rng();
  if (!dev_.running || ops_left_ == 0) {
    if (dev_.running) co_return;
    const int error = co_await dev_open();
    if (error && must_succeed() && adapter_ && !adapter_->broken)
      fail("an interface does not come up, though nothing fails");
    dev_.running = !error;
    co_return;
  }
  if (rng.chance(300)) {
    kernel_.log()("interface down");
    co_await dev_stop();
    dev_.running = false;
    co_return;
  }
  Config config = config_;
  constexpr uint32_t kMtus[] = {576, 1500, 9000};
  config.mtu = kMtus[rng.below(3)];
  config.queues = 1 + rng.below(3);
  kernel_.log()("mtu %u, %u queues", config.mtu, config.queues);
  if (!adapter_) co_return;
  const int error = co_await reopen(config);
  if (error && must_succeed()) fail("an adapter does not open otherwise, though nothing fails");
}

Task<int> NetDriver::apply_filter() {
  if (!adapter_) co_return -1;
  const uint32_t filter =
      dev_.running ? wire::rndis::kFilterDirected | wire::rndis::kFilterBroadcast : 0;
  NetAdapter& adapter = *adapter_;
  const bool ok = co_await set_filter(adapter, filter);
  co_return ok ? 0 : -1;
}

Task<int> NetDriver::dev_open() {
  dev_.running = true;  // as the stack says it before it calls
  const int error = co_await apply_filter();
  if (!error) {
    dev_.start_all();
    show_link();
  }
  co_return error;
}

/// Always ends, and always well: what the host does not do any more it need not.
Task<> NetDriver::dev_stop() {
  dev_.stop_all();
  if (!adapter_ || channel_.rescinded()) co_return;
  NetAdapter& adapter = *adapter_;
  (void)co_await set_filter(adapter, 0);
  // The bug: closing fails with -EAGAIN until the host has nothing of ours, and who removes the
  // interface tries for ever.
  if (HV_MUTANT(40))
    co_await tasks_.until("the rings to be empty",
                          [this, &adapter] { return in_flight(adapter) == 0; });
  if (HV_MUTANT(69)) {
    // The bug: nobody polls any more, and the ring shall be empty; but the host has not heeded the
    // filter.
    for (auto& queue : adapter.queues) {
      if (queue && queue->opened) co_await napi_disable(*queue);
    }
    co_await tasks_.until("the ring to be empty",
                          [this, &adapter] { return incoming_empty(adapter); });
    for (auto& queue : adapter.queues) {
      if (queue && queue->opened) start_polling(*queue);
    }
  }
}

void NetDriver::show_link() { dev_.carrier = link_up_ && adapter_; }

// --- Work ---

void NetDriver::schedule(Work& work, Time delay) {
  if (work.scheduled) return;
  work.scheduled = true;
  work.delay = delay;
}

Task<> NetDriver::cancel(Work& work) {
  work.scheduled = false;
  co_await tasks_.until("work to end", [&work] { return !work.running; });
}

Task<> NetDriver::worker(Work& work, Task<> (NetDriver::*run)()) {
  for (;;) {
    co_await tasks_.work([&work] { return work.scheduled; });
    if (work.delay)
      co_await tasks_.clock(
          "delayed work", [&work] { return !work.scheduled; }, work.delay);
    if (!work.scheduled) continue;
    work.scheduled = false;
    work.running = true;
    co_await (this->*run)();
    work.running = false;
  }
}

Task<> NetDriver::queues_work() {
  // Who holds it may be waiting for us to end.
  if (rtnl_.held) {
    schedule(queues_work_, kRetry);
    co_return;
  }
  rtnl_.held = true;
  co_await tasks_.turn();
  if (adapter_ && !leaving_ && open_queues(*adapter_) != adapter_->active) co_await use_queues();
  rtnl_.held = false;
}

Task<> NetDriver::link_work() {
  if (rtnl_.held) {
    schedule(link_work_, kRetry);
    co_return;
  }
  rtnl_.held = true;
  co_await tasks_.turn();
  if (!leaving_ && dev_.registered) show_link();
  rtnl_.held = false;
}

/// A ring makes no sense any more: the adapter is closed, the interface stays without a link.
Task<> NetDriver::broken_work() {
  co_await tasks_.lock("RTNL", rtnl_);
  if (!leaving_ && adapter_) {
    dev_.carrier = false;
    co_await close_adapter();
  }
  rtnl_.held = false;
}

// --- Sub-channels, as the bus has them ---

NetSubChannel::NetSubChannel(Kernel& kernel, NetDriver& primary, hv::vmbus::Channel& channel)
    : ChannelDriver(channel), kernel_(kernel), primary_(primary) {
  primary_.sub_channel_offered(*this);
}

std::unique_ptr<ChannelDriver> NetSubChannel::driver_of(hv::vmbus::Channel& sub_channel) {
  return primary_.driver_of(sub_channel);
}

bool NetSubChannel::runnable() const {
  return !finished_ && !in_use() && (releasing_ || rescind_told);
}

void NetSubChannel::step() {
  if (kernel_.connection().release(channel_)) finished_ = true;
}

void NetSubChannel::callback() {
  if (queue && queue->callback) queue->napi.schedule();
}

}  // namespace hv::sim::net
