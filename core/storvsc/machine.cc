// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "core/storvsc/machine.hpp"

namespace hv::storvsc {

using wire::PacketType;
using wire::storvsc::Operation;

/// A packet that the host sends of its own accord. It may be as short as its operation.
Result<Event> Machine::host_says(std::span<const std::byte> packet) const {
  const auto operation = HV_TRY(ByteReader(packet).take<Operation>());
  constexpr size_t kHeader = sizeof(wire::storvsc::Header);
  const size_t body = packet.size() < kHeader ? 0 : packet.size() - kHeader;
  const auto allowed = dialect_.check(wire::Sender::Host, operation, body);
  if (!allowed && allowed.error() == Error::Truncated) return Error::Truncated;
  if (!allowed) return Event{.kind = Event::Kind::Ignored};
  switch (operation) {
    case Operation::EnumerateBus:
    case Operation::RemoveDevice:
      return Event{.kind = Event::Kind::DevicesChanged};
    case Operation::FcHbaData:
      return Event{.kind = Event::Kind::NamesChanged, .names = HV_TRY(parse_adapter_names(packet))};
    case Operation::CompleteIo:
      // A completion of nothing.
      return Error::BadId;
    case Operation::ExecuteSrb:
    case Operation::ResetLun:
    case Operation::ResetAdapter:
    case Operation::ResetBus:
    case Operation::BeginInitialization:
    case Operation::EndInitialization:
    case Operation::QueryProtocolVersion:
    case Operation::QueryProperties:
    case Operation::CreateSubChannels:
      break;
  }
  return Event{.kind = Event::Kind::Ignored};
}

Result<Event> Machine::receive(const vmbus::Packet& packet) {
  switch (packet.type) {
    case PacketType::DataInBand:
      return host_says(packet.payload);
    case PacketType::Completion:
      break;
    case PacketType::DataUsingTransferPages:
    case PacketType::DataUsingGpaDirect:
      return Error::NotSupported;
  }
  // Hosts use id 0 for what answers nothing.
  if (packet.transaction_id == 0) return host_says(packet.payload);

  const size_t slot = HV_TRY(slots_.take(packet.transaction_id));
  if (slot >= requests())
    return Event{.kind = Event::Kind::Answered, .slot = slot, .packet = packet.payload};

  auto completion = parse_completion(packet.payload);
  // The request has been taken: nothing else would ever end it.
  if (!completion)
    return Event{.kind = Event::Kind::Completed, .intelligible = false, .slot = slot};
  return Event{.kind = Event::Kind::Completed, .slot = slot, .completion = *completion};
}

size_t Machine::in_flight() const {
  size_t count = 0;
  for (size_t slot = 0; slot < requests(); slot++) count += slots_.alive(slot);
  return count;
}

}  // namespace hv::storvsc
