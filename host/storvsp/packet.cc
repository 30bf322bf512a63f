// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/storvsp/packet.hpp"

#include <algorithm>
#include <cstring>

#include "core/base/bytes.hpp"

namespace hv::host::storvsp {

namespace proto = wire::storvsc;

namespace {
// Commands are many: what the table says of them is known when this is compiled. The session asks
// it about all else.
constexpr bool kHasCommands = has_message(proto::kMessages, wire::Sender::Guest,
                                          proto::Operation::ExecuteSrb, proto::Version{});
}  // namespace

Result<Incoming> parse_packet(const hv::vmbus::Packet& packet) {
  if (packet.type != wire::PacketType::DataInBand &&
      packet.type != wire::PacketType::DataUsingGpaDirect)
    return Error::BadValue;
  if (!packet.wants_completion()) return Error::BadValue;
  ByteReader reader(packet.payload);
  const auto header = HV_TRY(reader.take<proto::Header>());
  Incoming incoming{.operation = header.operation, .transaction_id = packet.transaction_id};
  // Not bound to the negotiated version: guests send the long form before there is one.
  incoming.size = std::min(packet.payload.size(), proto::kPacketSize);
  switch (header.operation) {
    case proto::Operation::QueryProtocolVersion:
      incoming.version = HV_TRY(reader.take<proto::ProtocolVersion>()).version;
      break;
    case proto::Operation::CreateSubChannels:
      incoming.sub_channels = HV_TRY(reader.take<uint16_t>());
      break;
    case proto::Operation::ExecuteSrb:
      if (!kHasCommands) return Error::NotSupported;
      incoming.request = HV_TRY(reader.take<proto::ScsiRequest>());
      break;
    default:
      break;
  }
  return incoming;
}

Outgoing::Outgoing(proto::Operation operation, uint32_t status, size_t size)
    : size_(std::clamp(size, sizeof(proto::Header), proto::kPacketSize)) {
  const proto::Header header{.operation = operation, .flags = 0, .status = status};
  std::memcpy(bytes_.data(), &header, sizeof(header));
}

void Outgoing::put(std::span<const std::byte> body) {
  const size_t count = std::min(body.size(), size_ - sizeof(proto::Header));
  if (count > 0) std::memcpy(bytes_.data() + sizeof(proto::Header), body.data(), count);
}

}  // namespace hv::host::storvsp
