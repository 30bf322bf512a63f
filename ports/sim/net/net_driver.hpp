// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/netvsc/discovery.hpp"
#include "core/netvsc/queue.hpp"
#include "core/netvsc/virtual_function.hpp"
#include "ports/sim/channel_driver.hpp"
#include "ports/sim/driver.hpp"
#include "ports/sim/net/ledger.hpp"
#include "ports/sim/net/stack.hpp"
#include "ports/sim/net/task.hpp"

namespace hv::sim::net {

struct NetAdapter;
class NetDriver;

/// What the host has of a frame in pages.
struct Sent {
  std::optional<Skb> skb;
  bool mapped = false;  ///< in a confidential VM: the two addresses are bounce pages
  uint64_t header_at = 0, data_at = 0;
};

/// One channel and its queue. ports/linux/hv_netvsc: struct netvsc_queue.
struct NetQueue {
  NetQueue(NetAdapter& of, hv::vmbus::Channel& by, unsigned number)
      : adapter(of), channel(by), index(number) {}
  NetAdapter& adapter;
  hv::vmbus::Channel& channel;
  const unsigned index;
  Napi napi;
  bool listed = true;   ///< known to the stack
  bool opened = false;  ///< the channel is to be closed
  bool callback = false;
  bool ready = false;      ///< packets may be read
  bool masked = false;     ///< the poll's
  unsigned polls = 0;      ///< that run: one, and others at their very end
  bool waiting = false;    ///< the timer of completions that wait runs
  bool cancelled = false;  ///< and is to end
  Mutex lock;              ///< serialises sending
  std::unique_ptr<Buffer> ring;
  Waiter waiter;
  std::vector<std::byte> memory;
  std::unique_ptr<netvsc::Queue> core;
  std::vector<Sent> sent;  ///< by page index
  uint32_t headers = 0;    ///< the first page of their rooms
};

/// An adapter that is open. ports/linux/hv_netvsc: struct netvsc_adapter.
struct NetAdapter {
  std::array<std::unique_ptr<NetQueue>, Netdev::kMostQueues> queues;
  std::vector<std::unique_ptr<NetQueue>>
      freed_queues;  ///< never reused: who is called after his end is found out
  unsigned most_queues = 1, wanted = 1, granted = 1, active = 1, open = 0;
  bool broken = false;
  bool freed = false;
  std::unique_ptr<Buffer> receive, send;
  Waiter waiter;
  netvsc::Dialect dialect;
  netvsc::Sections receive_sections, send_sections;
  netvsc::Facts facts;
  bool setup_done = false;
  std::vector<std::byte> setup_answer;
  Mutex request_lock;
  netvsc::Conversation conversation;
  bool request_done = false;
  uint32_t page = 0;
  std::optional<uint64_t> page_mapped;
  uint32_t filter = 0;
};

/// A sub-channel: opened, polled and closed by the adapter of its primary; here it is only let go
/// of.
class NetSubChannel final : public ChannelDriver {
 public:
  NetSubChannel(Kernel& kernel, NetDriver& primary, hv::vmbus::Channel& channel);
  void stop(bool release) override { releasing_ = releasing_ || release; }
  void start_again() override {}
  std::unique_ptr<ChannelDriver> driver_of(hv::vmbus::Channel& sub_channel) override;
  bool stopping() const override { return releasing_; }
  bool finished() const override { return finished_; }
  bool idle() const override { return !finished_ && !in_use(); }
  bool in_use() const override { return handling || queue != nullptr; }
  bool settled() const override { return !handling; }
  int state_number() const override { return finished_ ? 2 : in_use(); }
  bool runnable() const override;
  void step() override;
  void callback() override;
  bool waits_for_host() const override { return false; }
  const char* stuck() const override { return nullptr; }

  bool handling = false;      ///< the bus tells the driver of it at this moment
  NetQueue* queue = nullptr;  ///< whose channel it is

 private:
  Kernel& kernel_;
  NetDriver& primary_;
  bool releasing_ = false, finished_ = false;
};

/// The driver of a network adapter: core/netvsc's machines on the stack of stack.hpp. It follows
/// ports/linux/hv_netvsc function by function; each function that may sleep, and each lock, is a
/// `co_await`, at which every other context may come between.
class NetDriver final : public ChannelDriver {
 public:
  NetDriver(Kernel& kernel, hv::vmbus::Channel& channel);
  ~NetDriver() override;

  void stop(bool release) override;
  void start_again() override { stopping_ = false; }
  std::unique_ptr<ChannelDriver> driver_of(hv::vmbus::Channel& sub_channel) override;
  bool stopping() const override { return stopping_; }
  bool finished() const override { return life_ == Life::Finished; }
  bool idle() const override { return life_ == Life::Suspended; }
  bool in_use() const override {
    return life_ != Life::Suspended && life_ != Life::Removed && life_ != Life::Finished;
  }
  bool settled() const override;
  int state_number() const override { return static_cast<int>(life_); }
  bool runnable() const override { return tasks_.runnable(); }
  void step() override;
  void callback() override;
  bool waits_for_host() const override { return tasks_.waits_for(Tasks::For::Host); }
  bool sleeps() const override { return tasks_.waits_for(Tasks::For::Clock); }
  const char* stuck() const override;
  void describe(Log& log) const override;
  std::optional<Time> deadline() const override;

  void sub_channel_offered(NetSubChannel& sub_channel);

 private:
  enum class Life { Probing, Running, Suspended, Removed, Finished };
  struct Config {
    unsigned queues = 2;
    uint32_t mtu = 1500;
  };
  struct Work {
    const char* name;
    bool scheduled = false, running = false;
    Time delay = 0;
  };

  // net_driver.cc: life, and what the user wants
  Task<> life();
  Task<> probe();
  Task<> remove();
  Task<> suspend();
  Task<> resume();
  Task<> admin();
  Task<> admin_once();
  Task<int> dev_open();
  Task<> dev_stop();
  Task<int> apply_filter();
  void show_link();
  Task<> worker(Work& work, Task<> (NetDriver::*run)());
  void schedule(Work& work, Time delay = 0);
  Task<> cancel(Work& work);
  Task<> queues_work();
  Task<> link_work();
  Task<> broken_work();

  // net_adapter.cc: the adapter as a whole, memory shared with the host
  Task<int> open_adapter();
  Task<> close_adapter();
  Task<> destroy_adapter(NetAdapter& adapter);
  Task<int> reopen(Config config);
  Task<int> reopen_once(Config config);
  Task<> more_channels(NetAdapter& adapter);
  Task<> use_queues();
  unsigned open_queues(const NetAdapter& adapter) const;
  std::unique_ptr<Buffer> allocate(uint32_t pages);
  void give_back(std::unique_ptr<Buffer>& buffer);
  Task<bool> share(std::unique_ptr<Buffer>& buffer, Waiter& waiter, hv::vmbus::Channel& channel);
  Task<> take_back(Buffer* buffer, Waiter& waiter);
  Task<> unshare(std::unique_ptr<Buffer>& buffer, Waiter& waiter);
  std::span<const std::byte> receive_memory(NetAdapter& adapter);
  std::optional<uint64_t> map(uint64_t address, uint32_t length);
  void unmap(uint64_t address, uint32_t length);

  // net_channel.cc: channels
  Task<NetQueue*> open_channel(NetAdapter& adapter, hv::vmbus::Channel& channel, unsigned index,
                               NetSubChannel* sub);
  bool create_core(NetQueue& queue);
  Task<> ready_channel(NetQueue& queue);
  Task<> close_channels(NetAdapter& adapter);
  Task<> vmbus_close(NetQueue& queue);
  Task<> sub_channel_came(NetSubChannel& sub_channel);
  void start_polling(NetQueue& queue);
  Task<> napi_disable(NetQueue& queue);
  Task<> softirq();
  Task<uint32_t> poll(NetQueue& queue, uint32_t budget);
  Task<bool> settle(NetQueue& queue, bool may_wait);
  Task<> wait_timer(NetQueue& queue);
  void take(NetQueue& queue, const netvsc::Event& event);
  void take_frame(const netvsc::Event& event);
  void break_off(NetQueue& queue);
  bool gave_up(Error error) const;
  Task<> publish(NetQueue& queue);
  Task<> signal_host(NetQueue& queue, hv::vmbus::Signal signal);
  size_t in_flight(const NetAdapter& adapter) const;
  Task<bool> drain(NetAdapter& adapter);
  bool incoming_empty(const NetAdapter& adapter);

  // net_dialogue.cc: asked and answered; false: it failed
  bool hopeless(const NetAdapter& adapter) const { return channel_.rescinded() || adapter.broken; }
  Task<bool> answer_comes(NetAdapter& adapter, const bool& done);
  Task<bool> setup_answered(NetAdapter& adapter);
  Task<bool> converse(NetAdapter& adapter);
  Task<bool> converse_nvsp(NetAdapter& adapter, netvsc::Opening& opening);
  Task<bool> give_buffer(NetAdapter& adapter, netvsc::Opening& opening);
  Task<int> ask_sub_channels(NetAdapter& adapter, unsigned count);
  Task<bool> begin_request(NetAdapter& adapter);
  Task<bool> send_page(NetAdapter& adapter, std::optional<size_t> bytes);
  Task<bool> request(NetAdapter& adapter, std::optional<size_t> bytes);
  Task<bool> set_filter(NetAdapter& adapter, uint32_t filter);
  Task<bool> set_rss(NetAdapter& adapter, bool off);
  Task<> halt(NetAdapter& adapter);
  Task<> revoke(NetAdapter& adapter);
  std::span<std::byte> page_of(NetAdapter& adapter);
  void take_control(NetAdapter& adapter, std::span<const std::byte> message);

  // net_function.cc
  Task<> machine();
  Task<> machine_once();
  Task<> function_goes_down();
  Task<> function_registers();
  Task<> function_unregisters();
  Task<> function_moves(unsigned space);
  bool function_is_ours() const;
  Task<> function_registered();
  void function_join();
  Task<> function_down();
  Task<> function_look_up();
  Task<> function_leave();
  Task<> function_settle();
  Task<bool> switch_path(NetAdapter& adapter);
  Task<> function_setup_work();
  Task<> function_work();
  void function_told(bool allocated, uint32_t serial);
  const char* function_amiss() const;

  // net_xmit.cc
  Task<> sender();
  bool may_queue(unsigned index) const;
  Task<bool> start_xmit(unsigned index, Skb& skb, bool more);
  Task<bool> xmit(NetAdapter& adapter, NetQueue& queue, Skb& skb, bool more);
  Result<void> send(NetQueue& queue, Skb& skb, bool& kept);
  Result<void> send_pages(NetQueue& queue, Skb& skb);
  Result<void> send_copy(NetQueue& queue, const Skb& skb);
  void stop_queue(NetQueue& queue);
  void wake(NetQueue& queue);
  bool may_send(NetQueue& queue, uint32_t percent);
  void frame_sent(NetQueue& queue, const netvsc::Event& event);
  void forget_frames(NetQueue& queue);
  uint32_t header_pages() const {
    return static_cast<uint32_t>((plan_.pages * netvsc::kHeaderRoom + wire::kPageSize - 1) /
                                 wire::kPageSize);
  }
  std::optional<Skb> new_skb();
  void free_skb(const Skb& skb);
  void drop(const Skb& skb);
  void unmap_sent(Sent& sent);
  std::byte* at(uint64_t address);

  bool honest() const;
  /// Nothing may fail, and nothing has been taken away.
  bool must_succeed() const;
  Ledger& ledger();

  Kernel& kernel_;
  Tasks tasks_;
  Life life_ = Life::Probing;
  bool stopping_ = false, releasing_ = false, leaving_ = false;
  Netdev dev_;
  Mutex rtnl_, channels_lock_;
  std::array<Mutex, Netdev::kMostQueues> tx_locks_;
  std::array<std::optional<Skb>, Netdev::kMostQueues> requeued_;
  std::vector<std::unique_ptr<NetAdapter>> adapters_;  ///< never reused
  NetAdapter* adapter_ = nullptr;                      ///< that frames go by
  NetAdapter* accepting_ = nullptr;                    ///< takes sub-channels; under channels_lock_
  std::vector<NetQueue*> napis_;
  const netvsc::SlotPlan plan_;
  const uint32_t stop_percent_;  ///< a queue stops when less than this is free of its ring
  Config config_;
  std::array<uint32_t, wire::netvsc::kSendTableEntries> send_table_{};
  bool link_up_ = false;
  unsigned senders_ = 0;  ///< that may have read adapter_
  Work queues_work_{.name = "queues"}, link_work_{.name = "link"}, broken_work_{.name = "broken"};
  Work function_work_{.name = "function"}, function_setup_work_{.name = "function set-up"};
  netvsc::VirtualFunction function_;
  Function vf_;
  bool function_fresh_ = false;
  const uint32_t poll_attention_;  ///< how soon what is due is polled, per mille of turns
  unsigned frames_left_, ops_left_, function_ops_left_;
  std::vector<NetSubChannel*> sub_channels_;
};

}  // namespace hv::sim::net
