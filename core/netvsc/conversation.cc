// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "core/netvsc/conversation.hpp"

namespace hv::netvsc {

using wire::rndis::MessageType;

namespace {

Told told(const Indication& indication) {
  switch (indication.kind) {
    case Indication::Kind::LinkUp:
      return {Told::Kind::LinkUp};
    case Indication::Kind::LinkDown:
      return {Told::Kind::LinkDown};
    case Indication::Kind::NetworkChanged:
      return {Told::Kind::NetworkChanged};
    case Indication::Kind::SpeedChanged:
      return {Told::Kind::Speed, indication.speed};
    case Indication::Kind::Other:
      break;
  }
  return {Told::Kind::Nothing};
}

}  // namespace

Told Conversation::hear(std::span<const std::byte> message) {
  const auto view = parse_control(message);
  if (!view) return {Told::Kind::Nonsense};
  switch (view->type) {
    case MessageType::InitializeComplete:
    case MessageType::QueryComplete:
    case MessageType::SetComplete:
      return {take(message, *view) ? Told::Kind::Answer : Told::Kind::Nothing};
    case MessageType::IndicateStatus: {
      const auto indication = parse_indication(*view);
      return indication ? told(*indication) : Told{Told::Kind::Nonsense};
    }
    case MessageType::KeepAlive: {
      const auto id = ByteReader(view->body).take<uint32_t>();
      return id ? Told{Told::Kind::KeepAlive, *id} : Told{Told::Kind::Nonsense};
    }
    case MessageType::ResetComplete:
    case MessageType::KeepAliveComplete:
      return {Told::Kind::Nothing};
    case MessageType::Packet:
    case MessageType::Initialize:
    case MessageType::Halt:
    case MessageType::Query:
    case MessageType::Set:
    case MessageType::Reset:
      break;
  }
  return {Told::Kind::Nonsense};
}

}  // namespace hv::netvsc
