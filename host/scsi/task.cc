// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/scsi/task.hpp"

#include <algorithm>
#include <cstring>

namespace hv::host::scsi {

using wire::storvsc::SrbStatus;

void Task::clear() {
  cdb = {};
  cdb_size = 0;
  direction = wire::storvsc::Direction::None;
  guest.clear();
  guest_bytes = 0;
  step = Step::Plain;
  io = {};
  extents.clear();
  extent = 0;
  done = 0;
  first_part = 0;
  parts.clear();
  bounce.clear();
  taken = 0;
  outcome = {};
}

void Task::answer(std::span<const uint8_t> source, uint64_t allocation) {
  const uint64_t wanted = std::min<uint64_t>(source.size(), allocation);
  if (wanted > 0 && !data_in()) return fail(kInvalidFieldInCdb);
  uint64_t moved = 0;
  for (const iovec& part : guest) {
    const size_t count = std::min<uint64_t>(part.iov_len, wanted - moved);
    if (count == 0) break;
    std::memcpy(part.iov_base, source.data() + moved, count);
    moved += count;
  }
  succeed(static_cast<uint32_t>(moved));
}

std::vector<uint8_t> Task::fetch(uint64_t count) const {
  std::vector<uint8_t> copy;
  if (!data_out()) return copy;
  copy.resize(std::min(count, guest_bytes));
  size_t at = 0;
  for (const iovec& part : guest) {
    const size_t length = std::min(part.iov_len, copy.size() - at);
    if (length == 0) break;
    std::memcpy(copy.data() + at, part.iov_base, length);
    at += length;
  }
  return copy;
}

void Task::succeed(uint32_t moved) { outcome = {.moved = moved}; }

void Task::fail(const Sense& sense) {
  outcome = {
      .status = Status::CheckCondition, .srb = SrbStatus::Error, .has_sense = true, .sense = sense};
}

void Task::fail(SrbStatus srb) { outcome = {.status = Status::CheckCondition, .srb = srb}; }

}  // namespace hv::host::scsi
