// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/scsi/identity.hpp"

#include <algorithm>

#include "host/scsi/bigendian.hpp"

namespace hv::host::scsi {

std::vector<uint8_t> standard_inquiry(const Identity& identity) {
  constexpr size_t kSize = 96;
  std::vector<uint8_t> data(kSize);
  data[0] = identity.device_type;
  data[1] = identity.removable ? 0x80 : 0x00;
  data[2] = 0x05;  // SPC-3
  data[3] = 0x02;  // response data format
  data[4] = kSize - 5;
  data[7] = 0x02;  // CMDQUE: commands are queued
  store_text(data, 8, 8, identity.vendor);
  store_text(data, 16, 16, identity.product);
  store_text(data, 32, 4, identity.revision);
  store_be<2>(data, 58, 0x0060);                                                // SAM-3
  store_be<2>(data, 60, 0x0300);                                                // SPC-3
  store_be<2>(data, 62, (identity.device_type & 0x1f) == 5 ? 0x0420 : 0x0320);  // MMC-6 or SBC-2
  return data;
}

std::vector<uint8_t> vpd_serial(uint8_t device_type, std::string_view serial) {
  std::vector<uint8_t> page(4 + serial.size());
  page[0] = device_type;
  page[1] = 0x80;
  store_be<2>(page, 2, serial.size());
  store_text(page, 4, serial.size(), serial);
  return page;
}

std::vector<uint8_t> vpd_identification(uint8_t device_type, const DiskId& id) {
  std::vector<uint8_t> page(4 + 4 + 24 + 4 + 16);
  page[0] = device_type;
  page[1] = 0x83;
  store_be<2>(page, 2, page.size() - 4);
  page[4] = 0x01;  // binary
  page[5] = 0x01;  // T10 vendor id
  page[7] = 24;
  store_text(page, 8, 8, "Msft");
  std::copy(id.begin(), id.end(), page.begin() + 16);
  page[32] = 0x01;
  page[33] = 0x03;  // NAA
  page[35] = 16;
  constexpr uint8_t naa_and_oui[] = {0x60, 0x02, 0x24, 0x80};
  std::copy(std::begin(naa_and_oui), std::end(naa_and_oui), page.begin() + 36);
  std::copy_n(id.begin(), 12, page.begin() + 40);
  return page;
}

}  // namespace hv::host::scsi
