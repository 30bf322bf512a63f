// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "tests/support/ring_pages.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <stdexcept>

namespace hv::test {

RingPages::RingPages(size_t data_size, bool mirrored)
    : data_size_(data_size),
      mirrored_(mirrored),
      mapped_(wire::kPageSize + data_size * (mirrored ? 2 : 1)) {
  const int fd = memfd_create("ring", 0);
  if (fd < 0) throw std::runtime_error("memfd_create failed");
  const auto one = static_cast<off_t>(wire::kPageSize + data_size);
  void* base = mmap(nullptr, mapped_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  bool good = base != MAP_FAILED && ftruncate(fd, one) == 0 &&
              mmap(base, wire::kPageSize + data_size, PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_FIXED, fd, 0) != MAP_FAILED;
  if (good && mirrored) {
    void* second = static_cast<std::byte*>(base) + one;
    good = mmap(second, data_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
                wire::kPageSize) != MAP_FAILED;
  }
  close(fd);
  if (!good) {
    if (base != MAP_FAILED) munmap(base, mapped_);
    throw std::runtime_error("no memory for a ring");
  }
  base_ = static_cast<std::byte*>(base);
  memory().reset();
}

RingPages::~RingPages() { munmap(base_, mapped_); }

}  // namespace hv::test
