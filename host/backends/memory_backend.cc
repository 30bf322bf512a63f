// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/backends/memory_backend.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace hv::host {

uint64_t MemoryBackend::size() const {
  const std::lock_guard lock(mutex_);
  return bytes_.size();
}

int64_t MemoryBackend::perform(const BlockIo& io) {
  if (const int error = fail_next_.exchange(0)) return -error;
  const std::lock_guard lock(mutex_);
  if (io.kind == BlockIo::Kind::Flush) {
    flushes_++;
    return 0;
  }
  if (io.offset > bytes_.size()) return 0;
  const uint64_t room = bytes_.size() - io.offset;
  if (io.kind == BlockIo::Kind::Punch || io.kind == BlockIo::Kind::Zero) {
    std::memset(bytes_.data() + io.offset, 0, std::min(io.length, room));
    return 0;
  }
  if (io.kind == BlockIo::Kind::Write && io.durable) durable_writes_++;
  uint64_t done = 0;
  for (const iovec& part : io.buffers) {
    const uint64_t count = std::min<uint64_t>(part.iov_len, room - done);
    std::byte* place = bytes_.data() + io.offset + done;
    if (io.kind == BlockIo::Kind::Read) {
      std::memcpy(part.iov_base, place, count);
    } else {
      std::memcpy(place, part.iov_base, count);
    }
    done += count;
  }
  return static_cast<int64_t>(done);
}

std::optional<std::string> MemoryBackend::resize(uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  bytes_.resize(bytes);
  return std::nullopt;
}

}  // namespace hv::host
