// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/backends/user_net.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <poll.h>
#include <slirp/libslirp.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <list>
#include <mutex>
#include <optional>
#include <string_view>
#include <thread>
#include <utility>

#include "host/net/echo_watch.hpp"
#include "host/net/offload.hpp"

namespace hv::host {
namespace {

in_addr address(const char* text) {
  in_addr out{};
  ::inet_pton(AF_INET, text, &out);
  return out;
}

in_addr in_subnet(uint8_t subnet, uint8_t host) {
  return {.s_addr = htonl(uint32_t{10} << 24 | uint32_t{subnet} << 8 | host)};
}

in6_addr in_subnet6(uint8_t subnet, uint8_t host) {
  in6_addr out{};
  ::inet_pton(AF_INET6, "fec0::", &out);
  if (subnet != UserNet::kFirstSubnet) out.s6_addr[7] = subnet;
  out.s6_addr[15] = host;
  return out;
}

std::optional<uint16_t> parse_port(std::string_view text) {
  uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size() || port == 0) return std::nullopt;
  return port;
}

int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace

PortForward parse_forward(const std::string& text) {
  const auto bad = [&] {
    return NetError(fmt::format("{}: give a forward as tcp:127.0.0.1:2222-:22", text));
  };
  PortForward forward;
  std::string_view rest = text;
  if (rest.starts_with("udp:"))
    forward.udp = true;
  else if (!rest.starts_with("tcp:"))
    throw bad();
  rest.remove_prefix(4);
  const size_t dash = rest.find("-:");
  if (dash == std::string_view::npos) throw bad();
  const auto guest = parse_port(rest.substr(dash + 2));
  std::string_view here = rest.substr(0, dash);
  if (const size_t colon = here.rfind(':'); colon != std::string_view::npos) {
    if (colon > 0) forward.address = here.substr(0, colon);
    here.remove_prefix(colon + 1);
  }
  const auto port = parse_port(here);
  in_addr ignored{};
  if (!guest || !port || ::inet_pton(AF_INET, forward.address.c_str(), &ignored) != 1) throw bad();
  forward.port = *port;
  forward.guest_port = *guest;
  return forward;
}

/// libslirp and the thread that waits for its sockets. libslirp is used under one lock; it calls
/// back under it.
class UserNet::Stack {
 public:
  Stack(const std::vector<PortForward>& forwards, uint8_t subnet)
      : guest_(in_subnet(subnet, 15)), wake_fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    SlirpConfig config{};
    config.version = 1;
    config.in_enabled = true;
    config.vnetwork = in_subnet(subnet, 0);
    config.vnetmask = address("255.255.255.0");
    config.vhost = in_subnet(subnet, 2);
    config.vdhcp_start = guest_;
    config.vnameserver = in_subnet(subnet, 3);
    config.in6_enabled = true;
    config.vprefix_addr6 = in_subnet6(subnet, 0);
    config.vprefix_len = 64;
    config.vhost6 = in_subnet6(subnet, 2);
    config.vnameserver6 = in_subnet6(subnet, 3);
    config.vhostname = "enlighten";
    slirp_ = ::slirp_new(&config, &callbacks(), this);
    if (slirp_ == nullptr || wake_fd_ < 0) throw NetError("net user: libslirp does not start");
    try {
      for (const PortForward& forward : forwards) add(forward);
    } catch (...) {
      ::slirp_cleanup(slirp_);
      ::close(wake_fd_);
      throw;
    }
  }
  ~Stack() {
    stop();
    ::slirp_cleanup(slirp_);
    ::close(wake_fd_);
  }

  void start(Receive receive) {
    receive_ = std::move(receive);
    thread_ = std::thread([this] { serve(); });
  }
  void stop() {
    if (!thread_.joinable()) return;
    stopping_.store(true, std::memory_order_release);
    wake();
    thread_.join();
  }
  void send(std::span<std::byte> frame, const net::Offload& offload) {
    {
      const std::lock_guard lock(mutex_);
      net::finish(frame, offload, [this](std::span<const std::byte> finished) {
        echoes_.sent(finished);
        ::slirp_input(slirp_, reinterpret_cast<const uint8_t*>(finished.data()),
                      static_cast<int>(finished.size()));
      });
    }
    wake();
  }

 private:
  struct Timer {
    SlirpTimerCb call;
    void* opaque;
    int64_t at_ms = -1;  ///< -1: not set
  };

  static Stack& self(void* opaque) { return *static_cast<Stack*>(opaque); }
  static const SlirpCb& callbacks() {
    static const SlirpCb table = [] {
      SlirpCb cb{};
      cb.send_packet = [](const void* bytes, size_t size, void* opaque) -> ssize_t {
        const auto* from = static_cast<const std::byte*>(bytes);
        Stack& stack = self(opaque);
        // Where libslirp has no sockets for pings alone, it takes any ICMP message for the answer.
        if (stack.receive_ && stack.echoes_.plausible({from, size}))
          stack.receive_({.bytes = {from, from + size}, .checked = false});
        return static_cast<ssize_t>(size);
      };
      cb.guest_error = [](const char*, void*) {};
      cb.clock_get_ns = [](void*) { return now_ns(); };
      cb.timer_new = [](SlirpTimerCb call, void* call_opaque, void* opaque) -> void* {
        return &self(opaque).timers_.emplace_back(Timer{call, call_opaque});
      };
      cb.timer_free = [](void* timer, void* opaque) {
        self(opaque).timers_.remove_if([timer](const Timer& one) { return &one == timer; });
      };
      cb.timer_mod = [](void* timer, int64_t at_ms, void*) {
        static_cast<Timer*>(timer)->at_ms = at_ms;
      };
      cb.register_poll_fd = [](int, void*) {};
      cb.unregister_poll_fd = [](int, void*) {};
      cb.notify = [](void* opaque) { self(opaque).wake(); };
      return cb;
    }();
    return table;
  }

  void add(const PortForward& forward) {
    if (::slirp_add_hostfwd(slirp_, forward.udp, address(forward.address.c_str()), forward.port,
                            guest_, forward.guest_port) == 0)
      return;
    throw NetError(fmt::format("forward {}:{}:{}: the port cannot be had: {}",
                               forward.udp ? "udp" : "tcp", forward.address, forward.port,
                               std::strerror(errno)));
  }

  void wake() { ::eventfd_write(wake_fd_, 1); }

  void serve() {
    std::vector<pollfd> fds;
    while (!stopping_.load(std::memory_order_acquire)) {
      uint32_t timeout = 1000;
      {
        const std::lock_guard lock(mutex_);
        fds.assign(1, {wake_fd_, POLLIN, 0});
        ::slirp_pollfds_fill(slirp_, &timeout, add_poll, &fds);
        for (const Timer& timer : timers_) {
          if (timer.at_ms < 0) continue;
          timeout = std::min(timeout, static_cast<uint32_t>(std::clamp<int64_t>(
                                          timer.at_ms - now_ns() / 1'000'000, 0, 1000)));
        }
      }
      const int ready = ::poll(fds.data(), fds.size(), static_cast<int>(timeout));
      eventfd_t ignored;
      if (ready > 0 && fds[0].revents != 0) (void)::eventfd_read(wake_fd_, &ignored);
      const std::lock_guard lock(mutex_);
      ::slirp_pollfds_poll(
          slirp_, ready < 0, [](int index, void* opaque) { return events_of(opaque, index); },
          &fds);
      run_timers();
    }
  }

  /// A timer may set or free others when it is called: looked up anew each time.
  void run_timers() {
    const int64_t now_ms = now_ns() / 1'000'000;
    while (true) {
      const auto due = std::find_if(timers_.begin(), timers_.end(), [&](const Timer& one) {
        return one.at_ms >= 0 && one.at_ms <= now_ms;
      });
      if (due == timers_.end()) return;
      due->at_ms = -1;
      due->call(due->opaque);
    }
  }

  static int add_poll(int fd, int events, void* opaque) {
    auto& fds = *static_cast<std::vector<pollfd>*>(opaque);
    short wanted = 0;
    if (events & SLIRP_POLL_IN) wanted |= POLLIN;
    if (events & SLIRP_POLL_OUT) wanted |= POLLOUT;
    if (events & SLIRP_POLL_PRI) wanted |= POLLPRI;
    fds.push_back({fd, wanted, 0});
    return static_cast<int>(fds.size() - 1);
  }
  static int events_of(void* opaque, int index) {
    const short got =
        (*static_cast<std::vector<pollfd>*>(opaque))[static_cast<size_t>(index)].revents;
    int events = 0;
    if (got & POLLIN) events |= SLIRP_POLL_IN;
    if (got & POLLOUT) events |= SLIRP_POLL_OUT;
    if (got & POLLPRI) events |= SLIRP_POLL_PRI;
    if (got & POLLERR) events |= SLIRP_POLL_ERR;
    if (got & POLLHUP) events |= SLIRP_POLL_HUP;
    return events;
  }

  const in_addr guest_;
  int wake_fd_;
  Slirp* slirp_ = nullptr;
  std::mutex mutex_;  ///< of slirp_, echoes_ and timers_
  net::EchoWatch echoes_;
  std::list<Timer> timers_;
  Receive receive_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

UserNet::UserNet(const std::vector<PortForward>& forwards, uint8_t subnet)
    : subnet_(subnet), stack_(std::make_unique<Stack>(forwards, subnet)) {}
UserNet::~UserNet() = default;
void UserNet::start(Receive receive) { stack_->start(std::move(receive)); }
std::string UserNet::describe() const { return fmt::format("user 10.0.{}.0/24", subnet_); }
void UserNet::stop() { stack_->stop(); }
bool UserNet::send(std::span<std::byte> frame, const net::Offload& offload, uint16_t) {
  stack_->send(frame, offload);
  return true;
}

}  // namespace hv::host
