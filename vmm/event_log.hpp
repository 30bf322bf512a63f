// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <chrono>
#include <fstream>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>

#include "vmm/failure.hpp"

namespace hv::vmm {

/// --json-events: one JSON object a line, with the milliseconds since the start in "ms". Any
/// thread.
class EventLog {
 public:
  explicit EventLog(const std::string& path) {
    if (path.empty()) return;
    file_.open(path, std::ios::trunc);
    if (!file_) fail_errno("--json-events " + path);
  }

  void write(const std::string& event, nlohmann::json fields = nlohmann::json::object()) {
    if (!file_.is_open()) return;
    fields["event"] = event;
    fields["ms"] = std::chrono::duration_cast<std::chrono::milliseconds>(
                       std::chrono::steady_clock::now() - start_)
                       .count();
    const std::lock_guard lock(mutex_);
    // A guest's words may be no UTF-8.
    file_ << fields.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << std::endl;
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::mutex mutex_;
  std::ofstream file_;
};

}  // namespace hv::vmm
