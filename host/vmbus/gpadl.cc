// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/vmbus/gpadl.hpp"

#include <algorithm>
#include <cstring>

#include "core/wire/ring.hpp"

namespace hv::host::vmbus {
namespace {

/// Cuts the words into ranges. Errors: BadValue (offset, empty range), BadLength (a range longer
/// than the words).
Result<Gpadl> parse_ranges(std::span<const uint64_t> words, uint16_t range_count) {
  Gpadl gpadl;
  gpadl.ranges.reserve(range_count);
  for (uint16_t i = 0; i < range_count; i++) {
    if (words.empty()) return Error::BadLength;
    const auto byte_count = static_cast<uint32_t>(words[0]);
    const auto byte_offset = static_cast<uint32_t>(words[0] >> 32);
    if (byte_offset >= hv::wire::kPageSize || byte_count == 0) return Error::BadValue;
    const uint64_t frames =
        (uint64_t{byte_offset} + byte_count + hv::wire::kPageSize - 1) / hv::wire::kPageSize;
    words = words.subspan(1);
    if (frames > words.size()) return Error::BadLength;
    const auto taken = words.first(static_cast<size_t>(frames));
    gpadl.ranges.push_back({byte_count, byte_offset, {taken.begin(), taken.end()}});
    words = words.subspan(taken.size());
  }
  return gpadl;
}

}  // namespace

Result<GpadlTable::Progress> GpadlTable::take_in(Entry& entry, std::span<const std::byte> payload) {
  const size_t wanted = entry.announced_words - entry.words.size();
  const size_t given = std::min(payload.size() / sizeof(uint64_t), wanted);
  if (given == 0 && wanted != 0) return Error::BadLength;
  const size_t start = entry.words.size();
  entry.words.resize(start + given);
  std::memcpy(entry.words.data() + start, payload.data(), given * sizeof(uint64_t));
  if (given < wanted) return Progress::Incomplete;
  entry.gpadl = HV_TRY(parse_ranges(entry.words, entry.range_count));
  entry.complete = true;
  entry.words = {};
  return Progress::Complete;
}

Result<GpadlTable::Progress> GpadlTable::begin(uint32_t channel, uint32_t id, uint16_t range_bytes,
                                               uint16_t range_count,
                                               std::span<const std::byte> payload) {
  if (entries_.contains({channel, id}) || under_way_.contains(id)) return Error::BadId;
  if (range_count == 0 || range_bytes % sizeof(uint64_t) != 0) return Error::BadValue;
  const size_t announced = range_bytes / sizeof(uint64_t);
  if (announced < size_t{2} * range_count) return Error::BadLength;
  if (entries_.size() >= limits_.count || limits_.words - words_ < announced)
    return Error::Exhausted;

  Entry entry;
  entry.announced_words = announced;
  entry.range_count = range_count;
  const Progress progress = HV_TRY(take_in(entry, payload));
  words_ += announced;
  entries_.emplace(Key{channel, id}, std::move(entry));
  if (progress == Progress::Incomplete) under_way_.emplace(id, channel);
  return progress;
}

Result<uint32_t> GpadlTable::under_way(uint32_t id) const {
  const auto at = under_way_.find(id);
  if (at == under_way_.end()) return Error::BadId;
  return at->second;
}

Result<GpadlTable::Progress> GpadlTable::append(uint32_t id, std::span<const std::byte> payload) {
  const uint32_t channel = HV_TRY(under_way(id));
  const auto at = entries_.find({channel, id});
  auto progress = take_in(at->second, payload);
  if (!progress) {
    erase(at);
  } else if (*progress == Progress::Complete) {
    under_way_.erase(id);
  }
  return progress;
}

const Gpadl* GpadlTable::find(uint32_t channel, uint32_t id) const {
  const auto at = entries_.find({channel, id});
  return at != entries_.end() && at->second.complete ? &at->second.gpadl : nullptr;
}

Result<void> GpadlTable::remove(uint32_t channel, uint32_t id) {
  const auto at = entries_.find({channel, id});
  if (at == entries_.end() || !at->second.complete) return Error::BadId;
  erase(at);
  return {};
}

void GpadlTable::remove_all_of(uint32_t channel) {
  for (auto at = entries_.lower_bound({channel, 0});
       at != entries_.end() && at->first.first == channel;) {
    const auto next = std::next(at);
    erase(at);
    at = next;
  }
}

void GpadlTable::clear() {
  entries_.clear();
  under_way_.clear();
  words_ = 0;
}

void GpadlTable::erase(std::map<Key, Entry>::iterator at) {
  words_ -= at->second.announced_words;
  if (!at->second.complete) under_way_.erase(at->first.second);
  entries_.erase(at);
}

bool GpadlTable::contains(uint64_t frame) const {
  for (const auto& [key, entry] : entries_) {
    for (const GpadlRange& range : entry.gpadl.ranges) {
      if (std::ranges::find(range.frames, frame) != range.frames.end()) return true;
    }
  }
  return false;
}

bool GpadlTable::consistent() const {
  size_t words = 0;
  size_t incomplete = 0;
  for (const auto& [key, entry] : entries_) {
    words += entry.announced_words;
    if (entry.complete) continue;
    incomplete++;
    const auto at = under_way_.find(key.second);
    if (at == under_way_.end() || at->second != key.first) return false;
  }
  return words == words_ && incomplete == under_way_.size() && entries_.size() <= limits_.count &&
         words_ <= limits_.words;
}

}  // namespace hv::host::vmbus
