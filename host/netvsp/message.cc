// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/netvsp/message.hpp"

namespace hv::host::netvsp {

namespace proto = wire::netvsc;

namespace {
// Frames are many: what the table says of them is known when this is compiled.
constexpr bool kTakesPackets = has_message(proto::kMessages, wire::Sender::Guest,
                                           proto::MessageType::SendRndisPacket, proto::Version{});
}  // namespace

Result<Message> parse_message(std::span<const std::byte> payload) {
  ByteReader reader(payload);
  const auto header = HV_TRY(reader.take<proto::Header>());
  if (kTakesPackets && header.type == proto::MessageType::SendRndisPacket)
    return Message(HV_TRY(reader.take<proto::RndisPacket>()));
  const auto known = check_message(proto::kMessages, wire::Sender::Guest, header.type,
                                   reader.remaining(), proto::Version::V6_1, ~uint32_t{0});
  if (!known && known.error() == Error::Truncated) return Error::Truncated;
  if (!known) return Message(Unknown{header.type});
  switch (header.type) {
    case proto::MessageType::Init:
      return Message(wire::take_body<proto::Init>(reader));
    case proto::MessageType::SendNdisVersion:
      return Message(wire::take_body<proto::NdisVersion>(reader));
    case proto::MessageType::SendReceiveBuffer:
      return Message(OfferBuffer{Buffer::Receive, wire::take_body<proto::SendBuffer>(reader)});
    case proto::MessageType::SendSendBuffer:
      return Message(OfferBuffer{Buffer::Send, wire::take_body<proto::SendBuffer>(reader)});
    case proto::MessageType::RevokeReceiveBuffer:
      return Message(
          RevokeBuffer{Buffer::Receive, wire::take_body<proto::RevokeBuffer>(reader).id});
    case proto::MessageType::RevokeSendBuffer:
      return Message(RevokeBuffer{Buffer::Send, wire::take_body<proto::RevokeBuffer>(reader).id});
    case proto::MessageType::SendNdisConfig:
      return Message(wire::take_body<proto::NdisConfig>(reader));
    case proto::MessageType::SubChannel:
      return Message(wire::take_body<proto::SubChannelRequest>(reader));
    case proto::MessageType::SwitchDataPath:
      return Message(wire::take_body<proto::SwitchDataPath>(reader));
    case proto::MessageType::SendRndisPacket:
    case proto::MessageType::InitComplete:
    case proto::MessageType::SendReceiveBufferComplete:
    case proto::MessageType::SendSendBufferComplete:
    case proto::MessageType::SendRndisPacketComplete:
    case proto::MessageType::SendVfAssociation:
    case proto::MessageType::SendIndirectionTable:
      break;
  }
  return Message(Unknown{header.type});
}

}  // namespace hv::host::netvsp
