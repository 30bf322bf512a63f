// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>
#include <optional>
#include <string>

namespace hv::host::control {

/// The address of a Unix socket; nullopt when the path is empty or too long for one.
inline std::optional<sockaddr_un> socket_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path) ||
      path.find('\0') != std::string::npos)
    return std::nullopt;
  std::memcpy(address.sun_path, path.c_str(), path.size());
  return address;
}

}  // namespace hv::host::control
