// SPDX-License-Identifier: GPL-2.0-only OR MIT
// What the disk says of itself: INQUIRY, mode pages, capacity, provisioning.
#include <algorithm>
#include <array>
#include <bit>

#include "host/scsi/bigendian.hpp"
#include "host/scsi/disk.hpp"
#include "host/scsi/identity.hpp"

namespace hv::host::scsi {
namespace {

constexpr uint8_t kDirectAccess = 0x00;
constexpr uint8_t kPageCaching = 0x08, kPageControl = 0x0a, kPageAll = 0x3f;
constexpr uint8_t kWriteCacheEnable = 0x04;
constexpr uint32_t kPhysicalBlock = 4096;

using Page = std::vector<uint8_t>;

Page block_limits(uint32_t block_size, uint32_t hole_size) {
  Page page(64);
  page[0] = kDirectAccess;
  page[1] = 0xb0;
  store_be<2>(page, 2, 0x3c);
  page[4] = 0x01;  // WSNZ: a WRITE SAME of zero blocks is refused
  store_be<4>(page, 20, hole_size ? 0xffffffff : 0);
  store_be<4>(page, 24, hole_size ? Disk::kMaxUnmapDescriptors : 0);
  store_be<4>(page, 28, std::max<uint32_t>(1, hole_size / block_size));
  store_be<4>(page, 32, 0x80000000);  // UGAVALID, alignment 0
  store_be<8>(page, 36, Disk::kMaxWriteSameBytes / block_size);
  return page;
}

Page block_characteristics() {
  Page page(64);
  page[1] = 0xb1;
  store_be<2>(page, 2, 0x3c);
  store_be<2>(page, 4, 1);  // does not rotate
  return page;
}

Page provisioning(uint64_t blocks, bool thin) {
  Page page(8);
  page[1] = 0xb2;
  store_be<2>(page, 2, 4);
  page[4] =
      static_cast<uint8_t>(std::max(1, 64 - std::countl_zero(blocks >> 32)));  // threshold exponent
  page[5] = thin ? 0xe4 : 0x00;  // LBPU, LBPWS, LBPWS10; LBPRZ: unmapped blocks read as zeros
  page[6] = thin ? 2 : 0;
  return page;
}

/// A mode page, or nothing when it is not there. `changeable`: the mask of what MODE SELECT may
/// change.
Page mode_page(uint8_t code, bool changeable, bool write_cache) {
  if (code == kPageCaching) {
    Page page(20);
    page[0] = kPageCaching;
    page[1] = 18;
    page[2] = changeable || write_cache ? kWriteCacheEnable : 0;
    return page;
  }
  if (code == kPageControl) {
    Page page(12);
    page[0] = kPageControl;
    page[1] = 10;
    if (!changeable) page[3] = 0x10;  // unrestricted reordering
    return page;
  }
  return {};
}

}  // namespace

Progress Disk::inquiry(Task& task, const Command& command) {
  if (!command.vital_product_data) {
    if (command.page != 0) return done(task, kInvalidFieldInCdb);
    return answer(task, standard_inquiry({.device_type = kDirectAccess, .product = "Virtual Disk"}),
                  command.allocation);
  }
  switch (command.page) {
    case 0x00: {
      constexpr std::array<uint8_t, 10> pages = {kDirectAccess, 0x00, 0x00, 0x06, 0x00,
                                                 0x80,          0x83, 0xb0, 0xb1, 0xb2};
      return answer(task, pages, command.allocation);
    }
    case 0x80:
      return answer(task, vpd_serial(kDirectAccess, options_.serial), command.allocation);
    case 0x83:
      return answer(task, vpd_identification(kDirectAccess, options_.id), command.allocation);
    case 0xb0:
      return answer(task,
                    block_limits(block_size(), backend().read_only() ? 0 : backend().hole_size()),
                    command.allocation);
    case 0xb1:
      return answer(task, block_characteristics(), command.allocation);
    case 0xb2:
      return answer(task, provisioning(blocks(), backend().hole_size() != 0), command.allocation);
    default:
      return done(task, kInvalidFieldInCdb);
  }
}

Progress Disk::mode_sense(Task& task, const Command& command) {
  if (command.page_control == 3) return done(task, kSavingNotSupported);
  if (command.subpage != 0 && command.subpage != 0xff) return done(task, kInvalidFieldInCdb);
  const bool changeable = command.page_control == 1;
  const bool cache = command.page_control == 2 || write_cache();
  const bool large = command.cdb_size == 10;
  Page data(large ? 8 : 4);
  data[large ? 3 : 2] =
      static_cast<uint8_t>(0x10 | (backend().read_only() ? 0x80 : 0));  // DPOFUA, WP
  bool found = false;
  for (const uint8_t code : {kPageCaching, kPageControl}) {
    if (command.page != code && command.page != kPageAll) continue;
    const Page page = mode_page(code, changeable, cache);
    data.insert(data.end(), page.begin(), page.end());
    found = true;
  }
  if (!found) return done(task, kInvalidFieldInCdb);
  if (large) {
    store_be<2>(data, 0, data.size() - 2);
  } else {
    data[0] = static_cast<uint8_t>(data.size() - 1);
  }
  return answer(task, data, command.allocation);
}

Progress Disk::mode_select(Task& task, const Command& command) {
  if (!command.page_format || command.save_pages) return done(task, kInvalidFieldInCdb);
  if (command.allocation == 0) return done(task);
  const Page list = task.fetch(command.allocation);
  const bool large = command.cdb_size == 10;
  const size_t header = large ? 8 : 4;
  if (list.size() < header || list.size() < command.allocation)
    return done(task, kParameterListLength);
  const size_t descriptors = large ? load_be<2>(list, 6) : list[3];
  if (descriptors > list.size() - header) return done(task, kParameterListLength);
  bool cache = write_cache();
  size_t at = header + descriptors;
  while (at < list.size()) {
    if (list.size() - at < 2) return done(task, kParameterListLength);
    const uint8_t code = list[at] & 0x3f;
    Page asked(
        list.begin() + static_cast<ptrdiff_t>(at),
        list.begin() + static_cast<ptrdiff_t>(std::min(list.size(), at + 2u + list[at + 1])));
    Page current = mode_page(code, false, write_cache());
    const Page mask = mode_page(code, true, false);
    if (current.empty() || list[at + 1] != current[1]) return done(task, kInvalidFieldInParameters);
    if (asked.size() < current.size()) return done(task, kParameterListLength);
    for (size_t i = 2; i < current.size(); i++) {
      if ((asked[i] ^ current[i]) & ~mask[i]) return done(task, kInvalidFieldInParameters);
    }
    if (code == kPageCaching) cache = asked[2] & kWriteCacheEnable;
    at += current.size();
  }
  const bool flush = write_cache() && !cache && !backend().read_only();
  write_cache_.store(cache, std::memory_order_relaxed);
  if (!flush) return done(task, static_cast<uint32_t>(list.size()));
  counters_.flushes.fetch_add(1, std::memory_order_relaxed);
  task.extents.assign(1, {0, 0});
  return run_extents(task, BlockIo::Kind::Flush, static_cast<uint32_t>(list.size()));
}

Progress Disk::read_capacity_10(Task& task) {
  std::array<uint8_t, 8> data{};
  store_be<4>(data, 0, std::min<uint64_t>(blocks() - 1, 0xffffffff));
  store_be<4>(data, 4, block_size());
  return answer(task, data, data.size());
}

Progress Disk::read_capacity_16(Task& task, const Command& command) {
  std::array<uint8_t, 32> data{};
  store_be<8>(data, 0, blocks() - 1);
  store_be<4>(data, 8, block_size());
  data[13] = static_cast<uint8_t>(std::countr_zero(kPhysicalBlock / block_size()));
  data[14] = backend().hole_size() != 0 && !backend().read_only() ? 0xc0 : 0;  // LBPME, LBPRZ
  return answer(task, data, command.allocation);
}

Progress Disk::lba_status(Task& task, const Command& command) {
  constexpr size_t kHeader = 8, kDescriptor = 16, kMost = 256;
  if (command.lba >= blocks()) return done(task, kLbaOutOfRange);
  Page data(kHeader);
  const uint64_t end = blocks() * block_size();
  uint64_t offset = command.lba * block_size();
  const size_t room =
      command.allocation < kHeader ? 0 : (command.allocation - kHeader) / kDescriptor;
  for (size_t i = 0; i < std::min(room, kMost) && offset < end; i++) {
    const bool hole = backend().seek(offset, true) == offset;
    // A block that is half a hole is mapped; extents of the file need not be multiples of the
    // block.
    uint64_t next = std::min(end, backend().seek(offset, !hole));
    next = hole ? next / block_size() * block_size()
                : (next + block_size() - 1) / block_size() * block_size();
    const bool whole = next > offset;
    if (!whole) next = offset + block_size();
    const uint64_t count = std::min<uint64_t>((next - offset) / block_size(), 0xffffffff);
    const size_t at = data.size();
    data.resize(at + kDescriptor);
    store_be<8>(data, at, offset / block_size());
    store_be<4>(data, at + 8, count);
    data[at + 12] = hole && whole ? 1 : 0;  // deallocated or mapped
    offset += count * block_size();
  }
  store_be<4>(data, 0, data.size() - 4);
  return answer(task, data, command.allocation);
}

}  // namespace hv::host::scsi
