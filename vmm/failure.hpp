// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>

namespace hv::vmm {

/// Something the user must hear about, as one clear line that names the thing. Ends a run with
/// status 1.
class Failure : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A wrong command line, found after parsing (an impossible number, a file that is no disk). Ends
/// with status 2.
class UsageFailure : public Failure {
 public:
  using Failure::Failure;
};

/// Throws a Failure of "WHAT: the text of errno".
[[noreturn]] inline void fail_errno(const std::string& what) {
  throw Failure(what + ": " + std::strerror(errno));
}

}  // namespace hv::vmm
