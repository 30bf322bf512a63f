// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <deque>
#include <numeric>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "core/base/bytes.hpp"
#include "core/vmbus/connection.hpp"

namespace hv {
inline void PrintTo(Error error, std::ostream* out) { *out << name(error); }
}  // namespace hv

namespace hv::vmbus::test {

namespace wire = hv::wire::vmbus;
using wire::MessageType;
using wire::Version;

inline constexpr Guid kDisk = "ba6163d9-04a1-4d29-b605-72e2ffb1dc7f"_guid;
inline constexpr Guid kKeyboard = "f912ad6d-2b17-48ea-bd65-f927a61c7684"_guid;

inline Guid instance(uint8_t number) {
  Guid guid = "11111111-2222-3333-4444-555555555500"_guid;
  guid.bytes[15] = number;
  return guid;
}

struct Sent {
  uint32_t connection_id;
  MessageType type;
  uint32_t reserved;
  std::vector<std::byte> payload;
  template <typename T>
  T as() const {
    T value{};
    std::memcpy(&value, payload.data(), std::min(sizeof(T), payload.size()));
    return value;
  }
};

/// A connection, and both of its ends in the hands of a test.
class Guest {
 public:
  explicit Guest(ConnectionConfig config = {}, size_t spares = 16)
      : connection(config), channels(spares) {
    for (auto& channel : channels) connection.donate(channel);
  }

  /// All that is posted now; each post ends as `accepted` says.
  std::vector<Sent> sent(bool accepted = true) {
    std::vector<Sent> all;
    Post post;
    for (;;) {
      post.bytes.fill(std::byte{0xcc});
      if (!connection.next_post(post)) break;
      ByteReader reader(post.payload());
      const auto header = reader.take<wire::MessageHeader>();
      EXPECT_TRUE(header.ok());
      EXPECT_EQ(header->reserved, 0u);
      all.push_back({post.connection_id,
                     header->type,
                     header->reserved,
                     {reader.rest().begin(), reader.rest().end()}});
      connection.posted(accepted);
      if (!accepted) break;
    }
    return all;
  }
  std::vector<MessageType> sent_types() {
    std::vector<MessageType> types;
    for (const auto& message : sent()) types.push_back(message.type);
    return types;
  }

  template <typename T>
  Result<void> host(MessageType type, const T& payload) {
    std::vector<std::byte> bytes(sizeof(wire::MessageHeader) + sizeof(T));
    const wire::MessageHeader header{type, 0};
    std::memcpy(bytes.data(), &header, sizeof(header));
    std::memcpy(bytes.data() + sizeof(header), &payload, sizeof(T));
    return connection.on_message(bytes);
  }
  Result<void> host(MessageType type) {
    const wire::MessageHeader header{type, 0};
    return connection.on_message(bytes_of(header));
  }

  std::vector<Event> events() {
    std::vector<Event> all;
    Event event;
    while (connection.next_event(event)) all.push_back(event);
    return all;
  }
  std::vector<Event::Kind> event_kinds() {
    std::vector<Event::Kind> kinds;
    for (const auto& event : events()) kinds.push_back(event.kind);
    return kinds;
  }
  /// How `request` ended, if it has; other events are lost.
  std::optional<Event> done(Request& request) {
    std::optional<Event> found;
    for (const auto& event : events()) {
      if (event.kind == Event::Kind::RequestDone && event.request == &request) found = event;
    }
    return found;
  }

  static wire::OfferChannel offer(uint32_t relid, uint8_t number = 0, uint16_t sub = 0) {
    wire::OfferChannel offer{};
    offer.class_id = kDisk;
    offer.instance_id = instance(number ? number : static_cast<uint8_t>(relid));
    offer.sub_channel_index = sub;
    offer.channel_id = relid;
    offer.monitor_id = wire::kNoMonitor;
    offer.dedicated_interrupt = 1;
    offer.connection_id = wire::kSignalConnectionBase | relid;
    return offer;
  }

  void connect(Version version = Version::V5_3) {
    Request request;
    ASSERT_TRUE(connection.connect(request, 0).ok());
    for (;;) {
      const auto messages = sent();
      ASSERT_EQ(messages.size(), 1u);
      const bool supported = messages[0].as<wire::InitiateContact>().version == version;
      ASSERT_TRUE(host(MessageType::VersionResponse,
                       wire::VersionResponse{supported, 0, 0, supported ? 4u : 0u})
                      .ok());
      if (supported) break;
    }
    const auto end = done(request);
    ASSERT_TRUE(end && end->ok);
    Request offers;
    ASSERT_TRUE(connection.request_offers(offers, 0).ok());
    ASSERT_EQ(sent().size(), 1u);
    ASSERT_TRUE(host(MessageType::AllOffersDelivered).ok());
    ASSERT_TRUE(done(offers)->ok);
  }

  Channel* offered(uint32_t relid, uint8_t number = 0, uint16_t sub = 0) {
    EXPECT_TRUE(host(MessageType::OfferChannel, offer(relid, number, sub)).ok());
    events();
    return connection.channel(relid);
  }

  void make_gpadl(Channel& channel, Gpadl& gpadl, size_t pages = 8) {
    frames.resize(pages);
    std::iota(frames.begin(), frames.end(), 100);
    Request request;
    ASSERT_TRUE(connection
                    .create_gpadl(channel, gpadl, frames, static_cast<uint32_t>(pages * 4096), 0,
                                  request, 0)
                    .ok());
    sent();
    ASSERT_TRUE(
        host(MessageType::GpadlCreated, wire::GpadlCreated{channel.relid(), gpadl.id(), 0}).ok());
    ASSERT_TRUE(done(request)->ok);
  }

  void open(Channel& channel, Gpadl& ring) {
    make_gpadl(channel, ring);
    Request request;
    ASSERT_TRUE(connection.open(channel, ring, 4, 0, {}, request, 0).ok());
    const auto messages = sent();
    ASSERT_EQ(messages.size(), 1u);
    const auto message = messages[0].as<wire::OpenChannel>();
    ASSERT_TRUE(host(MessageType::OpenChannelResult,
                     wire::OpenChannelResult{channel.relid(), message.open_id, 0})
                    .ok());
    ASSERT_TRUE(done(request)->ok);
  }

  Connection connection;
  std::deque<Channel> channels;
  std::vector<uint64_t> frames;
};

}  // namespace hv::vmbus::test
