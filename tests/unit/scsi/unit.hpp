// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <cstring>
#include <initializer_list>
#include <vector>

#include "host/scsi/bigendian.hpp"
#include "host/scsi/logical_unit.hpp"

namespace hv::host::scsi {

/// Runs commands on a logical unit, I/O included, and keeps what came back.
class Initiator {
 public:
  explicit Initiator(LogicalUnit& unit) : unit_(unit) {}

  using Cdb = std::vector<uint8_t>;

  Outcome none(const Cdb& cdb) { return run(cdb, wire::storvsc::Direction::None, 0); }
  Outcome in(const Cdb& cdb, size_t size) {
    data.assign(size, 0xee);
    return run(cdb, wire::storvsc::Direction::Read, size);
  }
  Outcome out(const Cdb& cdb, std::vector<uint8_t> bytes) {
    data = std::move(bytes);
    return run(cdb, wire::storvsc::Direction::Write, data.size());
  }

  std::vector<uint8_t> data;
  size_t split = 0;  ///< guest memory in parts of this many bytes; 0: one

  static Cdb read10(uint32_t lba, uint16_t blocks) { return rw10(0x28, lba, blocks); }
  static Cdb write10(uint32_t lba, uint16_t blocks, uint8_t flags = 0) {
    Cdb cdb = rw10(0x2a, lba, blocks);
    cdb[1] = flags;
    return cdb;
  }
  static Cdb rw10(uint8_t opcode, uint32_t lba, uint16_t blocks) {
    Cdb cdb(10);
    cdb[0] = opcode;
    store_be<4>(cdb, 2, lba);
    store_be<2>(cdb, 7, blocks);
    return cdb;
  }
  static Cdb rw16(uint8_t opcode, uint64_t lba, uint32_t blocks, uint8_t flags = 0) {
    Cdb cdb(16);
    cdb[0] = opcode;
    cdb[1] = flags;
    store_be<8>(cdb, 2, lba);
    store_be<4>(cdb, 10, blocks);
    return cdb;
  }
  struct Range {
    uint64_t lba;
    uint32_t blocks;
  };
  static std::vector<uint8_t> unmap_list(const std::vector<Range>& ranges) {
    std::vector<uint8_t> list(8 + 16 * ranges.size());
    store_be<2>(list, 0, list.size() - 2);
    store_be<2>(list, 2, list.size() - 8);
    for (size_t i = 0; i < ranges.size(); i++) {
      store_be<8>(list, 8 + 16 * i, ranges[i].lba);
      store_be<4>(list, 16 + 16 * i, ranges[i].blocks);
    }
    return list;
  }
  Outcome unmap(const std::vector<Range>& ranges) {
    auto list = unmap_list(ranges);
    Cdb cdb(10);
    cdb[0] = 0x42;
    store_be<2>(cdb, 7, list.size());
    return out(cdb, std::move(list));
  }

 private:
  Outcome run(const Cdb& cdb, wire::storvsc::Direction direction, size_t size) {
    task_.clear();
    std::memcpy(task_.cdb.data(), cdb.data(), cdb.size());
    task_.cdb_size = static_cast<uint8_t>(cdb.size());
    task_.direction = direction;
    const size_t step = split ? split : std::max<size_t>(size, 1);
    for (size_t at = 0; at < size; at += step)
      task_.guest.push_back({data.data() + at, std::min(step, size - at)});
    task_.guest_bytes = size;
    Progress progress = unit_.start(task_);
    while (progress == Progress::Io)
      progress = unit_.resume(task_, unit_.backend().perform(task_.io));
    return task_.outcome;
  }

  LogicalUnit& unit_;
  Task task_;
};

}  // namespace hv::host::scsi
