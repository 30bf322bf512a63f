// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "vmm/rtc.hpp"

#include <ctime>

namespace hv::vmm {

namespace {

uint8_t bcd(int value) { return static_cast<uint8_t>((value / 10) << 4 | value % 10); }

}  // namespace

uint8_t read_rtc(uint8_t index) {
  constexpr uint8_t kRateOfChip = 0x26;  // register A: the usual divider, no update in progress
  constexpr uint8_t k24Hours = 0x02;     // register B
  constexpr uint8_t kValid = 0x80;       // register D: the battery is good

  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  const int year = utc.tm_year + 1900;
  switch (index) {
    case 0x00:
      return bcd(utc.tm_sec);
    case 0x02:
      return bcd(utc.tm_min);
    case 0x04:
      return bcd(utc.tm_hour);
    case 0x06:
      return bcd(utc.tm_wday + 1);
    case 0x07:
      return bcd(utc.tm_mday);
    case 0x08:
      return bcd(utc.tm_mon + 1);
    case 0x09:
      return bcd(year % 100);
    case 0x0a:
      return kRateOfChip;
    case 0x0b:
      return k24Hours;
    case 0x0d:
      return kValid;
    case 0x32:
      return bcd(year / 100);
    default:
      return 0;
  }
}

}  // namespace hv::vmm
