// SPDX-License-Identifier: GPL-2.0-only OR MIT
// Takes a Unix socket across the border of the nested machine: `bridge outside SOCKET LINK` serves
// SOCKET on this machine, `bridge inside PORT SOCKET` makes the connections to the one in there.
// Between them is one virtio port, whose outer end is the Unix socket LINK of QEMU: that takes one
// client at a time, and drops it when it has no more to say.
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string_view>

#include "lab/l1/mux.hpp"

namespace {

constexpr int kIdleUs = 100'000;  ///< a closed port cannot be waited for, only asked again

std::optional<sockaddr_un> address_of(const char* path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (strlen(path) >= sizeof(address.sun_path)) return std::nullopt;
  strcpy(address.sun_path, path);
  return address;
}

int connect_to(const char* path) {
  const auto address = address_of(path);
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (address && fd >= 0 &&
      connect(fd, reinterpret_cast<const sockaddr*>(&*address), sizeof(*address)) == 0)
    return fd;
  if (fd >= 0) close(fd);
  return -1;
}

int complain(const char* what) {
  fprintf(stderr, "bridge: %s: %s\n", what, strerror(errno));
  return 1;
}

bool hung_up(int port) {
  pollfd polled{port, POLLIN, 0};
  poll(&polled, 1, 0);
  return (polled.revents & POLLHUP) != 0 && (polled.revents & POLLIN) == 0;
}

int inside(const char* port_path, const char* socket_path) {
  const int port = open(port_path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
  if (port < 0) return complain(port_path);
  while (true) {
    while (hung_up(port)) usleep(kIdleUs);
    hv::lab::Mux mux(port, -1, [socket_path] { return connect_to(socket_path); });
    if (!mux.run()) fprintf(stderr, "bridge: %s: nonsense came\n", port_path);
    usleep(kIdleUs);
  }
}

int outside(const char* socket_path, const char* link_path) {
  const auto address = address_of(socket_path);
  const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  umask(077);
  if (!address || listener < 0 ||
      bind(listener, reinterpret_cast<const sockaddr*>(&*address), sizeof(*address)) != 0 ||
      listen(listener, 64) != 0)
    return complain(socket_path);
  int link = connect_to(link_path);
  for (; link < 0; link = connect_to(link_path)) usleep(kIdleUs);
  hv::lab::Mux mux(link, listener, [] { return -1; });
  if (mux.run()) return 0;
  fprintf(stderr, "bridge: the nested machine does not speak as a bridge does\n");
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  signal(SIGPIPE, SIG_IGN);
  if (argc == 4 && std::string_view(argv[1]) == "inside") return inside(argv[2], argv[3]);
  if (argc == 4 && std::string_view(argv[1]) == "outside") return outside(argv[2], argv[3]);
  fprintf(stderr, "usage: bridge outside SOCKET LINK, or: bridge inside PORT SOCKET\n");
  return 2;
}
