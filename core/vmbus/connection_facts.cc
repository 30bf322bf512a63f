// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "core/base/guid.hpp"
#include "core/vmbus/connection.hpp"

namespace hv::vmbus {

using wire::vmbus::Version;

Version Connection::lower_version(Version version) {
  constexpr Version spoken[] = {Version::V5_3, Version::V5_2, Version::V5_1, Version::V5_0,
                                Version::V4_1, Version::V4_0, Version::V3_0, Version::V2_4};
  for (const Version candidate : spoken) {
    if (candidate < version) return candidate;
  }
  return Version{};
}

bool Connection::allowed_in_isolation(const Guid& class_id) {
  static constexpr Guid allowed[] = {
      "ba6163d9-04a1-4d29-b605-72e2ffb1dc7f"_guid,  // SCSI
      "f8615163-df3e-46c5-913f-f2d2f965ed0e"_guid,  // network
      "9527e630-d0ae-497b-adce-e80ab0175caf"_guid,  // time synchronisation
      "57164f39-9115-4e78-ab55-382f3bd5422d"_guid,  // heartbeat
      "0e0b6031-5213-4934-818b-38d90ced39db"_guid,  // shutdown
  };
  for (const Guid& guid : allowed) {
    if (guid == class_id) return true;
  }
  return false;
}

}  // namespace hv::vmbus
