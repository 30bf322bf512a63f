// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/scsi/dvd.hpp"

#include <algorithm>
#include <array>

#include "host/scsi/bigendian.hpp"

namespace hv::host::scsi {

bool Dvd::loaded() const {
  const std::lock_guard lock(mutex_);
  return loaded_;
}

bool Dvd::prevented() const {
  const std::lock_guard lock(mutex_);
  return prevented_;
}

uint32_t Dvd::last_lba() const {
  return static_cast<uint32_t>(std::min<uint64_t>(std::max<uint64_t>(blocks(), 1) - 1, 0xffffffff));
}

Progress Dvd::execute(Task& task, const Command& command) {
  if (command.operation == Operation::Read) return read(task, command);
  counters_.other.fetch_add(1, std::memory_order_relaxed);
  switch (command.operation) {
    case Operation::RequestSense:
      return request_sense(task, command);
    case Operation::Inquiry:
      return inquiry(task, command);
    case Operation::ModeSense:
      return mode_sense(task, command);
    case Operation::StartStop:
      return start_stop(task, command);
    case Operation::GetConfiguration:
      return get_configuration(task, command);
    case Operation::GetEventStatus:
      return get_event_status(task, command);
    case Operation::MechanismStatus:
      return mechanism_status(task, command);
    case Operation::PreventAllow: {
      const std::lock_guard lock(mutex_);
      prevented_ = command.prevent;
      return done(task);
    }
    case Operation::SetSpeed:
      return done(task);
    default:
      break;
  }
  if (!loaded()) return done(task, kNoMediumTrayOpen);
  switch (command.operation) {
    case Operation::TestUnitReady:
    case Operation::SynchronizeCache:
      return done(task);
    case Operation::Verify:
      return in_range(command.lba, command.blocks) ? done(task) : done(task, kLbaOutOfRange);
    case Operation::ReadCapacity10: {
      std::array<uint8_t, 8> data{};
      store_be<4>(data, 0, last_lba());
      store_be<4>(data, 4, kBlock);
      return answer(task, data, data.size());
    }
    case Operation::ReadToc:
      return read_toc(task, command);
    case Operation::ReadDiscInformation:
      return read_disc_information(task, command);
    case Operation::ReadTrackInformation:
      return read_track_information(task, command);
    case Operation::ReadDiscStructure:
      return read_disc_structure(task, command);
    case Operation::Write:
    case Operation::WriteAndVerify:
    case Operation::WriteSame:
    case Operation::Unmap:
      return done(task, kWriteProtected);
    default:
      return done(task, kInvalidOpcode);
  }
}

Progress Dvd::read(Task& task, const Command& command) {
  if (!loaded()) return done(task, kNoMediumTrayOpen);
  if (!in_range(command.lba, command.blocks)) return done(task, kLbaOutOfRange);
  return transfer(task, BlockIo::Kind::Read, command.lba * kBlock,
                  uint64_t{command.blocks} * kBlock, false);
}

Progress Dvd::start_stop(Task& task, const Command& command) {
  if (!command.load_eject || command.power_condition != 0) return done(task);
  const std::lock_guard lock(mutex_);
  if (command.start == loaded_) return done(task);
  if (!command.start && prevented_) return done(task, kRemovalPrevented);
  loaded_ = command.start;
  event_ = loaded_ ? MediaEvent::NewMedia : MediaEvent::Removal;
  if (loaded_) raise(kMediumMayHaveChanged);
  return done(task);
}

}  // namespace hv::host::scsi
