// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "core/base/result.hpp"

namespace hv::host::vmbus {

/// One range of a GPADL. `frames` are the numbers of all 4 KiB pages that the range touches;
/// whether they are RAM is not known here.
struct GpadlRange {
  uint32_t byte_count;
  uint32_t byte_offset;  ///< below 4096
  std::vector<uint64_t> frames;
};

/// A complete GPADL.
struct Gpadl {
  std::vector<GpadlRange> ranges;
};

/// The GPADLs of one connection, those under way included. Nothing here grows beyond `Limits`,
/// whatever the guest announces. Not thread-safe. Source: vmbus_core protocol (OpenVMM).
class GpadlTable {
 public:
  struct Limits {
    size_t count = 4096;      ///< GPADLs
    size_t words = 1u << 20;  ///< 8-byte words of their descriptions together: about as many pages
  };
  enum class Progress : bool { Incomplete, Complete };
  /// The channel that a body message belonged to, and how far its GPADL is.
  struct Step {
    uint32_t channel;
    Progress progress;
  };

  explicit GpadlTable(Limits limits) : limits_(limits) {}

  /// Starts a GPADL with what the header message carried behind its fixed part. Bytes beyond
  /// `range_bytes` are ignored: some guests always send whole messages. Errors: BadId (id in use),
  /// BadLength, BadValue, Exhausted; nothing is kept then.
  Result<Progress> begin(uint32_t channel, uint32_t id, uint16_t range_bytes, uint16_t range_count,
                         std::span<const std::byte> payload);

  /// The channel whose GPADL `id` is under way. Errors: BadId.
  Result<uint32_t> under_way(uint32_t id) const;
  /// Continues it with a body message's payload. Errors: BadId, BadLength, BadValue; the GPADL is
  /// forgotten then.
  Result<Progress> append(uint32_t id, std::span<const std::byte> payload);

  /// A complete GPADL of that channel, or nullptr.
  const Gpadl* find(uint32_t channel, uint32_t id) const;
  /// Errors: BadId (no such complete GPADL).
  Result<void> remove(uint32_t channel, uint32_t id);
  void remove_all_of(uint32_t channel);
  void clear();

  size_t count() const { return entries_.size(); }
  size_t words() const { return words_; }
  /// Whether a complete GPADL has the page; for simulation.
  bool contains(uint64_t frame) const;
  /// Whether the sums agree with the entries; for tests and fuzzing.
  bool consistent() const;

 private:
  using Key = std::pair<uint32_t, uint32_t>;  ///< channel, id
  struct Entry {
    size_t announced_words = 0;
    uint16_t range_count = 0;
    std::vector<uint64_t> words;  ///< as received, until complete
    bool complete = false;
    Gpadl gpadl;
  };
  static Result<Progress> take_in(Entry& entry, std::span<const std::byte> payload);
  void erase(std::map<Key, Entry>::iterator at);

  Limits limits_;
  std::map<Key, Entry> entries_;
  std::map<uint32_t, uint32_t> under_way_;  ///< id -> channel: bodies do not name it
  size_t words_ = 0;
};

}  // namespace hv::host::vmbus
