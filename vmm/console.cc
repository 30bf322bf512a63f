// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "vmm/console.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>

#include "vmm/failure.hpp"

namespace hv::vmm {

void write_all(int fd, std::span<const std::byte> bytes, const EndBox& end) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written > 0) {
      bytes = bytes.subspan(static_cast<size_t>(written));
    } else if (written < 0 && errno == EINTR) {
      if (end.ended()) return;
    } else if (written < 0 && errno == EAGAIN) {
      pollfd writable{.fd = fd, .events = POLLOUT, .revents = 0};
      constexpr int kMilliseconds = 100;
      (void)::poll(&writable, 1, kMilliseconds);
      if (end.ended()) return;
    } else {
      return;
    }
  }
}

Console::Console(const std::string& where, EndBox& end) : end_(end) {
  constexpr std::string_view kFile = "file:";
  if (where == "none") return;
  if (where.substr(0, kFile.size()) == kFile) {
    const std::string path = where.substr(kFile.size());
    if (path.empty()) throw UsageFailure("--console file: without a path");
    file_ = Fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (!file_) fail_errno("--console " + path);
    output_ = file_.get();
    return;
  }
  if (where != "stdio")
    throw UsageFailure("--console " + where + ": give stdio, none or file:PATH");
  output_ = STDOUT_FILENO;
  input_ = STDIN_FILENO;
  termios settings;
  if (::tcgetattr(STDIN_FILENO, &settings) == 0) {
    saved_ = settings;
    ::cfmakeraw(&settings);
    (void)::tcsetattr(STDIN_FILENO, TCSANOW, &settings);
  }
}

Console::~Console() {
  if (saved_) (void)::tcsetattr(STDIN_FILENO, TCSANOW, &*saved_);
}

void Console::transmit(std::span<const std::byte> bytes) {
  if (output_ >= 0) write_all(output_, bytes, end_);
}

std::span<const std::byte> Console::read_input() {
  constexpr std::byte kEscape{1};  // Ctrl-A
  const ssize_t count = ::read(input_, buffer_, sizeof buffer_);
  if (count <= 0) {
    if (count == 0 || (errno != EINTR && errno != EAGAIN)) input_ = -1;
    return {};
  }
  const auto all = std::span(buffer_, static_cast<size_t>(count));
  if (!saved_) return all;  // no terminal: bytes are bytes
  size_t kept = 0;
  for (const std::byte byte : all) {
    if (!escape_ && byte == kEscape) {
      escape_ = true;
      continue;
    }
    if (escape_ && (byte == std::byte{'x'} || byte == std::byte{'X'}))
      end_.report({EndReason::Stopped, "Ctrl-A x", 0});
    escape_ = false;
    buffer_[kept++] = byte;
  }
  return std::span(buffer_).first(kept);
}

}  // namespace hv::vmm
