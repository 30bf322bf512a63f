// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/netvsp/message.hpp"

namespace hv::host::netvsp {

namespace proto = wire::netvsc;

Result<Message> parse_message(std::span<const std::byte> payload) {
  ByteReader reader(payload);
  const auto header = HV_TRY(reader.take<proto::Header>());
  switch (header.type) {
    case proto::MessageType::Init:
      return Message(HV_TRY(reader.take<proto::Init>()));
    case proto::MessageType::SendNdisVersion:
      return Message(HV_TRY(reader.take<proto::NdisVersion>()));
    case proto::MessageType::SendReceiveBuffer:
      return Message(OfferBuffer{Buffer::Receive, HV_TRY(reader.take<proto::SendBuffer>())});
    case proto::MessageType::SendSendBuffer:
      return Message(OfferBuffer{Buffer::Send, HV_TRY(reader.take<proto::SendBuffer>())});
    case proto::MessageType::RevokeReceiveBuffer:
      return Message(RevokeBuffer{Buffer::Receive, HV_TRY(reader.take<proto::RevokeBuffer>()).id});
    case proto::MessageType::RevokeSendBuffer:
      return Message(RevokeBuffer{Buffer::Send, HV_TRY(reader.take<proto::RevokeBuffer>()).id});
    case proto::MessageType::SendRndisPacket:
      return Message(HV_TRY(reader.take<proto::RndisPacket>()));
    case proto::MessageType::SendNdisConfig:
      return Message(HV_TRY(reader.take<proto::NdisConfig>()));
    case proto::MessageType::SubChannel:
      return Message(HV_TRY(reader.take<proto::SubChannelRequest>()));
    case proto::MessageType::SwitchDataPath:
      return Message(HV_TRY(reader.take<proto::SwitchDataPath>()));
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
