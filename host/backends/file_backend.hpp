// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <atomic>
#include <memory>
#include <stdexcept>

#include "host/backends/block_backend.hpp"

namespace hv::host {

/// A disk that cannot be opened or used; the text names it and says what to do.
class BackendError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A raw file or a block device. It holds a lock on it, so that no second host writes the same
/// bytes: exclusive when it may write, shared when it is read-only.
class FileBackend final : public BlockBackend {
 public:
  struct Options {
    bool read_only = false;
    uint32_t block_size = 512;  ///< the size must be a multiple of it
  };
  /// Throws BackendError: missing, unreadable, not a file or block device, empty, locked by another
  /// process, or of a size that is no multiple of the block size.
  static std::shared_ptr<FileBackend> open(const std::string& path, Options options);
  ~FileBackend() override;
  FileBackend(const FileBackend&) = delete;
  FileBackend& operator=(const FileBackend&) = delete;

  uint64_t size() const override { return size_.load(std::memory_order_relaxed); }
  bool read_only() const override { return options_.read_only; }
  uint32_t hole_size() const override { return hole_size_; }
  int descriptor() const override { return fd_; }
  int64_t perform(const BlockIo& io) override;
  uint64_t seek(uint64_t offset, bool hole) const override;
  std::optional<std::string> resize(uint64_t bytes) override;
  std::optional<std::string> refresh() override;
  std::string describe() const override { return path_; }

 private:
  FileBackend(std::string path, Options options, int fd)
      : path_(std::move(path)), options_(options), fd_(fd) {}
  uint64_t measure() const;  ///< throws BackendError

  const std::string path_;
  const Options options_;
  const int fd_;
  bool block_device_ = false;
  uint32_t hole_size_ = 0;
  std::atomic<uint64_t> size_{0};
};

}  // namespace hv::host
