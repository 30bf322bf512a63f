// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/vmbus/server.hpp"

#include <fmt/format.h>

#include <exception>
#include <future>

#include "core/wire/ring.hpp"
#include "host/vmbus/versions.hpp"

namespace hv::host::vmbus {

namespace wire = hv::wire::vmbus;

class Server::Attached final : public DeviceHandle {
 public:
  Attached(Server& server, std::shared_ptr<Device> attached_device)
      : device(std::move(attached_device)), server_(server) {}
  bool offer_sub_channels(uint16_t count) override {
    if (count > ControlMachine::Options{}.max_sub_channels) return false;
    server_.later([&server = server_, key = key, count] {
      Actions actions;
      const auto offered = server.control_.offer_sub_channels(key, count, actions);
      server.perform(actions);
      if (!offered)
        server.log_.line(fmt::format("no more sub-channels: {}", hv::name(offered.error())));
    });
    return true;
  }

  void find_gpadl(uint16_t index, uint32_t gpadl_id) override {
    server_.later([&server = server_, key = key, index, gpadl_id] {
      server.answer_gpadl(key, index, gpadl_id);
    });
  }

  std::shared_ptr<Device> device;
  ChannelKey key = 0;
  bool leaving = false;
  std::map<ChannelKey, std::unique_ptr<ServedChannel>> open;

 private:
  Server& server_;
};

Server::Server(Machine& machine, ServerOptions options)
    : machine_(machine),
      verbose_(options.verbose),
      log_(std::move(options.log)),
      control_({.max_version = options.max_version,
                .vp_count = machine.vp_count(),
                .monitor = options.monitor}),
      worker_([this] { work(); }) {}

Server::~Server() {
  run([this] { close_all(); });
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  room_.notify_all();
  worker_.join();
}

void Server::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    const auto awake = [this] { return stop_ || !queue_.empty(); };
    if (const auto due = late_.due()) {
      wake_.wait_until(lock, *due, awake);
      lock.unlock();
      while (const auto message = late_.take(LateMessages::Clock::now())) feed(*message);
      lock.lock();
      if (queue_.empty() && !stop_) continue;
    } else {
      wake_.wait(lock, awake);
    }
    if (queue_.empty()) return;
    Task task = std::move(queue_.front());
    queue_.pop_front();
    if (std::holds_alternative<GuestMessage>(task)) guest_messages_--;
    lock.unlock();
    room_.notify_one();
    if (auto* const message = std::get_if<GuestMessage>(&task)) {
      take(std::move(*message));
    } else {
      std::get<std::function<void()>>(task)();
    }
    lock.lock();
  }
}

void Server::take(GuestMessage message) {
  if (LateMessages::is_modify(message.bytes)) {
    const auto delay = faults_.modify_delay.delay(moved_device(message.bytes));
    if ((delay.count() != 0 || late_.count() != 0) && late_.count() < kLateLimit)
      return late_.keep(std::move(message), LateMessages::Clock::now() + delay);
  }
  // Moves are done in their order, and before what the guest asks for behind them.
  if (LateMessages::is_modify(message.bytes) || LateMessages::goes_after(message.bytes)) {
    while (const auto kept = late_.take()) feed(*kept);
  }
  feed(message);
}

/// The name of the device whose channel the guest wants moved; empty: it has none open that is so
/// named.
std::string Server::moved_device(std::span<const std::byte> message) const {
  ByteReader reader(message);
  if (!reader.take<wire::MessageHeader>()) return {};
  const auto modify = reader.take<wire::ModifyChannel>();
  if (!modify) return {};
  for (const auto& [key, attached] : devices_) {
    for (const auto& [channel, served] : attached->open)
      if (served->relid() == modify->channel_id) return attached->device->name();
  }
  return {};
}

void Server::feed(const GuestMessage& message) {
  Actions actions;
  control_.message(message.connection_id, message.bytes, actions);
  perform(actions);
}

void Server::later(std::function<void()> function) {
  {
    const std::lock_guard lock(mutex_);
    queue_.emplace_back(std::move(function));
  }
  wake_.notify_all();
}

/// Has the worker run `function` and waits for it.
void Server::run(const std::function<void()>& function) {
  std::promise<void> done;
  later([&] {
    function();
    done.set_value();
  });
  done.get_future().wait();
}

void Server::drain() {
  run([] {});
}

bool Server::message_from_guest(uint32_t connection_id, uint32_t message_type,
                                std::span<const std::byte> payload) {
  if (!control_.has_connection(connection_id)) return false;
  if (message_type != wire::kSynicMessageType || payload.size() > wire::kMaxMessageSize)
    return true;
  std::unique_lock lock(mutex_);
  // The limit of the wait is for a machine that stops its VPs while a device is slow to close.
  if (!room_.wait_for(lock, std::chrono::seconds(1),
                      [this] { return stop_ || guest_messages_ < kQueueLimit; }))
    return false;
  if (stop_) return false;
  queue_.emplace_back(GuestMessage{connection_id, {payload.begin(), payload.end()}});
  guest_messages_++;
  lock.unlock();
  wake_.notify_all();
  return true;
}

void Server::reset() {
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(queue_,
                  [](const Task& task) { return std::holds_alternative<GuestMessage>(task); });
    guest_messages_ = 0;
  }
  room_.notify_all();
  run([this] {
    Actions actions;
    control_.reset(actions);
    perform(actions);
  });
}

Result<void> Server::add(std::shared_ptr<Device> device) {
  std::exception_ptr thrown;
  Error error = Error::BadState;
  bool ok = false;
  run([&] {
    try {
      auto attached = std::make_unique<Attached>(*this, device);
      Actions actions;
      const auto offered = control_.offer(device->offer(), actions);
      if (!offered) {
        error = offered.error();
        return;
      }
      attached->key = *offered;
      auto& entry = *(devices_[*offered] = std::move(attached));
      entry.device->attached(entry);
      perform(actions);
      ok = true;
    } catch (...) {
      thrown = std::current_exception();
    }
  });
  if (thrown) std::rethrow_exception(thrown);
  if (!ok) return error;
  return {};
}

Server::Removal Server::remove(const Guid& instance_id, std::chrono::milliseconds limit) {
  ChannelKey key = 0;
  run([&] {
    for (auto& [candidate, attached] : devices_) {
      if (attached->device->offer().instance_id != instance_id || attached->leaving) continue;
      key = candidate;
      attached->leaving = true;
      attached->device->leaving();
      {
        const std::lock_guard lock(mutex_);
        leaving_[key] = false;
      }
      Actions actions;
      (void)control_.rescind(key, actions).ok();
      perform(actions);
      return;
    }
  });
  if (key == 0) return Removal::NotFound;

  std::unique_lock lock(mutex_);
  const bool released = gone_changed_.wait_for(lock, limit, [&] { return leaving_[key]; });
  lock.unlock();
  if (!released) {
    run([&] {
      Actions actions;
      (void)control_.force(key, actions).ok();
      perform(actions);
    });
  }
  lock.lock();
  leaving_.erase(key);
  return released ? Removal::Released : Removal::Forced;
}

ServerStatus Server::status() {
  ServerStatus status;
  run([&] {
    status.version = control_.version();
    const auto views = control_.channels();
    for (const auto& [key, attached] : devices_) {
      const OfferInfo& offer = attached->device->offer();
      DeviceStatus device{
          attached->device->name(), offer.class_id, offer.instance_id, attached->leaving, {}};
      for (const auto& view : views) {
        if (view.primary != key ||
            (view.index != 0 && view.rescinded && view.state != ChannelState::Open))
          continue;
        ChannelStatus channel{};
        channel.index = view.index;
        channel.relid = view.relid;
        channel.vp = view.vp;
        if (const auto at = attached->open.find(view.key); at != attached->open.end()) {
          const ChannelCounters& counters = at->second->counters();
          channel.open = true;
          channel.failed = at->second->failed();
          channel.signals_in = counters.signals_in.read();
          channel.signals_out = counters.signals_out.read();
          channel.packets_in = counters.packets_in.read();
          channel.packets_out = counters.packets_out.read();
          channel.bytes_in = counters.bytes_in.read();
          channel.bytes_out = counters.bytes_out.read();
        }
        device.channels.push_back(channel);
      }
      status.devices.push_back(std::move(device));
    }
  });
  return status;
}

void Server::perform(Actions& actions) {
  // An action may lead to more: they come behind.
  for (size_t i = 0; i < actions.size(); i++) {
    Action action = std::move(actions[i]);
    perform_one(action, actions);
  }
  if (undeliverable_) {
    undeliverable_ = false;
    log_.line("the guest does not take its messages: connection dropped");
    Actions rest;
    control_.reset(rest);
    perform(rest);
  }
}

void Server::perform_one(Action& action, Actions& more) {
  if (const auto* post = std::get_if<PostMessage>(&action)) {
    if (!machine_.post_message(post->vp, post->sint, wire::kSynicMessageType,
                               post->message.bytes()))
      undeliverable_ = true;
  } else if (std::holds_alternative<DropMessages>(action)) {
    machine_.drop_messages();
  } else if (const auto* shared = std::get_if<ShareMonitorPage>(&action)) {
    const auto page = machine_.memory(shared->gpa, hv::wire::kPageSize);
    const bool usable = page && shared->gpa % hv::wire::kPageSize == 0;
    if (usable) monitors_.begin(*page);
    control_.monitor_page_shared(usable, more);
  } else if (std::holds_alternative<ReleaseMonitorPage>(action)) {
    monitors_.end();
  } else if (const auto* published = std::get_if<PublishMonitor>(&action)) {
    monitors_.publish(published->monitor, published->connection_id);
  } else if (const auto* withdrawn = std::get_if<WithdrawMonitor>(&action)) {
    monitors_.withdraw(withdrawn->monitor);
  } else if (const auto* rings = std::get_if<OpenRings>(&action)) {
    open(*rings, more);
  } else if (const auto* closing = std::get_if<CloseRings>(&action)) {
    close(closing->channel);
  } else if (const auto* taken = std::get_if<TakeGpadl>(&action)) {
    if (Attached* device = owner(taken->channel))
      device->device->gpadl_gone(*device->open[taken->channel], taken->gpadl_id);
  } else if (const auto* retarget = std::get_if<Retarget>(&action)) {
    if (Attached* device = owner(retarget->channel))
      device->open[retarget->channel]->retarget(retarget->vp);
  } else if (const auto* gone = std::get_if<Gone>(&action)) {
    let_go(gone->primary);
  } else if (const auto* complaint = std::get_if<Complain>(&action)) {
    log_.line(fmt::format("the guest sent {} ({:#x}); it is said once", name(complaint->complaint),
                          complaint->value));
  } else if (const auto* connected = std::get_if<Connected>(&action)) {
    if (verbose_) log_.line(fmt::format("guest connected, VMBus {}", text(connected->version)));
  } else if (std::holds_alternative<Disconnected>(action)) {
    late_.drop();
    if (verbose_) log_.line("guest disconnected");
  }
}

void Server::open(const OpenRings& rings, Actions& more) {
  bool ok = false;
  const auto at = devices_.find(rings.primary);
  if (at != devices_.end()) {
    Device& device = *at->second->device;
    if (faults_.refuse_open.strikes(device.name())) {
      log_.line(fmt::format("{}: channel {} is refused", device.name(), rings.index));
      return control_.opened(rings.channel, false, more);
    }
    auto channel = ServedChannel::create(machine_, rings, device.name(), faults_, log_);
    if (!channel) {
      log_.line(fmt::format("{}: channel {} cannot be opened: {}", device.name(), rings.index,
                            hv::name(channel.error())));
    } else {
      try {
        ok = device.opened(**channel);
      } catch (const std::exception& error) {
        log_.line(fmt::format("{}: channel {} cannot be opened: {}", device.name(), rings.index,
                              error.what()));
      }
      if (ok) {
        monitors_.watch(rings.monitor, (*channel)->signal_fd());
        at->second->open[rings.channel] = channel.take();
      }
    }
  }
  control_.opened(rings.channel, ok, more);
}

Server::Attached* Server::owner(ChannelKey channel) {
  for (auto& [key, attached] : devices_) {
    if (attached->open.contains(channel)) return attached.get();
  }
  return nullptr;
}

void Server::close(ChannelKey channel) {
  Attached* attached = owner(channel);
  if (attached == nullptr) return;
  const auto at = attached->open.find(channel);
  monitors_.forget(at->second->monitor());
  attached->device->closed(*at->second);
  attached->open.erase(at);
}

void Server::answer_gpadl(ChannelKey primary, uint16_t index, uint32_t gpadl_id) {
  const auto at = devices_.find(primary);
  if (at == devices_.end()) return;
  for (auto& [key, channel] : at->second->open) {
    if (channel->index() != index) continue;
    const Gpadl* gpadl = control_.gpadls().find(channel->relid(), gpadl_id);
    const bool whole_pages = gpadl != nullptr && gpadl->ranges.size() == 1 &&
                             gpadl->ranges.front().byte_offset == 0 &&
                             gpadl->ranges.front().byte_count % hv::wire::kPageSize == 0;
    at->second->device->gpadl_found(*channel, gpadl_id,
                                    whole_pages
                                        ? std::span<const uint64_t>(gpadl->ranges.front().frames)
                                        : std::span<const uint64_t>());
    return;
  }
}

void Server::let_go(ChannelKey primary) {
  const auto at = devices_.find(primary);
  if (at == devices_.end()) return;
  at->second->device->detached();
  devices_.erase(at);
  const std::lock_guard lock(mutex_);
  if (const auto waited = leaving_.find(primary); waited != leaving_.end()) waited->second = true;
  gone_changed_.notify_all();
}

void Server::close_all() {
  Actions actions;
  control_.reset(actions);
  perform(actions);
  for (auto& [key, attached] : devices_) attached->device->detached();
  devices_.clear();
}

}  // namespace hv::host::vmbus
