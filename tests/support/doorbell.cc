// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "tests/support/doorbell.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <stdexcept>

namespace hv::test {

Doorbell::Doorbell() : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (fd_ < 0) throw std::runtime_error("no eventfd");
}

Doorbell::~Doorbell() { close(fd_); }

void Doorbell::ring() { (void)eventfd_write(fd_, 1); }

uint64_t Doorbell::take() {
  eventfd_t count = 0;
  return eventfd_read(fd_, &count) == 0 ? count : 0;
}

bool Doorbell::wait(std::chrono::seconds limit) {
  pollfd wanted{fd_, POLLIN, 0};
  const int milliseconds = static_cast<int>(std::chrono::milliseconds(limit).count());
  while (take() == 0) {
    if (poll(&wanted, 1, milliseconds) == 0) return false;
  }
  return true;
}

}  // namespace hv::test
