// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/ic/dialogue.hpp"

#include <algorithm>
#include <cstring>

#include "core/base/bytes.hpp"

namespace hv::host::ic {
namespace {

namespace proto = wire::ic;
using proto::Header;
using proto::MessageType;
using proto::PipeHeader;
using proto::Version;

template <typename T>
void append(std::vector<std::byte>& bytes, const T& value) {
  const auto more = bytes_of(value);
  bytes.insert(bytes.end(), more.begin(), more.end());
}

bool has(std::span<const Version> offered, Version version) {
  return std::find(offered.begin(), offered.end(), version) != offered.end();
}

}  // namespace

std::vector<std::byte> Dialogue::message(MessageType type, std::span<const std::byte> payload) {
  std::vector<std::byte> bytes;
  append(bytes,
         PipeHeader{proto::kPipeData, static_cast<uint32_t>(sizeof(Header) + payload.size())});
  append(bytes, Header{.framework = framework_,
                       .type = type,
                       .message = version_,
                       .size = static_cast<uint16_t>(payload.size()),
                       .status = proto::kStatusSuccess,
                       .transaction = ++transaction_,
                       .flags = proto::kFlagTransaction | proto::kFlagRequest,
                       .reserved = {}});
  bytes.insert(bytes.end(), payload.begin(), payload.end());
  waiting_ = type;
  return bytes;
}

std::vector<std::byte> Dialogue::negotiation() {
  state_ = State::Negotiating;
  framework_ = version_ = {};
  std::vector<std::byte> payload;
  append(payload, proto::Negotiate{static_cast<uint16_t>(offered_.frameworks.size()),
                                   static_cast<uint16_t>(offered_.versions.size()), 0});
  for (const Version version : offered_.frameworks) append(payload, version);
  for (const Version version : offered_.versions) append(payload, version);
  return message(MessageType::Negotiate, payload);
}

std::vector<std::byte> Dialogue::request(std::span<const std::byte> payload) {
  return message(offered_.type, payload);
}

Result<std::span<const std::byte>> Dialogue::answered(std::span<const std::byte> packet) {
  ByteReader reader(packet);
  const auto pipe = HV_TRY(reader.take<PipeHeader>());
  const auto header = HV_TRY(reader.take<Header>());
  if (pipe.type != proto::kPipeData || (header.flags & proto::kFlagResponse) == 0)
    return Error::BadValue;
  if (pipe.length < sizeof(Header) || pipe.length > packet.size() - sizeof(PipeHeader) ||
      header.size > pipe.length - sizeof(Header))
    return Error::BadLength;
  if (!waiting_ || header.transaction != transaction_) return Error::BadId;
  if (header.type != *waiting_) return Error::BadValue;
  const auto payload = HV_TRY(reader.take_bytes(header.size));
  waiting_.reset();
  if (header.type == MessageType::Negotiate) {
    HV_TRY(agreed(payload));
    return std::span<const std::byte>{};
  }
  if (header.status != proto::kStatusSuccess) return Error::Refused;
  return payload;
}

Result<void> Dialogue::agreed(std::span<const std::byte> payload) {
  ByteReader reader(payload);
  const auto counts = HV_TRY(reader.take<proto::Negotiate>());
  if (counts.framework_count != 1 || counts.service_count != 1) {
    state_ = State::Refused;
    return {};
  }
  const auto framework = HV_TRY(reader.take<Version>());
  const auto version = HV_TRY(reader.take<Version>());
  if (!has(offered_.frameworks, framework) || !has(offered_.versions, version))
    return Error::BadValue;
  framework_ = framework;
  version_ = version;
  state_ = State::Ready;
  return {};
}

}  // namespace hv::host::ic
