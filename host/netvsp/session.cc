// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/netvsp/session.hpp"

#include <algorithm>

#include "core/base/checked.hpp"
#include "host/netvsp/packet.hpp"

namespace hv::host::netvsp {
namespace {

namespace proto = wire::netvsc;

constexpr proto::Version kVersions[] = {proto::Version::V6_1, proto::Version::V6,
                                        proto::Version::V5,   proto::Version::V4,
                                        proto::Version::V2,   proto::Version::V1};
constexpr uint32_t kMdlChain = 34;
constexpr uint32_t kLeastFrame = 68 + 14;
constexpr uint32_t kLeastSection =
    1728;  // what guests reckon with when they choose the size of the buffer
constexpr uint32_t kMostSections = 65536;

Outgoing buffer_complete(Buffer which, proto::Status status, Sections cut) {
  if (which == Buffer::Send)
    return Outgoing(proto::MessageType::SendSendBufferComplete,
                    proto::SendBufferComplete{status, cut.size});
  const proto::ReceiveSections run{0, cut.size, cut.count, cut.size * cut.count};
  return Outgoing(proto::MessageType::SendReceiveBufferComplete,
                  proto::ReceiveBufferComplete{status, cut.count > 0 ? 1u : 0u, run});
}

template <class... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};
template <class... Ts>
Overloaded(Ts...) -> Overloaded<Ts...>;

}  // namespace

Step Session::handle(const Message& message) {
  return std::visit(
      Overloaded{
          [&](const proto::Init& request) -> Step { return init(request); },
          [&](const proto::NdisVersion&) -> Step { return Nothing{}; },
          [&](const proto::NdisConfig& config) -> Step {
            // It decides how the receive buffer is cut: too late when there is one.
            if (has(wire::Sender::Guest, proto::MessageType::SendNdisConfig) &&
                receive_ == Have::No) {
              frame_size_ = std::clamp<uint32_t>(config.frame_size, kLeastFrame, net::kMaxFrame);
              capabilities_ = static_cast<uint32_t>(config.capabilities);
            }
            return Nothing{};
          },
          [&](const OfferBuffer& request) -> Step { return offer_buffer(request); },
          [&](const RevokeBuffer& request) -> Step {
            (request.which == Buffer::Receive ? receive_ : send_) = Have::No;
            return DropBuffer{request.which};
          },
          [&](const proto::SubChannelRequest& request) -> Step { return sub_channels(request); },
          [&](const proto::SwitchDataPath& request) -> Step {
            if (!has(wire::Sender::Guest, proto::MessageType::SwitchDataPath))
              return Answer{Outgoing()};
            data_path_ = request.active == proto::DataPath::Vf ? proto::DataPath::Vf
                                                               : proto::DataPath::Synthetic;
            return SwitchPath{Outgoing()};
          },
          [&](const proto::RndisPacket&) -> Step { return Nothing{}; },
          [&](const Unknown&) -> Step { return Answer{Outgoing()}; },
      },
      message);
}

Step Session::init(const proto::Init& request) {
  proto::InitComplete answer{request.most, kMdlChain, proto::Status::ProtocolUnsupported};
  if (version_) {
    answer.status = proto::Status::Failure;  // it is agreed on already
  } else {
    for (const proto::Version version : kVersions) {
      if (version > limits_.newest || version > request.most || version < request.least) continue;
      version_ = version;
      answer.version = version;
      answer.status = proto::Status::Success;
      break;
    }
  }
  return Answer{Outgoing(proto::MessageType::InitComplete, answer)};
}

Step Session::offer_buffer(const OfferBuffer& request) {
  Have& have = request.which == Buffer::Receive ? receive_ : send_;
  // A second one is refused, and the first stays.
  if (!version_ || have != Have::No)
    return Answer{buffer_complete(request.which, proto::Status::Failure, {})};
  have = Have::Asked;
  if (request.which == Buffer::Receive) receive_buffer_id_ = request.body.id;
  return FindBuffer{request.which, request.body.gpadl_id};
}

Outgoing Session::buffer_found(Buffer which, uint64_t bytes) {
  Have& have = which == Buffer::Receive ? receive_ : send_;
  Sections cut;
  if (which == Buffer::Receive) {
    cut.size = align_up(std::max<uint32_t>(kLeastSection, kReceiveOverhead + frame_size_), 64u);
    cut.count = static_cast<uint32_t>(std::min<uint64_t>(bytes / cut.size, kMostSections));
  } else {
    cut = {proto::kSendSectionSize, static_cast<uint32_t>(std::min<uint64_t>(
                                        bytes / proto::kSendSectionSize, kMostSections))};
  }
  if (have != Have::Asked || cut.count == 0) {
    if (have == Have::Asked) have = Have::No;
    return buffer_complete(which, proto::Status::Failure, {});
  }
  have = Have::Yes;
  if (which == Buffer::Receive) receive_sections_ = cut;
  return buffer_complete(which, proto::Status::Success, cut);
}

uint16_t Session::queues() const {
  return static_cast<uint16_t>(
      std::max<uint32_t>(1, std::min<uint32_t>(limits_.queues, receive_sections_.count)));
}

uint32_t Session::send_table_offset() const {
  const bool misstated = limits_.old_send_table && version_ && *version_ <= proto::Version::V6;
  return misstated ? proto::kMessageSize - 8 : proto::kMessageSize;
}

Step Session::sub_channels(const proto::SubChannelRequest& request) const {
  proto::SubChannelComplete answer{proto::Status::Failure, 0};
  if (has(wire::Sender::Guest, proto::MessageType::SubChannel) && receive_ == Have::Yes &&
      request.operation == proto::kAllocateSubChannels) {
    answer = {proto::Status::Success, std::min<uint32_t>(request.count, queues() - 1u)};
  }
  return OfferChannels{Outgoing(proto::MessageType::SubChannel, answer),
                       static_cast<uint16_t>(answer.count)};
}

}  // namespace hv::host::netvsp
