// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <functional>
#include <mutex>
#include <string>

namespace hv::host::vmbus {

/// Lines about the guest for people. The guest can cause them, so there are only so many: a hundred
/// at once, then one each second. Any thread.
class Log {
 public:
  using Sink = std::function<void(const std::string&)>;
  explicit Log(Sink sink) : sink_(std::move(sink)) {}
  void line(const std::string& text);

 private:
  std::mutex mutex_;
  Sink sink_;
  double credit_ = 100;
  int64_t last_ns_ = 0;
  uint64_t dropped_ = 0;
};

}  // namespace hv::host::vmbus
