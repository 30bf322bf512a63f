// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "core/ic/negotiate.hpp"

#include "core/base/bytes.hpp"

namespace hv::ic {

using wire::ic::Version;

namespace {

/// The first of ours among the `offered` bytes, whole versions; false when none is.
bool choose(std::span<const Version> ours, std::span<const std::byte> offered, Version& chosen) {
  for (const Version version : ours) {
    ByteReader reader(offered);
    while (reader.remaining() >= sizeof(Version)) {
      if (*reader.take<Version>() != version) continue;
      chosen = version;
      return true;
    }
  }
  return false;
}

}  // namespace

Result<Negotiated> negotiate(std::span<std::byte> body, std::span<const Version> frameworks,
                             std::span<const Version> services) {
  ByteReader reader(body);
  // Its last field means nothing, and hosts may leave it out.
  const auto offer = HV_TRY(reader.take_at_least<wire::ic::Negotiate>(4));
  Negotiated result{false, {offer.framework_count, 0}, {offer.service_count, 0}};

  bool framework = false;
  bool service = false;
  if (offer.framework_count <= wire::ic::kMaxVersions &&
      offer.service_count <= wire::ic::kMaxVersions &&
      reader.remaining() >=
          (size_t{offer.framework_count} + offer.service_count) * sizeof(Version)) {
    const auto offered = reader.rest();
    const size_t split = offer.framework_count * sizeof(Version);
    framework = choose(frameworks, offered.first(split), result.framework);
    service =
        framework && choose(services, offered.subspan(split, offer.service_count * sizeof(Version)),
                            result.service);
  }
  result.agreed = framework && service;

  ByteWriter writer(body);
  const uint16_t count = result.agreed;
  // What does not fit is not sent either.
  if (writer.put(wire::ic::Negotiate{count, count, offer.reserved}).ok() &&
      writer.put(result.framework).ok()) {
    (void)writer.put(result.service);
  }
  return result;
}

}  // namespace hv::ic
