// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "vmm/memory.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "vmm/failure.hpp"

namespace hv::vmm {

namespace {

constexpr size_t kHugePage = 2 * kMiB;

class FrameMapping final : public host::Mapping {
 public:
  FrameMapping(std::byte* start, size_t size) : bytes_(start, size) {}
  ~FrameMapping() override { ::munmap(bytes_.data(), bytes_.size()); }
  std::span<std::byte> bytes() override { return bytes_; }

 private:
  std::span<std::byte> bytes_;
};

}  // namespace

GuestMemory::GuestMemory(uint64_t size) : size_(size), mapping_size_(size + kHugePage) {
  const std::string what = "cannot map " + std::to_string(size / kMiB) + " MiB of guest memory";
  // A file behind it lets map_frames() show the same pages a second time, in another order.
  file_ = Fd(::memfd_create("guest", MFD_CLOEXEC));
  if (!file_ || ::ftruncate(file_.get(), static_cast<off_t>(size)) != 0) fail_errno(what);
  mapping_ =
      ::mmap(nullptr, mapping_size_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping_ == MAP_FAILED) {
    mapping_ = nullptr;
    fail_errno(what);
  }
  const auto address = reinterpret_cast<uintptr_t>(mapping_);
  auto* const base = reinterpret_cast<std::byte*>((address + kHugePage - 1) & ~(kHugePage - 1));
  if (::mmap(base, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE | MAP_FIXED,
             file_.get(), 0) == MAP_FAILED) {
    const int error = errno;
    ::munmap(mapping_, mapping_size_);
    errno = error;
    fail_errno(what);
  }
  // Host and guest agree on large page borders, so that a second-level page walk is one level
  // shorter. Only advice.
  (void)::madvise(base, size, MADV_HUGEPAGE);
  (void)::madvise(base, size, MADV_DONTDUMP);

  const uint64_t low = std::min(size, kHoleStart);
  regions_.push_back({0, low, base});
  if (size > low) regions_.push_back({kHoleEnd, size - low, base + low});
}

GuestMemory::~GuestMemory() {
  if (mapping_ != nullptr) ::munmap(mapping_, mapping_size_);
}

std::span<std::byte> GuestMemory::at(uint64_t gpa, uint64_t length) const {
  for (const Region& region : regions_) {
    if (gpa < region.start) continue;
    const uint64_t offset = gpa - region.start;
    if (offset >= region.size || length > region.size - offset) continue;
    return {region.host + offset, static_cast<size_t>(length)};
  }
  return {};
}

bool GuestMemory::holds_tables(uint64_t cr0, uint64_t cr3) const {
  constexpr uint64_t kPaging = 1u << 31, kAddress = 0x000f'ffff'ffff'f000;
  return (cr0 & kPaging) == 0 || !at(cr3 & kAddress, kPage).empty();
}

bool GuestMemory::read(uint64_t gpa, std::span<std::byte> to) const {
  const auto from = at(gpa, to.size());
  if (from.size() != to.size()) return false;
  if (!to.empty()) std::memcpy(to.data(), from.data(), to.size());
  return true;
}

bool GuestMemory::write(uint64_t gpa, std::span<const std::byte> from) const {
  const auto to = at(gpa, from.size());
  if (to.size() != from.size()) return false;
  if (!from.empty()) std::memcpy(to.data(), from.data(), from.size());
  return true;
}

int64_t GuestMemory::offset_of_frame(uint64_t frame) const {
  int64_t offset = 0;
  for (const Region& region : regions_) {
    const uint64_t first = region.start / kPage;
    const uint64_t count = region.size / kPage;
    if (frame >= first && frame - first < count)
      return offset + static_cast<int64_t>((frame - first) * kPage);
    offset += static_cast<int64_t>(region.size);
  }
  return -1;
}

std::unique_ptr<host::Mapping> GuestMemory::map_frames(std::span<const uint64_t> frames) const {
  if (frames.empty() || frames.size() > size_ / kPage * 2) return nullptr;
  void* const reserved = ::mmap(nullptr, frames.size() * kPage, PROT_NONE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (reserved == MAP_FAILED) return nullptr;
  auto mapping =
      std::make_unique<FrameMapping>(static_cast<std::byte*>(reserved), frames.size() * kPage);

  // One mmap for each run of neighbouring frames.
  for (size_t first = 0; first < frames.size();) {
    const int64_t offset = offset_of_frame(frames[first]);
    if (offset < 0) return nullptr;
    size_t count = 1;
    while (first + count < frames.size() &&
           offset_of_frame(frames[first + count]) == offset + static_cast<int64_t>(count * kPage)) {
      ++count;
    }
    if (::mmap(mapping->bytes().data() + first * kPage, count * kPage, PROT_READ | PROT_WRITE,
               MAP_SHARED | MAP_FIXED, file_.get(), offset) == MAP_FAILED) {
      return nullptr;
    }
    first += count;
  }
  return mapping;
}

}  // namespace hv::vmm
