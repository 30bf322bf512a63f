// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "core/ic/service.hpp"

#include "core/base/bytes.hpp"
#include "core/ic/negotiate.hpp"

namespace hv::ic {

using wire::ic::Header;
using wire::ic::MessageType;
using wire::ic::PipeHeader;

namespace {

constexpr size_t kHeaderAt = sizeof(PipeHeader);
constexpr size_t kPayloadAt = kHeaderAt + sizeof(Header);

void put_header(std::span<std::byte> packet, const Header& header) {
  __builtin_memcpy(packet.data() + kHeaderAt, &header, sizeof(header));
}

}  // namespace

Result<Request> Service::take(std::span<std::byte> packet) {
  ByteReader reader(packet);
  const auto pipe = HV_TRY(reader.take<PipeHeader>());
  const auto header = HV_TRY(reader.take<Header>());
  if (pipe.type != wire::ic::kPipeData || header.flags & wire::ic::kFlagResponse)
    return Error::BadValue;
  // Packets are padded: what the headers say may be less than what came.
  if (pipe.length < sizeof(Header) || pipe.length > packet.size() - kHeaderAt ||
      header.size > pipe.length - sizeof(Header))
    return Error::BadLength;
  const auto payload = packet.subspan(kPayloadAt, header.size);
  if (header.type == MessageType::Negotiate) return negotiate_with(packet);
  if (header.type != traits_->type) return Error::BadValue;
  if (!ready_) return Error::BadState;
  if (payload.size() < traits_->least) return Error::Truncated;
  return Request{Request::Kind::Asked, payload};
}

Result<Request> Service::negotiate_with(std::span<std::byte> packet) {
  Header header;
  __builtin_memcpy(&header, packet.data() + kHeaderAt, sizeof(header));
  const auto chosen = HV_TRY(
      negotiate(packet.subspan(kPayloadAt, header.size), traits_->frameworks, traits_->versions));
  ready_ = chosen.agreed;
  framework_ = chosen.framework;
  version_ = chosen.service;
  // An answer is a count of 1 each and the two versions; it is never longer than the offer.
  constexpr size_t kAnswer = sizeof(wire::ic::Negotiate) + 2 * sizeof(wire::ic::Version);
  if (header.size > kAnswer) header.size = kAnswer;
  put_header(packet, header);
  return Request{Request::Kind::Negotiated};
}

void Service::answer(std::span<std::byte> packet, uint32_t status) {
  Header header;
  __builtin_memcpy(&header, packet.data() + kHeaderAt, sizeof(header));
  header.status = status;
  header.flags = wire::ic::kFlagTransaction | wire::ic::kFlagResponse;
  put_header(packet, header);
}

}  // namespace hv::ic
