// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <atomic>
#include <cstddef>
#include <mutex>
#include <vector>

#include "host/backends/block_backend.hpp"

namespace hv::host {

/// Moves nothing and fails never: what is left of the time is the protocol's. For benchmarks.
class NullBackend final : public BlockBackend {
 public:
  explicit NullBackend(uint64_t bytes) : size_(bytes) {}
  uint64_t size() const override { return size_; }
  bool read_only() const override { return false; }
  uint32_t hole_size() const override { return 4096; }
  int64_t perform(const BlockIo& io) override {
    return io.kind == BlockIo::Kind::Read || io.kind == BlockIo::Kind::Write
               ? static_cast<int64_t>(io.length)
               : 0;
  }
  std::optional<std::string> resize(uint64_t bytes) override {
    size_ = bytes;
    return std::nullopt;
  }
  std::string describe() const override { return "null:" + std::to_string(size()); }

 private:
  std::atomic<uint64_t> size_;
};

/// A disk of plain memory, for tests and fuzzing; `fail_next` makes the next I/O fail.
class MemoryBackend final : public BlockBackend {
 public:
  explicit MemoryBackend(size_t bytes, bool read_only = false)
      : bytes_(bytes), read_only_(read_only) {}
  uint64_t size() const override;
  bool read_only() const override { return read_only_; }
  uint32_t hole_size() const override { return 4096; }
  int64_t perform(const BlockIo& io) override;
  std::optional<std::string> resize(uint64_t bytes) override;
  std::string describe() const override { return "memory:" + std::to_string(size()); }

  void fail_next(int error) { fail_next_ = error; }
  std::span<std::byte> bytes() { return bytes_; }
  unsigned flushes() const { return flushes_; }
  unsigned durable_writes() const { return durable_writes_; }

 private:
  mutable std::mutex mutex_;
  std::vector<std::byte> bytes_;
  bool read_only_;
  std::atomic<int> fail_next_{0};
  std::atomic<unsigned> flushes_{0};
  std::atomic<unsigned> durable_writes_{0};
};

}  // namespace hv::host
