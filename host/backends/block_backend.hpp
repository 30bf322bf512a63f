// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace hv::host {

/// One transfer or change of a disk's bytes, as the io_uring or the backend itself performs it.
struct BlockIo {
  enum class Kind : uint8_t {
    Read,
    Write,
    Flush,  ///< everything written before is on stable storage
    Punch,  ///< [offset, offset + length) reads as zeros and takes no space
    Zero,   ///< [offset, offset + length) reads as zeros and keeps its space where the file system
            ///< can do that
  };
  Kind kind = Kind::Read;
  bool durable = false;        ///< Write: on stable storage before it completes
  uint64_t offset = 0;         ///< bytes
  uint64_t length = 0;         ///< bytes; Read and Write: the sum of `buffers`
  std::span<iovec> buffers{};  ///< Read and Write; alive and unchanged until the completion
};

/// Where a disk keeps its bytes. Shared by the threads of all channels; every method may be called
/// from any of them.
class BlockBackend {
 public:
  virtual ~BlockBackend() = default;

  /// Bytes, a multiple of 512. Changes with `resize` and `refresh` only.
  virtual uint64_t size() const = 0;
  virtual bool read_only() const = 0;
  /// The unit in which Punch frees space, in bytes; 0: it frees none.
  virtual uint32_t hole_size() const { return 0; }

  /// A file descriptor to run I/O on through io_uring, or -1: then `perform` does all of it.
  virtual int descriptor() const { return -1; }
  /// Performs `io` before it returns. Bytes moved (Read, Write) or 0; negative: an errno.
  virtual int64_t perform(const BlockIo& io) = 0;

  /// The first byte at or behind `offset` that is a hole (`hole`) or data (not `hole`); size() when
  /// there is none.
  virtual uint64_t seek(uint64_t offset, bool hole) const { return hole ? size() : offset; }

  /// Grows or shrinks to `bytes`. An error message, or nullopt.
  virtual std::optional<std::string> resize(uint64_t bytes) = 0;
  /// Notices a size that was changed from outside. An error message, or nullopt.
  virtual std::optional<std::string> refresh() { return std::nullopt; }

  /// What stands behind it, for people: a path, or "null:1073741824".
  virtual std::string describe() const = 0;
};

}  // namespace hv::host
