// SPDX-License-Identifier: GPL-2.0-only OR MIT
// What the drive says of itself and of the disc: INQUIRY, capabilities, features, events, contents.
// Source: MMC-6.
#include <array>
#include <vector>

#include "host/scsi/bigendian.hpp"
#include "host/scsi/dvd.hpp"
#include "host/scsi/identity.hpp"

namespace hv::host::scsi {
namespace {

constexpr uint8_t kCdDvd = 0x05;
constexpr uint16_t kProfileDvdRom = 0x0010, kProfileCdRom = 0x0008;

using Page = std::vector<uint8_t>;

/// A position as the drive gives it: a block number, or minutes, seconds and frames behind the
/// two-second lead-in.
void store_position(Page& data, size_t at, uint32_t lba, bool msf) {
  if (!msf) return store_be<4>(data, at, lba);
  const uint64_t frames = uint64_t{lba} + 150;
  data[at] = 0;
  data[at + 1] = static_cast<uint8_t>(frames / 75 / 60);
  data[at + 2] = static_cast<uint8_t>(frames / 75 % 60);
  data[at + 3] = static_cast<uint8_t>(frames % 75);
}

void add_track(Page& data, uint8_t track, uint32_t lba, bool msf) {
  const size_t at = data.size();
  data.resize(at + 8);
  data[at + 1] = 0x14;  // data track, position in Q sub-channel
  data[at + 2] = track;
  store_position(data, at + 4, lba, msf);
}

void add_feature(Page& data, uint16_t code, uint8_t version, bool persistent, bool current,
                 Page body) {
  const size_t at = data.size();
  data.resize(at + 4);
  store_be<2>(data, at, code);
  data[at + 2] = static_cast<uint8_t>(version << 2 | (persistent ? 2 : 0) | (current ? 1 : 0));
  data[at + 3] = static_cast<uint8_t>(body.size());
  data.insert(data.end(), body.begin(), body.end());
}

}  // namespace

Progress Dvd::inquiry(Task& task, const Command& command) {
  if (!command.vital_product_data) {
    if (command.page != 0) return done(task, kInvalidFieldInCdb);
    return answer(
        task,
        standard_inquiry({.device_type = kCdDvd, .removable = true, .product = "Virtual DVD-ROM"}),
        command.allocation);
  }
  switch (command.page) {
    case 0x00: {
      constexpr std::array<uint8_t, 6> pages = {kCdDvd, 0x00, 0x00, 0x02, 0x00, 0x83};
      return answer(task, pages, command.allocation);
    }
    case 0x83:
      return answer(task, vpd_identification(kCdDvd, id_), command.allocation);
    default:
      return done(task, kInvalidFieldInCdb);
  }
}

Progress Dvd::mode_sense(Task& task, const Command& command) {
  if (command.page_control == 3) return done(task, kSavingNotSupported);
  const bool changeable = command.page_control == 1;
  const bool large = command.cdb_size == 10;
  Page data(large ? 8 : 4);
  const auto add = [&](std::initializer_list<uint8_t> page) {
    const size_t at = data.size();
    data.insert(data.end(), page);
    if (changeable)
      std::fill(data.begin() + static_cast<ptrdiff_t>(at) + 2, data.end(), uint8_t{0});
  };
  bool found = false;
  if (command.page == 0x01 || command.page == 0x3f) {  // read error recovery
    add({0x01, 0x0a, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0});
    found = true;
  }
  if (command.page == 0x2a || command.page == 0x3f) {
    // Reads CD-R, CD-RW, DVD; multi-session; locks and ejects a tray; 24x; 512 KiB of buffer.
    add({0x2a, 0x12, 0x0b, 0x00, 0x70, 0x00, 0x29, 0x00, 0x10, 0x80,
         0x00, 0x02, 0x02, 0x00, 0x10, 0x80, 0,    0,    0,    0});
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

Progress Dvd::read_toc(Task& task, const Command& command) {
  Page data(4);
  data[2] = data[3] = 1;  // first and last track or session
  switch (command.format) {
    case 0:
      if (command.page > 1 && command.page != 0xaa) return done(task, kInvalidFieldInCdb);
      if (command.page <= 1) add_track(data, 1, 0, command.msf);
      add_track(data, 0xaa, last_lba() + 1, command.msf);
      break;
    case 1:
      add_track(data, 1, 0, command.msf);
      break;
    default:
      return done(task, kInvalidFieldInCdb);
  }
  store_be<2>(data, 0, data.size() - 2);
  return answer(task, data, command.allocation);
}

Progress Dvd::get_configuration(Task& task, const Command& command) {
  if (command.format == 3) return done(task, kInvalidFieldInCdb);
  const bool disc = loaded();
  Page data(8);
  store_be<2>(data, 6, disc ? kProfileDvdRom : 0);
  const auto wanted = [&](uint16_t feature, bool current) {
    if (command.format == 2) return feature == command.start_feature;
    return feature >= command.start_feature && (command.format == 0 || current);
  };
  if (wanted(0x0000, true)) {  // profiles
    Page profiles(8);
    store_be<2>(profiles, 0, kProfileDvdRom);
    profiles[2] = disc ? 1 : 0;
    store_be<2>(profiles, 4, kProfileCdRom);
    add_feature(data, 0x0000, 0, true, true, profiles);
  }
  if (wanted(0x0001, true))
    add_feature(data, 0x0001, 1, true, true, {0, 0, 0, 1, 1, 0, 0, 0});              // core, SCSI
  if (wanted(0x0002, true)) add_feature(data, 0x0002, 1, true, true, {2, 0, 0, 0});  // morphing
  if (wanted(0x0003, true))
    add_feature(data, 0x0003, 0, true, true, {0x29, 0, 0, 0});  // removable medium
  if (wanted(0x0010, disc))
    add_feature(data, 0x0010, 0, false, disc, {0, 0, 0x08, 0, 0, 0x10, 0, 0});  // random read
  if (wanted(0x001e, false)) add_feature(data, 0x001e, 2, false, false, {0, 0, 0, 0});  // CD read
  if (wanted(0x001f, disc)) add_feature(data, 0x001f, 0, false, disc, {});              // DVD read
  store_be<4>(data, 0, data.size() - 4);
  return answer(task, data, command.allocation);
}

Progress Dvd::get_event_status(Task& task, const Command& command) {
  constexpr uint8_t kMediaClass = 4, kMediaMask = 1 << kMediaClass;
  if (!command.polled) return done(task, kInvalidFieldInCdb);  // asynchronous mode
  Page data(4);
  data[3] = kMediaMask;
  if (command.format & kMediaMask) {
    const std::lock_guard lock(mutex_);
    data.resize(8);
    data[2] = kMediaClass;
    data[4] = static_cast<uint8_t>(event_);
    data[5] = loaded_ ? 0x02 : 0x01;  // medium present, or tray open
    if (command.allocation >= data.size()) event_ = MediaEvent::None;
  } else {
    data[2] = 0x80;  // no event class of those asked for
  }
  store_be<2>(data, 0, data.size() - 2);
  return answer(task, data, command.allocation);
}

Progress Dvd::read_disc_information(Task& task, const Command& command) {
  if (command.format != 0) return done(task, kInvalidFieldInCdb);
  Page data(34);
  store_be<2>(data, 0, data.size() - 2);
  data[2] = 0x0e;  // last session complete, disc finalised
  data[3] = data[4] = data[5] = data[6] = 1;
  data[7] = 0x20;  // unrestricted use
  for (size_t i = 16; i < 24; i++) data[i] = 0xff;
  return answer(task, data, command.allocation);
}

Progress Dvd::read_track_information(Task& task, const Command& command) {
  if (command.format == 1 && command.lba != 1) return done(task, kInvalidFieldInCdb);
  Page data(48);
  store_be<2>(data, 0, data.size() - 2);
  data[2] = data[3] = 1;
  data[5] = 0x04;  // data track
  data[6] = 0x01;  // mode 1
  store_be<4>(data, 24, uint64_t{last_lba()} + 1);
  store_be<4>(data, 28, last_lba());
  return answer(task, data, command.allocation);
}

Progress Dvd::read_disc_structure(Task& task, const Command& command) {
  if (command.format != 0 || command.page != 0) return done(task, kInvalidFieldInCdb);
  Page data(4 + 17);  // physical format information of layer 0
  store_be<2>(data, 0, data.size() - 2);
  data[4] = 0x01;  // DVD-ROM
  data[5] = 0x0f;  // 120 mm, no maximum rate
  data[6] = 0x01;  // one layer, embossed
  store_be<3>(data, 9, 0x30000);
  store_be<3>(data, 13, 0x30000 + uint64_t{last_lba()});
  return answer(task, data, command.allocation);
}

Progress Dvd::mechanism_status(Task& task, const Command& command) {
  Page data(8);
  data[1] = loaded() ? 0 : 0x10;  // door open
  return answer(task, data, command.allocation);
}

}  // namespace hv::host::scsi
