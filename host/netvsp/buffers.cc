// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/netvsp/buffers.hpp"

#include <algorithm>

#include "core/vmbus/shared.hpp"

namespace hv::host::netvsp {
namespace {

/// Calls `each(page, offset in it, bytes)` for the pages that [offset, offset + count) touches.
template <typename Each>
void for_pages(uint64_t offset, size_t count, Each&& each) {
  while (count > 0) {
    const size_t in_page = offset % wire::kPageSize;
    const size_t step = std::min(count, wire::kPageSize - in_page);
    each(static_cast<size_t>(offset / wire::kPageSize), in_page, step);
    offset += step;
    count -= step;
  }
}

}  // namespace

std::optional<SharedPages> SharedPages::resolve(Machine& machine,
                                                std::span<const uint64_t> frames) {
  if (frames.empty()) return std::nullopt;
  SharedPages pages;
  pages.pages_.reserve(frames.size());
  for (const uint64_t frame : frames) {
    if (frame > ~uint64_t{0} / wire::kPageSize) return std::nullopt;
    const auto memory = machine.memory(frame * wire::kPageSize, wire::kPageSize);
    if (!memory) return std::nullopt;
    pages.pages_.push_back(memory->data());
  }
  return pages;
}

bool SharedPages::write(uint64_t offset, std::span<const std::byte> from) const {
  if (!within(offset, from.size())) return false;
  for_pages(offset, from.size(), [&](size_t page, size_t at, size_t count) {
    hv::vmbus::shared::copy_in(pages_[page] + at, from.data(), count);
    from = from.subspan(count);
  });
  return true;
}

bool SharedPages::read(uint64_t offset, std::span<std::byte> to) const {
  if (!within(offset, to.size())) return false;
  for_pages(offset, to.size(), [&](size_t page, size_t at, size_t count) {
    hv::vmbus::shared::copy_out(to.data(), pages_[page] + at, count);
    to = to.subspan(count);
  });
  return true;
}

bool Buffers::read_section(uint32_t section, std::span<std::byte> to) const {
  const std::shared_lock lock(mutex_);
  constexpr uint64_t kSize = hv::wire::netvsc::kSendSectionSize;
  if (!send_ || to.size() > kSize || section >= send_->size() / kSize) return false;
  return send_->read(section * kSize, to);
}

}  // namespace hv::host::netvsp
