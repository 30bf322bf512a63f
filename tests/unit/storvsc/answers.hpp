// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <algorithm>
#include <cstring>
#include <vector>

#include "core/storvsc/packet.hpp"

/// What a host would send, as bytes.
namespace hv::test {

inline std::vector<std::byte> answer(
    uint32_t status = 0,
    wire::storvsc::Operation operation = wire::storvsc::Operation::CompleteIo) {
  std::vector<std::byte> bytes(wire::storvsc::kPacketSize);
  const wire::storvsc::Header header{.operation = operation, .flags = 0, .status = status};
  std::memcpy(bytes.data(), &header, sizeof(header));
  return bytes;
}

template <typename Body>
std::vector<std::byte> answer_with(
    const Body& body, uint32_t status = 0,
    wire::storvsc::Operation operation = wire::storvsc::Operation::CompleteIo) {
  auto bytes = answer(status, operation);
  std::memcpy(bytes.data() + sizeof(wire::storvsc::Header), &body, sizeof(body));
  return bytes;
}

inline std::vector<std::byte> completion(uint8_t srb_status, uint8_t scsi_status, uint32_t moved,
                                         std::vector<uint8_t> sense = {}) {
  wire::storvsc::ScsiRequest body{};
  body.length = sizeof(body);
  body.srb_status = srb_status;
  body.scsi_status = scsi_status;
  body.transfer_length = moved;
  body.sense_length = static_cast<uint8_t>(sense.size());
  std::copy_n(sense.begin(), std::min(sense.size(), body.cdb_or_sense.size()),
              body.cdb_or_sense.begin());
  return answer_with(body);
}

/// Fixed-format sense data of 18 bytes.
inline std::vector<uint8_t> sense(uint8_t key, uint8_t asc, uint8_t ascq) {
  std::vector<uint8_t> data(18);
  data[0] = 0x70;
  data[2] = key;
  data[7] = 10;
  data[12] = asc;
  data[13] = ascq;
  return data;
}

}  // namespace hv::test
