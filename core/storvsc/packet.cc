// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "core/storvsc/packet.hpp"

namespace hv::storvsc {

using wire::storvsc::Direction;
using wire::storvsc::Header;
using wire::storvsc::Operation;

namespace {

constexpr uint8_t kUntagged = 0xff;

// Commands are many: what the table says of them is known when this is compiled.
constexpr bool kHasCommands =
    kDialects.back()
        .check(wire::Sender::Guest, Operation::ExecuteSrb, sizeof(wire::storvsc::ScsiRequest))
        .ok();
constexpr bool kHasAnswers =
    kDialects.back().check(wire::Sender::Host, Operation::CompleteIo, 0).ok();

/// Hosts up to Windows Server 2012 are never sent these. Codes: SBC-3, SCSI-2.
constexpr bool mishandled(const Dialect& dialect, uint8_t opcode) {
  constexpr uint8_t kWriteSame10 = 0x41, kSetWindow = 0x24;
  return dialect.version <= wire::storvsc::Version::Win8 &&
         (opcode == kWriteSame10 || opcode == kSetWindow);
}

constexpr uint32_t srb_flags(Direction direction, bool tagged) {
  uint32_t flags = wire::storvsc::kSrbDisableSynchTransfer;
  if (tagged) flags |= wire::storvsc::kSrbQueueActionEnable | wire::storvsc::kSrbNoQueueFreeze;
  switch (direction) {
    case Direction::Write:
      return flags | wire::storvsc::kSrbDataOut;
    case Direction::Read:
      return flags | wire::storvsc::kSrbDataIn;
    case Direction::None:
      return flags;
  }
  return flags;
}

/// Eight bytes of a world wide name, the first the most significant.
constexpr uint64_t wwn(const std::array<uint8_t, 8>& name) {
  uint64_t number = 0;
  for (const uint8_t byte : name) number = number << 8 | byte;
  return number;
}

}  // namespace

Packet plain_packet(Operation operation) {
  Packet packet{};
  packet.header = {.operation = operation, .flags = wire::storvsc::kRequestCompletion, .status = 0};
  packet.body.bytes = {};
  return packet;
}

Packet reset_bus_packet(uint8_t path) {
  Packet packet = plain_packet(Operation::ResetBus);
  packet.body.io = {};
  packet.body.io.request.path_id = path;
  return packet;
}

Result<void> check_request(const Dialect& dialect, const Request& request) {
  if (!kHasCommands) return Error::NotSupported;
  if (request.cdb.empty() || request.cdb.size() > wire::storvsc::kCdbSize) return Error::BadValue;
  if (mishandled(dialect, request.cdb[0])) return Error::NotSupported;
  return {};
}

Packet execute_packet(const Dialect& dialect, const Request& request) {
  if (request.cdb.size() > wire::storvsc::kCdbSize) __builtin_trap();
  const size_t extension = dialect.packet_size == wire::storvsc::kPacketSize
                               ? sizeof(wire::storvsc::ScsiRequestExtension)
                               : 0;
  Packet packet;
  packet.header = {
      .operation = Operation::ExecuteSrb,
      .flags = wire::storvsc::kRequestCompletion,
      .status = 0,
  };
  packet.body.io.request = {
      .length = static_cast<uint16_t>(sizeof(wire::storvsc::ScsiRequest) + extension),
      .srb_status = 0,
      .scsi_status = 0,
      .port_number = request.port,
      .path_id = request.address.path,
      .target_id = request.address.target,
      .lun = request.address.lun,
      .cdb_length = static_cast<uint8_t>(request.cdb.size()),
      .sense_length = dialect.sense_size,
      .direction = request.direction,
      .reserved = 0,
      .transfer_length = request.length,
      .cdb_or_sense = {},
  };
  __builtin_memcpy(packet.body.io.request.cdb_or_sense.data(), request.cdb.data(),
                   request.cdb.size());
  packet.body.io.extension = {
      .reserved = 0,
      .queue_tag = request.tagged ? kUntagged : uint8_t{0},
      .queue_action = request.tagged ? wire::storvsc::kQueueActionSimple : uint8_t{0},
      .srb_flags = srb_flags(request.direction, request.tagged),
      .timeout_seconds = kHostRequestSeconds,
      .queue_sort_key = 0,
  };
  return packet;
}

Result<Header> parse_answer(std::span<const std::byte> packet) {
  ByteReader reader(packet);
  const auto header = HV_TRY(reader.take<Header>());
  if (!kHasAnswers) return Error::NotSupported;
  if (header.operation != Operation::CompleteIo) return Error::BadValue;
  return header;
}

Result<Completion> parse_completion(std::span<const std::byte> packet) {
  const auto header = HV_TRY(parse_answer(packet));
  ByteReader reader(packet.subspan(sizeof(Header)));
  const auto body = HV_TRY(reader.take<wire::storvsc::ScsiRequest>());

  constexpr size_t at = sizeof(Header) + offsetof(wire::storvsc::ScsiRequest, cdb_or_sense);
  std::span<const uint8_t> sense;
  if (body.srb_status & wire::storvsc::kSrbAutosenseValid) {
    const size_t length = body.sense_length < wire::storvsc::kSenseSize ? body.sense_length
                                                                        : wire::storvsc::kSenseSize;
    sense = {reinterpret_cast<const uint8_t*>(packet.data()) + at, length};
  }
  return Completion{
      .srb_code = static_cast<uint8_t>(body.srb_status & wire::storvsc::kSrbStatusMask),
      .scsi_status = body.scsi_status,
      .nt_status = header.status,
      .moved = body.transfer_length,
      .sense = sense,
  };
}

Result<AdapterNames> parse_adapter_names(std::span<const std::byte> packet) {
  ByteReader reader(packet);
  HV_TRY(reader.skip(sizeof(Header)));
  const auto data = HV_TRY(reader.take<wire::storvsc::FcHbaData>());
  if (data.primary_active)
    return AdapterNames{.node = wwn(data.primary_node_name), .port = wwn(data.primary_port_name)};
  return AdapterNames{.node = wwn(data.secondary_node_name), .port = wwn(data.secondary_port_name)};
}

}  // namespace hv::storvsc
