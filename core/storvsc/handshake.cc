// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "core/storvsc/handshake.hpp"

namespace hv::storvsc {

using wire::storvsc::Header;
using wire::storvsc::Operation;

namespace {

template <WireStruct T>
void put_body(Packet& packet, const T& body) {
  static_assert(sizeof(T) <= sizeof(packet.body.bytes));
  __builtin_memcpy(packet.body.bytes.data(), &body, sizeof(T));
}

bool may_create_sub_channels(const Dialect& dialect) {
  return dialect
      .check(wire::Sender::Guest, Operation::CreateSubChannels,
             sizeof(wire::storvsc::SubChannelCount))
      .ok();
}

constexpr uint32_t clamp_transfer(uint32_t bytes) {
  const uint32_t whole = bytes & ~(kLeastTransfer - 1);
  return whole < kMostTransfer ? whole : kMostTransfer;
}

}  // namespace

Packet Handshake::packet() const {
  switch (state_) {
    case State::Begin:
      return plain_packet(Operation::BeginInitialization);
    case State::QueryVersion: {
      Packet packet = plain_packet(Operation::QueryProtocolVersion);
      put_body(packet, wire::storvsc::ProtocolVersion{.version = kDialects[attempt_].version,
                                                      .revision = 0});
      return packet;
    }
    case State::QueryProperties:
      return plain_packet(Operation::QueryProperties);
    case State::QueryAdapterNames:
      return plain_packet(Operation::FcHbaData);
    case State::End:
      return plain_packet(Operation::EndInitialization);
    case State::CreateSubChannels: {
      Packet packet = plain_packet(Operation::CreateSubChannels);
      put_body(packet, wire::storvsc::SubChannelCount{.count = properties_.sub_channels});
      return packet;
    }
    case State::Done:
    case State::Failed:
      break;
  }
  __builtin_trap();
}

Result<void> Handshake::answered(std::span<const std::byte> packet) {
  auto following = next(packet);
  state_ = following ? *following : State::Failed;
  if (!following) return following.error();
  return {};
}

Result<Handshake::State> Handshake::next(std::span<const std::byte> packet) {
  const auto header = HV_TRY(parse_answer(packet));
  const bool refused = header.status != wire::storvsc::kStatusSuccess;

  switch (state_) {
    case State::Begin:
      if (refused) return Error::Refused;
      return State::QueryVersion;

    case State::QueryVersion:
      if (!refused) {
        properties_.dialect = kDialects[attempt_];
        properties_.dialect.features =
            wishes_.fibre_channel ? wire::storvsc::kFeatureFibreChannel : uint8_t{0};
        return State::QueryProperties;
      }
      if (++attempt_ == kDialects.size()) return Error::NotSupported;
      return State::QueryVersion;

    case State::QueryProperties: {
      if (refused) return Error::Refused;
      ByteReader reader(packet.subspan(sizeof(Header)));
      const auto answer = HV_TRY(reader.take<wire::storvsc::ChannelProperties>());
      properties_.max_transfer = clamp_transfer(answer.max_transfer_bytes);
      if (properties_.max_transfer < kLeastTransfer) return Error::BadValue;
      if (answer.flags & wire::storvsc::kSupportsMultiChannel)
        properties_.dialect.features |= wire::storvsc::kFeatureMultiChannel;
      host_sub_channels_ = answer.max_sub_channels;
      return wishes_.fibre_channel ? State::QueryAdapterNames : State::End;
    }

    case State::QueryAdapterNames:
      if (refused) return Error::Refused;
      properties_.names = HV_TRY(parse_adapter_names(packet));
      return State::End;

    case State::End:
      if (refused) return Error::Refused;
      if (may_create_sub_channels(properties_.dialect)) {
        properties_.sub_channels =
            wishes_.sub_channels < host_sub_channels_ ? wishes_.sub_channels : host_sub_channels_;
      }
      return properties_.sub_channels ? State::CreateSubChannels : State::Done;

    case State::CreateSubChannels:
      if (refused) properties_.sub_channels = 0;
      return State::Done;

    case State::Done:
    case State::Failed:
      return Error::BadState;
  }
  __builtin_trap();
}

}  // namespace hv::storvsc
