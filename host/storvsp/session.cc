// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/storvsp/session.hpp"

namespace hv::host::storvsp {
namespace {

namespace proto = wire::storvsc;

bool known(proto::Version version) {
  switch (version) {
    case proto::Version::Win2008:
    case proto::Version::Win7:
    case proto::Version::Win8:
    case proto::Version::Win8_1:
    case proto::Version::Win10:
      return true;
  }
  return false;
}

Outgoing plain(const Incoming& packet, uint32_t status) {
  return {proto::Operation::CompleteIo, status, packet.size};
}

}  // namespace

void Session::reset() {
  const std::lock_guard lock(mutex_);
  ready_.store(false, std::memory_order_release);
  state_ = State::Begin;
  version_ = {};
}

size_t Session::packet_size() const {
  const std::lock_guard lock(mutex_);
  return version_ >= proto::Version::Win8 ? proto::kPacketSize : proto::kPacketSizeBeforeWin8;
}

bool Session::knows_enumerate_bus() const {
  const std::lock_guard lock(mutex_);
  return has(wire::Sender::Host, proto::Operation::EnumerateBus);
}

uint16_t Session::version() const {
  const std::lock_guard lock(mutex_);
  return static_cast<uint16_t>(version_);
}

/// Whether what was agreed on has this operation.
bool Session::has(wire::Sender sender, proto::Operation operation) const {
  const uint8_t features = proto::kFeatureMultiChannel |
                           (limits_.fibre_channel ? proto::kFeatureFibreChannel : uint8_t{0});
  return has_message(proto::kMessages, sender, operation, version_, features);
}

Outgoing Session::negotiate(const Incoming& packet, bool primary) {
  using proto::Operation;
  if (!has(wire::Sender::Guest, packet.operation))
    return plain(packet, proto::kStatusInvalidDeviceState);
  if (packet.operation == Operation::ResetBus || packet.operation == Operation::ResetAdapter ||
      packet.operation == Operation::ResetLun) {
    // Nothing to reset: every request is answered in its time, as the guest waits for after a
    // reset.
    return plain(packet,
                 state_ == State::Ready ? proto::kStatusSuccess : proto::kStatusInvalidDeviceState);
  }
  if (!primary) return plain(packet, proto::kStatusInvalidDeviceState);
  switch (state_) {
    case State::Begin:
      if (packet.operation != Operation::BeginInitialization) break;
      state_ = State::Version;
      return plain(packet, proto::kStatusSuccess);
    case State::Version:
      if (packet.operation != Operation::QueryProtocolVersion) break;
      return answer_version(packet);
    case State::Properties:
      if (packet.operation != Operation::QueryProperties) break;
      state_ = State::End;
      return answer_properties(packet);
    case State::End:
      if (packet.operation == Operation::FcHbaData && limits_.fibre_channel) {
        return plain(packet, proto::kStatusSuccess).with(*limits_.fibre_channel);
      }
      if (packet.operation != Operation::EndInitialization) break;
      state_ = State::Ready;
      ready_.store(true, std::memory_order_release);
      return plain(packet, proto::kStatusSuccess);
    case State::Ready:
      break;
  }
  return plain(packet, proto::kStatusInvalidDeviceState);
}

Outgoing Session::answer_version(const Incoming& packet) {
  const bool taken = known(packet.version) && packet.version <= limits_.newest;
  if (taken) {
    version_ = packet.version;
    state_ = State::Properties;
  }
  return plain(packet, taken ? proto::kStatusSuccess : proto::kStatusRevisionMismatch)
      .with(proto::ProtocolVersion{.version = packet.version, .revision = 0});
}

Outgoing Session::answer_properties(const Incoming& packet) {
  const proto::ChannelProperties properties{
      .reserved1 = 0,
      .max_sub_channels = multi_channel() ? limits_.max_sub_channels : uint16_t{0},
      .reserved2 = 0,
      .flags = multi_channel() ? proto::kSupportsMultiChannel : 0,
      .max_transfer_bytes = limits_.max_transfer_bytes,
      .reserved3 = 0,
  };
  return plain(packet, proto::kStatusSuccess).with(properties);
}

}  // namespace hv::host::storvsp
