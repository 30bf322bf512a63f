// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/backends/tap_net.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "host/net/offload.hpp"

namespace hv::host {
namespace {

/// virtio-net's header, as the kernel puts it in front of each frame. (Its own C header is none of
/// C++.)
struct VnetHeader {
  uint8_t flags;
  uint8_t gso_type;
  uint16_t header_size;
  uint16_t segment_size;
  uint16_t checksum_start;
  uint16_t checksum_offset;
};
static_assert(sizeof(VnetHeader) == 10);
constexpr uint8_t kNeedsChecksum = 1, kDataValid = 2;  // flags
constexpr uint8_t kGsoTcp4 = 1, kGsoTcp6 = 4;

struct Attached {
  int fd;
  int error;
};

constexpr uint16_t kMostQueues = 64;

/// One queue of the interface; the error number instead when it cannot be had.
Attached attach(const std::string& interface, bool several) {
  const int fd = ::open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0)
    throw NetError(fmt::format("tap={}: /dev/net/tun: {}", interface, std::strerror(errno)));
  ifreq request{};
  interface.copy(request.ifr_name, IFNAMSIZ - 1);
  request.ifr_flags =
      static_cast<short>(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | (several ? IFF_MULTI_QUEUE : 0));
  // Only checksums are left to us: frames come in no more than the interface's MTU long, until the
  // guest takes joined ones.
  if (::ioctl(fd, TUNSETIFF, &request) == 0 && ::ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM) == 0)
    return {fd, 0};
  const int error = errno;
  ::close(fd);
  return {-1, error};
}

std::vector<int> open_tap(const std::string& interface, uint16_t queues) {
  if (interface.empty() || interface.size() >= IFNAMSIZ)
    throw NetError(fmt::format("tap={}: no interface has such a name", interface));
  std::vector<int> fds;
  Attached one = attach(interface, queues > 1);
  // It was made for one queue.
  if (one.fd < 0 && one.error == EINVAL && queues > 1) one = attach(interface, false), queues = 1;
  if (one.fd < 0) {
    const char* hint = "";
    if (one.error == EPERM) hint = " (make it: ip tuntap add mode tap user YOU)";
    if (one.error == EBUSY) hint = " (another program uses it)";
    throw NetError(
        fmt::format("tap={}: cannot be used: {}{}", interface, std::strerror(one.error), hint));
  }
  while (one.fd >= 0) {
    fds.push_back(one.fd);
    if (fds.size() >= std::min(queues, kMostQueues)) break;
    one = attach(interface, true);
  }
  return fds;
}

/// What the interface says of a frame, without its bytes, into which a checksum that is still to be
/// made is put. Nothing: it cannot be as it says.
std::optional<net::Frame> understand(const VnetHeader& header, std::span<std::byte> bytes) {
  net::Frame frame{.bytes = {}, .checked = (header.flags & kDataValid) != 0};
  if (header.gso_type == kGsoTcp4 || header.gso_type == kGsoTcp6) {
    const auto joined = net::prepare_segments(bytes, header.segment_size);
    if (!joined) return std::nullopt;
    frame.checked = true;
    if (joined->kind == net::Offload::Kind::Segment) {
      frame.joined = *joined;
    } else {
      (void)net::fill_checksum(bytes, joined->checksum_start, joined->checksum_offset);
    }
  } else if (header.flags & kNeedsChecksum) {
    frame.checked = net::fill_checksum(bytes, header.checksum_start, header.checksum_offset).ok();
  }
  return frame;
}

VnetHeader header_of(const net::Offload& offload) {
  VnetHeader header{};
  if (offload.kind == net::Offload::Kind::None) return header;
  header.flags = kNeedsChecksum;
  header.checksum_start = offload.checksum_start;
  header.checksum_offset = offload.checksum_offset;
  if (offload.kind == net::Offload::Kind::Checksum) return header;
  header.gso_type = offload.ipv6 ? kGsoTcp6 : kGsoTcp4;
  header.header_size = offload.header_size;
  header.segment_size = offload.segment_size;
  return header;
}

}  // namespace

TapNet::TapNet(const std::string& interface, uint16_t queues)
    : interface_(interface),
      fds_(open_tap(interface, queues)),
      stop_fd_(::eventfd(0, EFD_CLOEXEC)) {}

TapNet::~TapNet() {
  stop();
  for (const int fd : fds_) ::close(fd);
  ::close(stop_fd_);
}

void TapNet::start(Receive receive) {
  receive_ = std::move(receive);
  for (const int fd : fds_) readers_.emplace_back([this, fd] { read_frames(fd); });
}

void TapNet::stop() {
  if (readers_.empty()) return;
  stopping_.store(true, std::memory_order_release);
  ::eventfd_write(stop_fd_, 1);  // nobody reads it: all see it
  for (std::thread& reader : readers_) reader.join();
  readers_.clear();
}

void TapNet::join(bool joined) {
  for (const int fd : fds_)
    (void)::ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | (joined ? TUN_F_TSO4 | TUN_F_TSO6 : 0));
}

void TapNet::read_frames(int fd) {
  std::vector<std::byte> buffer(net::kMaxFrame);
  while (!stopping_.load(std::memory_order_acquire)) {
    VnetHeader header{};
    const iovec parts[] = {{&header, sizeof(header)}, {buffer.data(), buffer.size()}};
    const ssize_t size = ::readv(fd, parts, 2);
    if (size < 0) {
      pollfd fds[] = {{fd, POLLIN, 0}, {stop_fd_, POLLIN, 0}};
      if (errno != EAGAIN && errno != EINTR)
        fds[0].fd = -1;  // the interface is gone or down for good
      if (::poll(fds, 2, errno == EAGAIN || errno == EINTR ? -1 : 1000) > 0 && fds[1].revents != 0)
        return;
      continue;
    }
    if (static_cast<size_t>(size) < sizeof(header) + net::kMinFrame) continue;
    const auto bytes = std::span(buffer).first(static_cast<size_t>(size) - sizeof(header));
    auto frame = understand(header, bytes);
    if (!frame) continue;
    frame->bytes.assign(bytes.begin(), bytes.end());
    receive_(std::move(*frame));
  }
}

bool TapNet::send(std::span<std::byte> frame, const net::Offload& offload, uint16_t queue) {
  VnetHeader header = header_of(offload);
  const iovec parts[] = {{&header, sizeof(header)}, {frame.data(), frame.size()}};
  return ::writev(fds_[queue % fds_.size()], parts, 2) ==
         static_cast<ssize_t>(sizeof(header) + frame.size());
}

}  // namespace hv::host
