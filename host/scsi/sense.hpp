// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <array>
#include <cstdint>

namespace hv::host::scsi {

/// SAM-5 status codes.
enum class Status : uint8_t {
  Good = 0x00,
  CheckCondition = 0x02,
  Busy = 0x08,
  ReservationConflict = 0x18,
};

/// SPC-4 sense keys.
enum class SenseKey : uint8_t {
  NoSense = 0x0,
  NotReady = 0x2,
  MediumError = 0x3,
  IllegalRequest = 0x5,
  UnitAttention = 0x6,
  DataProtect = 0x7,
  Miscompare = 0xe,
};

/// Key, additional sense code and its qualifier; SPC-4 annex F.
struct Sense {
  SenseKey key = SenseKey::NoSense;
  uint8_t asc = 0;
  uint8_t ascq = 0;
  friend bool operator==(const Sense&, const Sense&) = default;
};

inline constexpr Sense kNoSense{};
inline constexpr Sense kInvalidOpcode{SenseKey::IllegalRequest, 0x20, 0x00};
inline constexpr Sense kLbaOutOfRange{SenseKey::IllegalRequest, 0x21, 0x00};
inline constexpr Sense kInvalidFieldInCdb{SenseKey::IllegalRequest, 0x24, 0x00};
inline constexpr Sense kParameterListLength{SenseKey::IllegalRequest, 0x1a, 0x00};
inline constexpr Sense kInvalidFieldInParameters{SenseKey::IllegalRequest, 0x26, 0x00};
inline constexpr Sense kSavingNotSupported{SenseKey::IllegalRequest, 0x39, 0x00};
inline constexpr Sense kIllegalModeForTrack{SenseKey::IllegalRequest, 0x64, 0x00};
inline constexpr Sense kRemovalPrevented{SenseKey::IllegalRequest, 0x53, 0x02};
inline constexpr Sense kWriteProtected{SenseKey::DataProtect, 0x27, 0x00};
inline constexpr Sense kSpaceExhausted{SenseKey::DataProtect, 0x27, 0x07};
inline constexpr Sense kUnrecoveredRead{SenseKey::MediumError, 0x11, 0x00};
inline constexpr Sense kWriteError{SenseKey::MediumError, 0x0c, 0x00};
inline constexpr Sense kMiscompare{SenseKey::Miscompare, 0x1d, 0x00};
inline constexpr Sense kNoMediumTrayClosed{SenseKey::NotReady, 0x3a, 0x01};
inline constexpr Sense kNoMediumTrayOpen{SenseKey::NotReady, 0x3a, 0x02};
inline constexpr Sense kMediumMayHaveChanged{SenseKey::UnitAttention, 0x28, 0x00};
inline constexpr Sense kCapacityChanged{SenseKey::UnitAttention, 0x2a, 0x09};
inline constexpr Sense kReportedLunsChanged{SenseKey::UnitAttention, 0x3f, 0x0e};

inline constexpr size_t kFixedSenseSize = 18;

/// Fixed-format sense data, current error (SPC-4 4.5.3).
constexpr std::array<uint8_t, kFixedSenseSize> fixed_format(const Sense& sense) {
  std::array<uint8_t, kFixedSenseSize> data{};
  data[0] = 0x70;
  data[2] = static_cast<uint8_t>(sense.key);
  data[7] = kFixedSenseSize - 8;
  data[12] = sense.asc;
  data[13] = sense.ascq;
  return data;
}

}  // namespace hv::host::scsi
