// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/backends/file_backend.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstring>
#include <utility>

namespace hv::host {
namespace {

struct Closer {
  int fd;
  ~Closer() {
    if (fd >= 0) ::close(fd);
  }
  int release() { return std::exchange(fd, -1); }
};

void lock(int fd, const std::string& path, bool read_only) {
  struct flock range {};
  range.l_type = read_only ? F_RDLCK : F_WRLCK;
  range.l_whence = SEEK_SET;
  if (::fcntl(fd, F_OFD_SETLK, &range) == 0) return;
  if (errno == EACCES || errno == EAGAIN) {
    throw BackendError(
        fmt::format("disk {}: in use by another machine (it holds a lock on the file); stop that "
                    "one, or open both with ,ro",
                    path));
  }
  // A file system without locks: better to go on than to refuse a disk that works.
}

int64_t write_zeros(int fd, uint64_t offset, uint64_t length) {
  static constexpr std::array<std::byte, 65536> zeros{};
  while (length > 0) {
    const ssize_t count = ::pwrite(fd, zeros.data(), std::min<uint64_t>(length, zeros.size()),
                                   static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return -errno;
    offset += static_cast<uint64_t>(count);
    length -= static_cast<uint64_t>(count);
  }
  return 0;
}

}  // namespace

std::shared_ptr<FileBackend> FileBackend::open(const std::string& path, Options options) {
  struct stat status {};
  // Before it is opened: opening a pipe would wait for its other end.
  if (::stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode) && !S_ISBLK(status.st_mode)) {
    throw BackendError(fmt::format("disk {}: neither a file nor a block device", path));
  }
  Closer fd{::open(path.c_str(), (options.read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC)};
  if (fd.fd < 0) {
    const int error = errno;
    if (error == ENOENT)
      throw BackendError(fmt::format(
          "disk {}: no such file; give the path of an existing raw image or block device", path));
    if ((error == EACCES || error == EROFS || error == EPERM) && !options.read_only) {
      throw BackendError(fmt::format("disk {}: not writable ({}); add ,ro to use it read-only",
                                     path, std::strerror(error)));
    }
    throw BackendError(fmt::format("disk {}: cannot be opened: {}", path, std::strerror(error)));
  }
  if (::fstat(fd.fd, &status) != 0)
    throw BackendError(fmt::format("disk {}: {}", path, std::strerror(errno)));
  if (!S_ISREG(status.st_mode) && !S_ISBLK(status.st_mode)) {
    throw BackendError(fmt::format("disk {}: neither a file nor a block device", path));
  }
  lock(fd.fd, path, options.read_only);
  std::shared_ptr<FileBackend> backend(new FileBackend(path, options, fd.release()));
  backend->block_device_ = S_ISBLK(status.st_mode);
  backend->hole_size_ =
      std::clamp<uint32_t>(static_cast<uint32_t>(status.st_blksize), options.block_size, 65536);
  backend->size_ = backend->measure();
  return backend;
}

FileBackend::~FileBackend() { ::close(fd_); }

uint64_t FileBackend::measure() const {
  uint64_t bytes = 0;
  if (block_device_) {
    if (::ioctl(fd_, BLKGETSIZE64, &bytes) != 0)
      throw BackendError(fmt::format("disk {}: {}", path_, std::strerror(errno)));
  } else {
    struct stat status {};
    if (::fstat(fd_, &status) != 0)
      throw BackendError(fmt::format("disk {}: {}", path_, std::strerror(errno)));
    bytes = static_cast<uint64_t>(status.st_size);
  }
  if (bytes == 0)
    throw BackendError(fmt::format("disk {}: is empty; make it with truncate -s SIZE", path_));
  if (bytes % options_.block_size != 0) {
    throw BackendError(fmt::format(
        "disk {}: its size, {} bytes, is no multiple of {}; make it so with truncate -s {}", path_,
        bytes, options_.block_size, (bytes / options_.block_size + 1) * options_.block_size));
  }
  return bytes;
}

int64_t FileBackend::perform(const BlockIo& io) {
  const auto offset = static_cast<off_t>(io.offset);
  const auto length = static_cast<off_t>(io.length);
  const auto count = static_cast<int>(std::min<size_t>(io.buffers.size(), IOV_MAX));
  int64_t result = 0;
  switch (io.kind) {
    case BlockIo::Kind::Read:
      result = ::preadv(fd_, io.buffers.data(), count, offset);
      break;
    case BlockIo::Kind::Write:
      result = ::pwritev2(fd_, io.buffers.data(), count, offset, io.durable ? RWF_DSYNC : 0);
      break;
    case BlockIo::Kind::Flush:
      result = ::fdatasync(fd_);
      break;
    case BlockIo::Kind::Punch:
      result = ::fallocate(fd_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length);
      if (result < 0 && (errno == EOPNOTSUPP || errno == ENOTTY))
        return write_zeros(fd_, io.offset, io.length);
      break;
    case BlockIo::Kind::Zero:
      result = ::fallocate(fd_, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, offset, length);
      if (result < 0 && (errno == EOPNOTSUPP || errno == ENOTTY))
        return write_zeros(fd_, io.offset, io.length);
      break;
  }
  return result < 0 ? -errno : result;
}

uint64_t FileBackend::seek(uint64_t offset, bool hole) const {
  const off_t found = ::lseek(fd_, static_cast<off_t>(offset), hole ? SEEK_HOLE : SEEK_DATA);
  if (found < 0) return errno == ENXIO || hole ? size() : offset;
  return std::min<uint64_t>(static_cast<uint64_t>(found), size());
}

std::optional<std::string> FileBackend::resize(uint64_t bytes) {
  if (options_.read_only) return fmt::format("disk {}: is read-only", path_);
  if (bytes == 0 || bytes % options_.block_size != 0) {
    return fmt::format("disk {}: {} bytes is no multiple of {}", path_, bytes, options_.block_size);
  }
  if (block_device_)
    return fmt::format("disk {}: a block device; resize it itself, then resize without a size",
                       path_);
  if (::ftruncate(fd_, static_cast<off_t>(bytes)) != 0)
    return fmt::format("disk {}: {}", path_, std::strerror(errno));
  size_ = bytes;
  return std::nullopt;
}

std::optional<std::string> FileBackend::refresh() {
  try {
    size_ = measure();
  } catch (const BackendError& error) {
    return error.what();
  }
  return std::nullopt;
}

}  // namespace hv::host
