// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "core/storvsc/identity.hpp"

#include "core/base/bytes.hpp"

namespace hv::storvsc {

namespace {

using Bytes = std::span<const std::byte>;

/// Of a designator, its association and type share a byte.
constexpr uint8_t kTypeMask = 0x0f, kAssociationMask = 0x30, kOfLogicalUnit = 0x00;
constexpr uint8_t kVendor = 1, kEui64 = 2, kNaa = 3;

struct PageHead {
  uint8_t device;
  uint8_t page;
  uint8_t length[2];  ///< of the designators, big-endian
};
struct DesignatorHead {
  uint8_t code_set;
  uint8_t type;
  uint8_t reserved;
  uint8_t length;
};

/// The designators of a page, as far as they came; none of another page.
Bytes designators_of(Bytes page) {
  ByteReader reader(page);
  const auto head = reader.take<PageHead>();
  if (!head || head->page != 0x83) return {};
  const size_t said = size_t{head->length[0]} << 8 | head->length[1];
  const Bytes rest = reader.rest();
  return rest.first(said < rest.size() ? said : rest.size());
}

/// The first designator of that type that names the logical unit; empty: there is none.
Bytes find(Bytes designators, uint8_t type) {
  ByteReader reader(designators);
  while (true) {
    const auto head = reader.take<DesignatorHead>();
    if (!head) return {};
    const auto bytes = reader.take_bytes(head->length);
    if (!bytes) return {};
    if ((head->type & kTypeMask) == type && (head->type & kAssociationMask) == kOfLogicalUnit)
      return *bytes;
  }
}

bool equal(Bytes a, Bytes b) {
  return a.size() == b.size() && __builtin_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace

Identity compare_identity(Bytes known, Bytes now) {
  const Bytes ours = designators_of(known);
  const Bytes theirs = designators_of(now);
  for (const uint8_t type : {kNaa, kEui64, kVendor}) {
    const Bytes one = find(ours, type);
    const Bytes other = find(theirs, type);
    if (!one.empty() && !other.empty()) return equal(one, other) ? Identity::Same : Identity::Other;
  }
  return Identity::Unknown;
}

}  // namespace hv::storvsc
