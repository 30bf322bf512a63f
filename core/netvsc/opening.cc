// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "core/netvsc/opening.hpp"

namespace hv::netvsc {

namespace proto = wire::netvsc;
using proto::MessageType;
using proto::Status;

namespace {

/// Sections smaller than the smallest MTU cannot hold a frame.
constexpr uint32_t kLeastSection = kLeastMtu;

/// The body of an answer of `type`.
template <WireStruct T>
Result<T> body_of(std::span<const std::byte> answer, MessageType type, const Dialect& dialect) {
  ByteReader reader(answer);
  const auto header = HV_TRY(reader.take<proto::Header>());
  if (header.type != type) return Error::BadValue;
  HV_TRY(dialect.check(wire::Sender::Host, type, reader.remaining()));
  return wire::take_body<T>(reader);
}

/// Sections of `size` bytes that a buffer of `bytes` holds.
constexpr bool fits(uint32_t size, uint32_t count, uint32_t bytes) {
  return uint64_t{size} * count <= bytes;
}

}  // namespace

Result<void> Opening::give_buffer(uint32_t gpadl, uint32_t bytes) {
  if (state_ != State::ReceiveBuffer && state_ != State::SendBuffer) return Error::BadState;
  if (bytes == 0) return Error::BadLength;
  gpadl_ = gpadl;
  buffer_bytes_ = bytes;
  return {};
}

Result<void> Opening::skip_send_buffer() {
  if (state_ != State::SendBuffer) return Error::BadState;
  state_ = State::Done;
  return {};
}

Message Opening::message() const {
  switch (state_) {
    case State::Version:
      return make_message(MessageType::Init, proto::Init{kVersions[attempt_], kVersions[attempt_]});
    case State::Config:
      return make_message(MessageType::SendNdisConfig,
                          proto::NdisConfig{.frame_size = wishes_.mtu + kEthernetHeader,
                                            .reserved = 0,
                                            .capabilities = dialect_.capabilities()});
    case State::NdisVersion:
      return make_message(MessageType::SendNdisVersion,
                          proto::NdisVersion{.major = 6, .minor = dialect_.ndis_minor()});
    case State::ReceiveBuffer:
      return make_message(MessageType::SendReceiveBuffer,
                          proto::SendBuffer{gpadl_, proto::kReceiveBufferId});
    case State::SendBuffer:
      return make_message(MessageType::SendSendBuffer,
                          proto::SendBuffer{gpadl_, proto::kSendBufferId});
    case State::Done:
    case State::Failed:
      break;
  }
  __builtin_trap();
}

bool Opening::wants_answer() const {
  switch (state_) {
    case State::Version:
    case State::ReceiveBuffer:
    case State::SendBuffer:
      return true;
    case State::Config:
    case State::NdisVersion:
    case State::Done:
    case State::Failed:
      return false;
  }
  __builtin_trap();
}

Result<void> Opening::sent() {
  switch (state_) {
    case State::Config:
      state_ = State::NdisVersion;
      return {};
    case State::NdisVersion:
      state_ = State::ReceiveBuffer;
      return {};
    case State::Version:
    case State::ReceiveBuffer:
    case State::SendBuffer:
    case State::Done:
    case State::Failed:
      break;
  }
  return Error::BadState;
}

Result<void> Opening::answered(std::span<const std::byte> answer) {
  auto following = next(answer);
  state_ = following ? *following : State::Failed;
  if (!following) return following.error();
  return {};
}

Result<Opening::State> Opening::next(std::span<const std::byte> answer) {
  switch (state_) {
    case State::Version: {
      const auto complete =
          HV_TRY(body_of<proto::InitComplete>(answer, MessageType::InitComplete, dialect_));
      if (complete.status == Status::Success) {
        dialect_ = Dialect(kVersions[attempt_], wishes_.virtual_function && !wishes_.isolated);
        if (wishes_.isolated && !dialect_.at_least(proto::Version::V6_1))
          return Error::NotSupported;
        return dialect_.takes_config() ? State::Config : State::NdisVersion;
      }
      if (++attempt_ == kVersions.size()) return Error::NotSupported;
      return State::Version;
    }
    case State::ReceiveBuffer:
      if (buffer_bytes_ == 0) return Error::BadState;
      receive_ = HV_TRY(receive_answer(answer));
      buffer_bytes_ = 0;
      return State::SendBuffer;
    case State::SendBuffer:
      if (buffer_bytes_ == 0) return Error::BadState;
      send_ = HV_TRY(send_answer(answer));
      return State::Done;
    case State::Config:
    case State::NdisVersion:
    case State::Done:
    case State::Failed:
      return Error::BadState;
  }
  __builtin_trap();
}

Result<Sections> Opening::receive_answer(std::span<const std::byte> answer) const {
  const auto complete = HV_TRY(body_of<proto::ReceiveBufferComplete>(
      answer, MessageType::SendReceiveBufferComplete, dialect_));
  if (complete.status != Status::Success) return Error::Refused;
  // One run for all of the buffer: that is what the ranges of transfer-page packets are held
  // against.
  if (complete.run_count != 1 || complete.run.offset != 0) return Error::BadValue;
  const Sections sections{complete.run.section_size, complete.run.section_count};
  if (sections.size < kLeastSection || sections.count == 0) return Error::BadValue;
  if (!fits(sections.size, sections.count, buffer_bytes_)) return Error::BadValue;
  return sections;
}

Result<Sections> Opening::send_answer(std::span<const std::byte> answer) const {
  const auto complete = HV_TRY(
      body_of<proto::SendBufferComplete>(answer, MessageType::SendSendBufferComplete, dialect_));
  if (complete.status != Status::Success) return Sections{};
  // Divided by below: 0 would be no section at all.
  if (complete.section_size < kLeastSection || complete.section_size > buffer_bytes_)
    return Error::BadValue;
  return Sections{complete.section_size, buffer_bytes_ / complete.section_size};
}

Message sub_channel_request(uint32_t count) {
  return make_message(MessageType::SubChannel,
                      proto::SubChannelRequest{proto::kAllocateSubChannels, count});
}

Result<uint32_t> parse_sub_channel_answer(std::span<const std::byte> answer, uint32_t asked) {
  const auto complete =
      HV_TRY(body_of<proto::SubChannelComplete>(answer, MessageType::SubChannel, kNewest));
  if (complete.status != Status::Success) return 0u;
  return complete.count < asked ? complete.count : asked;
}

Message revoke_receive_buffer() {
  return make_message(MessageType::RevokeReceiveBuffer,
                      proto::RevokeBuffer{proto::kReceiveBufferId});
}

Message revoke_send_buffer() {
  return make_message(MessageType::RevokeSendBuffer, proto::RevokeBuffer{proto::kSendBufferId});
}

Message switch_data_path(proto::DataPath path) {
  return make_message(MessageType::SwitchDataPath, proto::SwitchDataPath{path});
}

}  // namespace hv::netvsc
