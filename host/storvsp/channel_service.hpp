// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "host/backends/io_queue.hpp"
#include "host/scsi/task.hpp"
#include "host/storvsp/lun_table.hpp"
#include "host/storvsp/packet.hpp"
#include "host/storvsp/session.hpp"
#include "host/vmbus/device.hpp"
#include "host/vmbus/service_end.hpp"

namespace hv::host::storvsp {

/// What all channels of one controller share.
struct ControllerShared {
  explicit ControllerShared(SessionLimits limits) : session(limits) {}

  Session session;
  LunTable luns;
  bool allow_uring = true;
  bool ignore_path =
      false;  ///< an IDE disk is found by its target alone: guests do not set the path
  std::atomic<vmbus::DeviceHandle*> handle{nullptr};
};

/// Serves one open channel: takes requests out of the ring, runs them, and answers what has
/// finished in one go. Concurrency: one thread, but for `stop` and `luns_changed`, which any may
/// call.
class ChannelService {
 public:
  /// Requests in flight on one channel; more wait in the ring.
  static constexpr size_t kMaxTasks = 512;

  ChannelService(vmbus::OpenChannel& channel, ControllerShared& shared);
  ChannelService(const ChannelService&) = delete;
  ChannelService& operator=(const ChannelService&) = delete;

  /// Serves until `stop`, then lets all I/O come to its end. Afterwards no memory of the guest is
  /// in use.
  void run(bool allow_uring);
  void run() { run(shared_.allow_uring); }

  /// One round of it, without waiting: takes what is in the ring, answers what has finished. True:
  /// there is nothing to do but to wait.
  bool step(IoQueue& queue);

  void stop() { end_.stop(); }
  /// Logical units came or went: lets go of those that went, and (`announce`, on the primary) tells
  /// the guest to look.
  void luns_changed(bool announce);

 private:
  struct Request : scsi::Task {
    uint64_t transaction_id = 0;
    size_t size = 0;
    wire::storvsc::ScsiRequest header{};
    std::shared_ptr<scsi::LogicalUnit> unit;
    uint32_t index = 0;
  };

  void handle(IoQueue& queue, std::span<const IoQueue::Event> events);
  void take_requests(IoQueue& queue);
  bool take_packet(IoQueue& queue, const hv::vmbus::Packet& packet);
  void start(IoQueue& queue, const Incoming& packet, std::span<const std::byte> extra);
  void advance(IoQueue& queue, Request& request, scsi::Progress progress);
  void send_finished();
  void drop_finished();
  bool takes_more() const;
  bool may_sleep();

  scsi::Progress report_luns(Request& request);
  scsi::Progress absent_unit(Request& request);
  void refresh_luns();
  std::shared_ptr<scsi::LogicalUnit> find(const wire::storvsc::ScsiRequest& header);

  Request& allocate();
  void release(Request& request);

  vmbus::ServiceEnd end_;
  ControllerShared& shared_;
  std::atomic<bool> announce_{false};

  size_t in_flight_ = 0;  ///< requests without an outcome yet
  uint64_t luns_generation_ = 0;
  std::shared_ptr<const LunMap> luns_;
  std::deque<Request> requests_;  ///< never shrinks; addresses stay
  std::vector<uint32_t> free_;
  std::vector<uint32_t> finished_;                     ///< answered as soon as the ring has room
  std::deque<std::pair<uint64_t, Outgoing>> replies_;  ///< of the negotiation, in order
};

}  // namespace hv::host::storvsp
