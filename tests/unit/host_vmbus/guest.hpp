// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <cstring>
#include <optional>
#include <stdexcept>
#include <vector>

#include "core/base/bytes.hpp"
#include "core/wire/ring.hpp"
#include "core/wire/vmbus.hpp"
#include "host/vmbus/control.hpp"

namespace hv::test {

using wire::vmbus::MessageType;
using wire::vmbus::Version;
using Bytes = std::vector<std::byte>;

inline constexpr Guid kScsi = "ba6163d9-04a1-4d29-b605-72e2ffb1dc7f"_guid;

inline host::vmbus::OfferInfo offer_info(uint8_t number) {
  host::vmbus::OfferInfo info{};
  info.class_id = kScsi;
  info.instance_id.bytes[0] = number;
  return info;
}

inline Bytes plain(MessageType type) {
  const wire::vmbus::MessageHeader header{type, 0};
  const auto view = bytes_of(header);
  return {view.begin(), view.end()};
}

template <WireStruct T>
Bytes message(MessageType type, const T& payload, std::span<const uint64_t> words = {}) {
  Bytes out = plain(type);
  const auto view = bytes_of(payload);
  out.insert(out.end(), view.begin(), view.end());
  const auto tail = std::as_bytes(words);
  out.insert(out.end(), tail.begin(), tail.end());
  return out;
}

inline Bytes contact(Version version, uint32_t vp = 0, uint64_t sint = 2,
                     uint64_t monitor_page2 = 0) {
  return message(MessageType::InitiateContact,
                 wire::vmbus::InitiateContact{version, vp, sint, 0, monitor_page2});
}

/// The words of one page-aligned range over `pages` frames from `first` on.
inline std::vector<uint64_t> range_words(uint32_t pages, uint64_t first = 16) {
  std::vector<uint64_t> words{uint64_t{pages} * 4096};
  for (uint32_t i = 0; i < pages; i++) words.push_back(first + i);
  return words;
}

inline Bytes gpadl_header(uint32_t relid, uint32_t id, std::span<const uint64_t> words, size_t sent,
                          uint16_t ranges = 1) {
  return message(
      MessageType::GpadlHeader,
      wire::vmbus::GpadlHeader{relid, id, static_cast<uint16_t>(words.size() * 8), ranges},
      words.first(sent));
}

inline Bytes open(uint32_t relid, uint32_t gpadl, uint32_t split, uint32_t vp = 0,
                  uint32_t open_id = 77) {
  wire::vmbus::OpenChannel request{};
  request.channel_id = relid;
  request.open_id = open_id;
  request.gpadl_id = gpadl;
  request.target_vp = vp;
  request.downstream_offset = split;
  return message(MessageType::OpenChannel, request);
}

inline Bytes channel_message(MessageType type, uint32_t relid) {
  return message(type, wire::vmbus::ChannelId{relid});
}

inline MessageType type_of(std::span<const std::byte> bytes) {
  return ByteReader(bytes).take<wire::vmbus::MessageHeader>()->type;
}

template <WireStruct T>
T payload_of(std::span<const std::byte> bytes) {
  ByteReader reader(bytes);
  reader.skip(sizeof(wire::vmbus::MessageHeader)).take();
  return reader.take<T>().take();
}

/// A control machine and all that it said.
class Talk {
 public:
  explicit Talk(host::vmbus::ControlMachine::Options options = {}) : machine(options) {}

  /// Sends a message, and says yes (or `opens`) to every OpenRings.
  Talk& say(const Bytes& bytes, uint32_t connection = 4) {
    machine.message(connection, bytes, actions);
    settle();
    return *this;
  }
  void settle() {
    for (; seen < actions.size(); seen++) {
      if (const auto* rings = std::get_if<host::vmbus::OpenRings>(&actions[seen])) {
        const auto key = rings->channel;
        machine.opened(key, opens, actions);
      } else if (std::holds_alternative<host::vmbus::ShareMonitorPage>(actions[seen])) {
        machine.monitor_page_shared(shares, actions);
      }
    }
    if (const char* broken = machine.broken_invariant()) throw std::logic_error(broken);
  }
  Talk& connect(Version version = Version::V5_3) {
    return say(contact(version)).say(plain(MessageType::RequestOffers));
  }
  /// Connects, creates GPADL 1 of `pages` pages and opens the channel on it.
  Talk& open_ring(uint32_t relid, uint32_t gpadl, uint32_t pages = 8, uint32_t vp = 0) {
    const auto words = range_words(pages);
    say(gpadl_header(relid, gpadl, words, words.size()));
    return say(open(relid, gpadl, pages / 2, vp));
  }
  host::vmbus::ChannelKey offer(uint8_t number) {
    const auto key = machine.offer(offer_info(number), actions).take();
    settle();
    return key;
  }

  template <typename T>
  std::vector<T> all() const {
    std::vector<T> out;
    for (const auto& action : actions) {
      if (const auto* found = std::get_if<T>(&action)) out.push_back(*found);
    }
    return out;
  }
  /// Payloads of the messages of that type to the guest, in order.
  template <WireStruct T>
  std::vector<T> posted(MessageType type) const {
    std::vector<T> out;
    for (const auto& post : all<host::vmbus::PostMessage>()) {
      if (type_of(post.message.bytes()) == type) out.push_back(payload_of<T>(post.message.bytes()));
    }
    return out;
  }
  size_t count(MessageType type) const {
    size_t n = 0;
    for (const auto& post : all<host::vmbus::PostMessage>())
      n += type_of(post.message.bytes()) == type;
    return n;
  }
  bool complained(host::vmbus::Complaint what) const {
    for (const auto& complaint : all<host::vmbus::Complain>()) {
      if (complaint.complaint == what) return true;
    }
    return false;
  }
  void forget() {
    actions.clear();
    seen = 0;
  }

  host::vmbus::ControlMachine machine;
  host::vmbus::Actions actions;
  size_t seen = 0;
  bool shares = true;  ///< the monitor page is RAM
  bool opens = true;
};

}  // namespace hv::test
