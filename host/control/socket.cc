// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/control/socket.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <vector>

#include "host/control/address.hpp"

namespace hv::host::control {
namespace {

[[noreturn]] void refuse(const std::string& path, const std::string& why) {
  throw std::runtime_error("control socket " + path + ": " + why);
}

/// Whether anyone accepts connections there.
bool served(const sockaddr_un& address) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return false;
  const int result = ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  const bool busy = result == 0 || errno == EAGAIN;
  ::close(fd);
  return busy;
}

}  // namespace

ControlSocket::ControlSocket(std::string path, Methods& methods)
    : path_(std::move(path)), methods_(methods) {
  try {
    listen();
    stop_ = ::eventfd(0, EFD_CLOEXEC);
    if (stop_ < 0) refuse(path_, std::strerror(errno));
    thread_ = std::thread([this] { serve(); });
  } catch (...) {
    if (inode_ != 0) ::unlink(path_.c_str());
    if (listener_ >= 0) ::close(listener_);
    if (stop_ >= 0) ::close(stop_);
    throw;
  }
}

ControlSocket::~ControlSocket() {
  const uint64_t one = 1;
  (void)!::write(stop_, &one, sizeof(one));
  thread_.join();
  for (const auto& [fd, client] : clients_) ::close(fd);
  ::close(listener_);
  ::close(stop_);
  // Only ours: someone may have put another there meanwhile.
  struct stat info {};
  if (::lstat(path_.c_str(), &info) == 0 && info.st_ino == inode_ && info.st_dev == device_)
    ::unlink(path_.c_str());
}

void ControlSocket::listen() {
  const auto address = socket_address(path_);
  if (!address) refuse(path_, "the path is empty or longer than 107 bytes: give a shorter one");
  struct stat info {};
  if (::lstat(path_.c_str(), &info) == 0) {
    if (!S_ISSOCK(info.st_mode)) refuse(path_, "this is a file and no socket: give another path");
    if (served(*address))
      refuse(path_, "another host is serving it: end that one or give another path");
    ::unlink(path_.c_str());
  }
  listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (listener_ < 0) refuse(path_, std::strerror(errno));
  ::fchmod(listener_, 0600);
  if (::bind(listener_, reinterpret_cast<const sockaddr*>(&*address), sizeof(*address)) != 0)
    refuse(path_, std::strerror(errno));
  if (::lstat(path_.c_str(), &info) == 0) {
    device_ = info.st_dev;
    inode_ = info.st_ino;
  }
  if (::listen(listener_, 16) != 0) refuse(path_, std::strerror(errno));
}

void ControlSocket::serve() {
  for (;;) {
    std::vector<pollfd> fds{
        {.fd = stop_, .events = POLLIN, .revents = 0},
        {.fd = clients_.size() < kClientLimit ? listener_ : -1, .events = POLLIN, .revents = 0}};
    for (const auto& [fd, client] : clients_) {
      const auto wanted =
          static_cast<short>((client.ending ? 0 : POLLIN) | (client.out.empty() ? 0 : POLLOUT));
      fds.push_back({.fd = fd, .events = wanted, .revents = 0});
    }
    if (::poll(fds.data(), fds.size(), -1) < 0 && errno != EINTR) return;
    if (fds[0].revents != 0) return;
    for (size_t i = 2; i < fds.size(); i++) {
      const int fd = fds[i].fd;
      Client& client = clients_.at(fd);
      bool alive = (fds[i].revents & POLLERR) == 0;
      if (alive && !client.ending && (fds[i].revents & (POLLIN | POLLHUP)) != 0)
        alive = read_from(fd, client);
      if (alive && !client.out.empty()) alive = write_to(fd, client);
      if (!alive || (client.ending && client.out.empty())) end(fd);
    }
    if (fds[1].revents != 0) accept_client();
  }
}

void ControlSocket::accept_client() {
  const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd >= 0) clients_[fd];
}

bool ControlSocket::read_from(int fd, Client& client) {
  char buffer[65536];
  const ssize_t got = ::recv(fd, buffer, sizeof(buffer), 0);
  if (got < 0) return errno == EAGAIN || errno == EINTR;
  if (got == 0) {
    client.ending = true;
    if (client.in.find_first_not_of(" \t\r\n") != std::string::npos) client.in += '\n';
  }
  client.in.append(buffer, static_cast<size_t>(got));
  answer_lines(client);
  if (client.in.size() > kRequestLimit && !client.ending) {
    client.out += error_answer(kInvalidRequest, "a request of more than 1 MiB") + "\n";
    client.in.clear();
    client.ending = true;
  }
  return client.out.size() <= kAnswerLimit;
}

void ControlSocket::answer_lines(Client& client) {
  size_t start = 0;
  for (size_t end; (end = client.in.find('\n', start)) != std::string::npos; start = end + 1) {
    const std::string_view line(client.in.data() + start, end - start);
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const std::string answer = line.size() > kRequestLimit
                                   ? error_answer(kInvalidRequest, "a request of more than 1 MiB")
                                   : methods_.answer(line);
    if (!answer.empty()) client.out += answer + "\n";
  }
  client.in.erase(0, start);
}

bool ControlSocket::write_to(int fd, Client& client) {
  const ssize_t sent = ::send(fd, client.out.data(), client.out.size(), MSG_NOSIGNAL);
  if (sent < 0) return errno == EAGAIN || errno == EINTR;
  client.out.erase(0, static_cast<size_t>(sent));
  return true;
}

void ControlSocket::end(int fd) {
  ::close(fd);
  clients_.erase(fd);
}

}  // namespace hv::host::control
