// SPDX-License-Identifier: GPL-2.0-only OR MIT
// In the nested machine: joins a virtio port with a Unix socket. Each time somebody outside opens
// the port, one connection to the socket is made, and ended with it. `bridge PORT SOCKET`.
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace {

constexpr int kIdleMs = 100;  ///< a closed port cannot be waited for, only asked again

bool write_all(int fd, const char* data, ssize_t size) {
  while (size > 0) {
    const ssize_t written = write(fd, data, static_cast<size_t>(size));
    if (written < 0 && errno != EINTR && errno != EAGAIN) return false;
    if (written > 0) {
      data += written;
      size -= written;
    }
  }
  return true;
}

/// Copies once; false when `from` has ended or `to` takes no more.
bool copy(int from, int to) {
  std::array<char, 16384> bytes;
  const ssize_t count = read(from, bytes.data(), bytes.size());
  if (count < 0) return errno == EINTR || errno == EAGAIN;
  return count > 0 && write_all(to, bytes.data(), count);
}

int connect_to(const char* path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (strlen(path) >= sizeof(address.sun_path)) return -1;
  strcpy(address.sun_path, path);
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd >= 0 && connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0)
    return fd;
  if (fd >= 0) close(fd);
  return -1;
}

bool hung_up(int port) {
  pollfd polled{port, POLLIN, 0};
  poll(&polled, 1, 0);
  return (polled.revents & POLLHUP) != 0 && (polled.revents & POLLIN) == 0;
}

void serve(int port, int peer) {
  while (true) {
    std::array<pollfd, 2> polled{{{port, POLLIN, 0}, {peer, POLLIN, 0}}};
    if (poll(polled.data(), polled.size(), -1) < 0 && errno != EINTR) return;
    if ((polled[1].revents & (POLLIN | POLLHUP)) != 0 && !copy(peer, port)) return;
    if ((polled[0].revents & POLLIN) != 0 && !copy(port, peer)) return;
    if ((polled[0].revents & POLLHUP) != 0 && (polled[0].revents & POLLIN) == 0) return;
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: bridge PORT SOCKET\n");
    return 2;
  }
  const int port = open(argv[1], O_RDWR | O_CLOEXEC | O_NONBLOCK);
  if (port < 0) {
    perror(argv[1]);
    return 1;
  }
  while (true) {
    while (hung_up(port)) usleep(kIdleMs * 1000);
    pollfd polled{port, POLLIN, 0};
    poll(&polled, 1, -1);  // nothing is connected before something is asked
    if ((polled.revents & POLLIN) == 0) continue;
    int peer = connect_to(argv[2]);
    for (int tries = 0; peer < 0 && tries < 50 && !hung_up(port); ++tries) {
      usleep(kIdleMs * 1000);
      peer = connect_to(argv[2]);
    }
    if (peer < 0) {
      std::array<char, 4096> dropped;
      while (read(port, dropped.data(), dropped.size()) > 0) {
      }
      usleep(kIdleMs * 1000);
      continue;
    }
    serve(port, peer);
    close(peer);
  }
}
