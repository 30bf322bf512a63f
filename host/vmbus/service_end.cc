// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/vmbus/service_end.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "core/vmbus/shared.hpp"

namespace hv::host::vmbus {
namespace {

using hv::vmbus::Signal;

constexpr size_t kPacketBuffer = 64 * 1024;

}  // namespace

ServiceEnd::ServiceEnd(OpenChannel& channel)
    : channel_(channel),
      wake_fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      packet_(kPacketBuffer) {
  if (wake_fd_ < 0) throw std::runtime_error("no eventfd for a channel");
}

ServiceEnd::~ServiceEnd() { ::close(wake_fd_); }

std::optional<hv::vmbus::Packet> ServiceEnd::take() {
  if (broken()) return std::nullopt;
  const auto packet = channel_.incoming().read(packet_);
  if (!packet) {
    if (packet.error() != Error::RingEmpty)
      break_off(fmt::format("incoming ring: {}", hv::name(packet.error())));
    return std::nullopt;
  }
  taken_ = true;
  channel_.counters().packets_in.add();
  channel_.counters().bytes_in.add(packet->extra.size() + packet->payload.size());
  return *packet;
}

void ServiceEnd::give_back() {
  if (std::exchange(taken_, false) && channel_.incoming().commit() == Signal::Yes)
    signal_due_ = true;
}

bool ServiceEnd::send(wire::PacketType type, uint64_t transaction_id,
                      std::span<const std::byte> payload) {
  if (broken()) return false;
  const auto put = channel_.outgoing().stage(type, 0, transaction_id, {}, payload);
  if (put) {
    channel_.counters().packets_out.add();
    channel_.counters().bytes_out.add(payload.size());
    staged_ = true;
    return true;
  }
  if (put.error() != Error::RingFull)
    break_off(fmt::format("outgoing ring: {}", hv::name(put.error())));
  return false;
}

void ServiceEnd::end_round() {
  if (std::exchange(staged_, false) && !broken()) {
    if (channel_.outgoing().commit() == Signal::Yes) signal_due_ = true;
    if (channel_.breaks()) spoil_ring();
  }
  if (std::exchange(signal_due_, false)) channel_.signal_guest();
}

bool ServiceEnd::may_sleep(size_t room, bool takes) {
  if (broken()) return true;
  if (room != 0 || wished_) {
    const auto there = channel_.outgoing().wait_for_space(static_cast<uint32_t>(room));
    if (!there) {
      break_off(fmt::format("outgoing ring: {}", hv::name(there.error())));
      return true;
    }
    wished_ = room != 0 && !*there;
    if (room != 0 && *there) return false;
  }
  // What is not taken need not be signalled.
  if (!takes) return true;
  const auto more = channel_.incoming().unmask();
  if (!more) break_off(fmt::format("incoming ring: {}", hv::name(more.error())));
  if (!more || !*more) return true;
  mask();
  return false;
}

void ServiceEnd::wait(std::optional<std::chrono::steady_clock::time_point> until) {
  using std::chrono::milliseconds;
  pollfd fds[] = {{channel_.signal_fd(), POLLIN, 0}, {wake_fd_, POLLIN, 0}};
  int limit = -1;
  if (until) {
    const auto left =
        std::chrono::ceil<milliseconds>(*until - std::chrono::steady_clock::now()).count();
    limit = static_cast<int>(std::clamp<int64_t>(left, 0, 1 << 30));
  }
  (void)::poll(fds, 2, limit);
  if (fds[0].revents != 0) (void)channel_.take_signals();
  eventfd_t ignored;
  if (fds[1].revents != 0) (void)::eventfd_read(wake_fd_, &ignored);
  mask();
}

void ServiceEnd::spoil_ring() {
  auto& control = channel_.outgoing().memory().control();
  hv::vmbus::shared::store_ordered(control.write_index, ~0u);
  break_off("the fault break-ring");
  signal_due_ = true;
}

void ServiceEnd::break_off(const std::string& why) {
  if (broken_.exchange(true)) return;
  channel_.fail(why);
}

void ServiceEnd::wake() { ::eventfd_write(wake_fd_, 1); }

void ServiceEnd::stop() {
  stopping_.store(true, std::memory_order_release);
  wake();
}

}  // namespace hv::host::vmbus
