// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "lab/l1/mux.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace hv::lab {
namespace {

constexpr size_t kMostForLink = 1u << 20;   ///< then no more is read from peers
constexpr size_t kMostForPeer = 32u << 20;  ///< that a peer does not take; then it is dropped
constexpr int kConnectAgainMs = 100;

bool again() { return errno == EAGAIN || errno == EINTR; }

void make_nonblocking(int fd) { ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK); }

}  // namespace

std::optional<LinkFrame> first_frame(std::string_view bytes, FrameError& error) {
  FrameHeader header{};
  error = FrameError::Incomplete;
  if (bytes.size() < sizeof(header)) return std::nullopt;
  std::memcpy(&header, bytes.data(), sizeof(header));
  const bool data = header.kind == FrameHeader::Kind::Data;
  const bool known =
      header.kind >= FrameHeader::Kind::Open && header.kind <= FrameHeader::Kind::Gone;
  if (!known || header.length > (data ? kMostData : 0)) {
    error = FrameError::Nonsense;
    return std::nullopt;
  }
  if (bytes.size() - sizeof(header) < header.length) return std::nullopt;
  return LinkFrame{header, bytes.substr(sizeof(header), header.length),
                   sizeof(header) + header.length};
}

Mux::Mux(int link, int listener, Connect connect)
    : link_(link), listener_(listener), connect_(std::move(connect)) {
  make_nonblocking(link_);
}

Mux::~Mux() {
  for (const auto& [connection, peer] : peers_) {
    if (peer.fd >= 0) ::close(peer.fd);
  }
}

bool Mux::run() {
  while (true) {
    connect_waiting();
    std::vector<pollfd> fds{{link_, static_cast<short>(POLLIN | (out_.empty() ? 0 : POLLOUT)), 0},
                            {listener_, POLLIN, 0}};
    std::vector<uint32_t> connections;
    bool waiting = false;
    for (const auto& [connection, peer] : peers_) {
      waiting |= peer.fd < 0;
      const bool reads = !peer.read_ended && out_.size() < kMostForLink;
      const auto wanted =
          static_cast<short>((reads ? POLLIN : 0) | (peer.out.empty() ? 0 : POLLOUT));
      // Without anything wanted, the end of a peer would be said again and again.
      fds.push_back({wanted != 0 ? peer.fd : -1, wanted, 0});
      connections.push_back(connection);
    }
    if (::poll(fds.data(), fds.size(), waiting ? kConnectAgainMs : -1) < 0) {
      if (errno != EINTR) return true;
      continue;
    }
    if ((fds[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0) {
      if (!take_link()) return true;
      if (!take_frames()) return false;
    }
    if (fds[1].revents != 0) accept_peer();
    for (size_t i = 0; i < connections.size(); i++) {
      const auto found = peers_.find(connections[i]);
      if (found == peers_.end() || fds[i + 2].revents == 0) continue;
      Peer& peer = found->second;
      bool alive = true;
      if (!peer.read_ended && (fds[i + 2].revents & (POLLIN | POLLHUP | POLLERR)) != 0)
        alive = read_peer(connections[i], peer);
      if (alive && !peer.out.empty()) alive = write_peer(peer);
      if (!alive) {
        tell(connections[i], FrameHeader::Kind::Gone);
        drop(connections[i]);
      } else if (peer.read_ended && peer.shut) {
        drop(connections[i]);
      }
    }
    if (!write_link()) return true;
  }
}

void Mux::tell(uint32_t connection, FrameHeader::Kind kind, std::string_view data) {
  const FrameHeader header{connection, kind, static_cast<uint32_t>(data.size())};
  out_.append(reinterpret_cast<const char*>(&header), sizeof(header));
  out_ += data;
}

/// False: the link has ended.
bool Mux::take_link() {
  std::array<char, kMostData> bytes;
  const ssize_t got = ::read(link_, bytes.data(), bytes.size());
  if (got < 0) return again();
  in_.append(bytes.data(), static_cast<size_t>(got));
  return got > 0;
}

/// False: nonsense came.
bool Mux::take_frames() {
  size_t at = 0;
  FrameError error{};
  while (const auto frame = first_frame(std::string_view(in_).substr(at), error)) {
    take_frame(*frame);
    at += frame->size;
  }
  in_.erase(0, at);
  return error == FrameError::Incomplete;
}

void Mux::take_frame(const LinkFrame& frame) {
  const uint32_t connection = frame.header.connection;
  if (frame.header.kind == FrameHeader::Kind::Open) {
    if (listener_ < 0) peers_.try_emplace(connection);
    return;
  }
  const auto found = peers_.find(connection);
  if (found == peers_.end()) return;  // it went meanwhile
  Peer& peer = found->second;
  switch (frame.header.kind) {
    case FrameHeader::Kind::Open:
      break;
    case FrameHeader::Kind::Data:
      if (!peer.write_ended) peer.out += frame.data;
      break;
    case FrameHeader::Kind::End:
      peer.write_ended = true;
      break;
    case FrameHeader::Kind::Gone:
      return drop(connection);
  }
  if (peer.out.size() > kMostForPeer || !write_peer(peer)) {
    tell(connection, FrameHeader::Kind::Gone);
    drop(connection);
  } else if (peer.read_ended && peer.shut) {
    drop(connection);
  }
}

bool Mux::write_link() {
  if (out_.empty()) return true;
  const ssize_t written = ::write(link_, out_.data(), out_.size());
  if (written < 0) return again();
  out_.erase(0, static_cast<size_t>(written));
  return true;
}

void Mux::accept_peer() {
  const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0) return;
  peers_[next_].fd = fd;
  tell(next_++, FrameHeader::Kind::Open);
}

/// What came for them meanwhile waits.
void Mux::connect_waiting() {
  for (auto& [connection, peer] : peers_) {
    if (peer.fd >= 0) continue;
    peer.fd = connect_();
    if (peer.fd < 0) return;
    make_nonblocking(peer.fd);
    (void)write_peer(peer);
  }
}

bool Mux::read_peer(uint32_t connection, Peer& peer) {
  std::array<char, kMostData> bytes;
  const ssize_t got = ::recv(peer.fd, bytes.data(), bytes.size(), 0);
  if (got < 0) return again();
  if (got > 0) {
    tell(connection, FrameHeader::Kind::Data, {bytes.data(), static_cast<size_t>(got)});
  } else {
    peer.read_ended = true;
    tell(connection, FrameHeader::Kind::End);
  }
  return true;
}

bool Mux::write_peer(Peer& peer) {
  if (peer.fd < 0) return true;
  if (!peer.out.empty()) {
    const ssize_t sent = ::send(peer.fd, peer.out.data(), peer.out.size(), MSG_NOSIGNAL);
    if (sent < 0) return again();
    peer.out.erase(0, static_cast<size_t>(sent));
  }
  if (peer.out.empty() && peer.write_ended && !std::exchange(peer.shut, true))
    ::shutdown(peer.fd, SHUT_WR);
  return true;
}

void Mux::drop(uint32_t connection) {
  const auto found = peers_.find(connection);
  if (found->second.fd >= 0) ::close(found->second.fd);
  peers_.erase(found);
}

}  // namespace hv::lab
