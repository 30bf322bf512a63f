// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <chrono>
#include <cstdint>

namespace hv::test {

/// A signal from one thread to another, as an eventfd is one to a host and an interrupt to a guest:
/// rung any number of times, taken once.
class Doorbell {
 public:
  Doorbell();
  ~Doorbell();
  Doorbell(const Doorbell&) = delete;
  Doorbell& operator=(const Doorbell&) = delete;

  int fd() const { return fd_; }
  void ring();
  /// How often it has rung since it was last taken; does not wait.
  uint64_t take();
  /// Sleeps until it rings, and takes it. False: it did not within `limit`, which means that a
  /// wake-up was lost.
  bool wait(std::chrono::seconds limit = std::chrono::minutes(5));

 private:
  int fd_;
};

}  // namespace hv::test
