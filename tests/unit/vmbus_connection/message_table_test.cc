// SPDX-License-Identifier: GPL-2.0-only OR MIT
// The table of control messages, and the guest that goes by it. Here its rows can be taken out: the
// connection is compiled with a table that is no constant.
#define kMessages kAllMessages
#include "core/wire/vmbus.hpp"
#undef kMessages

namespace hv::wire::vmbus {
static auto kMessages = kAllMessages;
}

#include <set>

#include "core/vmbus/connection.cc"
#include "core/vmbus/connection_events.cc"
#include "core/vmbus/connection_facts.cc"
#include "core/vmbus/connection_life.cc"
#include "core/vmbus/connection_messages.cc"
#include "core/vmbus/connection_post.cc"
#include "tests/support/message_table.hpp"
#include "tests/unit/vmbus_connection/guest.hpp"

namespace hv::vmbus {
namespace {

using test::Guest;
using wire::kAllMessages;
using wire::Version;

/// Puts the table in order again.
struct WithoutRow {
  WithoutRow(Sender sender, wire::MessageType type) {
    wire::kMessages = hv::test::without(kAllMessages, sender, type);
  }
  ~WithoutRow() { wire::kMessages = kAllMessages; }
};

Result<void> hear(Guest& guest, wire::MessageType type, size_t bytes) {
  std::vector<std::byte> message(sizeof(wire::MessageHeader) + bytes);
  std::memcpy(message.data(), &type, sizeof(type));
  return guest.connection.on_message(message);
}

/// A guest that says all it ever says. A step that fails is left out.
class Talkative {
 public:
  Talkative() {
    guest_.connection.connect(requests_[0], 0).take();
    listen();
    (void)guest_.host(wire::MessageType::VersionResponse, wire::VersionResponse{1, 0, 0, 4});
    note(guest_.connection.request_offers(requests_[1], 0));
    (void)guest_.host(wire::MessageType::AllOffersDelivered);
    (void)guest_.host(wire::MessageType::OfferChannel, Guest::offer(1));
    if (Channel* channel = guest_.connection.channel(1)) use(*channel);
    note(guest_.connection.unload(false, requests_[6], 0));
  }

  bool said(wire::MessageType type) const { return said_.contains(type); }
  bool refused() const { return refused_; }

 private:
  void use(Channel& channel) {
    guest_.frames.resize(100);
    note(guest_.connection.create_gpadl(channel, ring_, guest_.frames, 100 * 4096, 0, requests_[2],
                                        0));
    (void)guest_.host(wire::MessageType::GpadlCreated, wire::GpadlCreated{1, ring_.id(), 0});
    note(guest_.connection.open(channel, ring_, 50, 0, {}, requests_[3], 0));
    (void)guest_.host(wire::MessageType::OpenChannelResult,
                      wire::OpenChannelResult{1, open_id_, 0});
    note(guest_.connection.modify(channel, 1, requests_[4], 0));
    note(guest_.connection.connect_service(test::instance(1), test::kDisk));
    note(guest_.connection.close(channel));
    note(guest_.connection.teardown_gpadl(ring_, &requests_[5], 0));
    (void)guest_.host(wire::MessageType::GpadlTorndown, wire::GpadlTorndown{ring_.id()});
    (void)guest_.host(wire::MessageType::RescindChannelOffer, wire::ChannelId{1});
    note(guest_.connection.release(channel));
  }
  void note(const Result<void>& result) {
    if (!result && result.error() == Error::NotSupported) refused_ = true;
    listen();
  }
  void listen() {
    for (const auto& message : guest_.sent()) {
      said_.insert(message.type);
      if (message.type == wire::MessageType::OpenChannel)
        open_id_ = message.as<wire::OpenChannel>().open_id;
    }
    for (const auto& event : guest_.events()) {
      if (event.kind == Event::Kind::RequestDone && !event.ok && event.error == Error::NotSupported)
        refused_ = true;
    }
  }

  std::array<Request, 7> requests_;
  Gpadl ring_;
  Guest guest_;
  std::set<wire::MessageType> said_;
  uint32_t open_id_ = 0;
  bool refused_ = false;
};

TEST(MessageTable, EveryMessageOfTheHostIsRefusedAByteTooShort) {
  for (const auto& row : kAllMessages) {
    if (row.sender != Sender::Host || row.bytes == 0) continue;
    Guest guest;
    if (row.type == wire::MessageType::VersionResponse) {
      Request request;
      const bool old = row.since == Version{};
      Guest contacting({.max_version = old ? Version::V4_1 : Version::V5_3});
      ASSERT_TRUE(contacting.connection.connect(request, 0).ok());
      contacting.sent();
      EXPECT_EQ(hear(contacting, row.type, row.bytes - 1u).error(), Error::Truncated);
      EXPECT_TRUE(hear(contacting, row.type, row.bytes).ok());
      continue;
    }
    guest.connect();
    EXPECT_EQ(hear(guest, row.type, row.bytes - 1u).error(), Error::Truncated)
        << static_cast<uint32_t>(row.type);
    const auto whole = hear(guest, row.type, row.bytes);
    EXPECT_TRUE(whole || whole.error() != Error::Truncated) << static_cast<uint32_t>(row.type);
  }
}

TEST(MessageTable, NoMessageOfTheHostIsTakenBelowItsVersion) {
  size_t tried = 0;
  for (const auto& row : kAllMessages) {
    if (row.sender != Sender::Host || row.since <= Version::V2_4) continue;
    if (row.type == wire::MessageType::VersionResponse) continue;  // it only was shorter
    Guest guest;
    guest.connect(Connection::lower_version(row.since));
    EXPECT_EQ(hear(guest, row.type, row.bytes).error(), Error::NotSupported)
        << static_cast<uint32_t>(row.type);
    tried++;
  }
  EXPECT_EQ(tried, 2u);
}

TEST(MessageTable, NoMessageIsSaidBelowItsVersion) {
  Guest guest;
  guest.connect(Version::V3_0);
  EXPECT_EQ(guest.connection.connect_service(test::instance(1), test::kDisk).error(),
            Error::NotSupported);
  Guest newer;
  newer.connect(Version::V4_0);
  EXPECT_TRUE(newer.connection.connect_service(test::instance(1), test::kDisk).ok());
  Gpadl ring;
  Channel* channel = newer.offered(1);
  newer.open(*channel, ring);
  Request request;
  EXPECT_EQ(newer.connection.modify(*channel, 1, request, 0).error(), Error::NotSupported);
}

TEST(MessageTable, WithoutItsRowNoMessageOfTheHostIsTaken) {
  for (const auto& row : kAllMessages) {
    if (row.sender != Sender::Host) continue;
    Guest guest;
    guest.connect();
    const WithoutRow removed(row.sender, row.type);
    EXPECT_EQ(hear(guest, row.type, row.bytes).error(), Error::NotSupported)
        << static_cast<uint32_t>(row.type);
  }
}

TEST(MessageTable, WithoutItsRowNoMessageIsSaid) {
  for (const auto& row : kAllMessages) {
    if (row.sender != Sender::Guest) continue;
    // Nobody waits for the first two; a host that knows no Unload has nothing to be told.
    const bool silent = row.type == wire::MessageType::CloseChannel ||
                        row.type == wire::MessageType::RelIdReleased ||
                        row.type == wire::MessageType::Unload;
    {
      const Talkative whole;
      EXPECT_TRUE(whole.said(row.type)) << static_cast<uint32_t>(row.type);
      EXPECT_FALSE(whole.refused());
    }
    const WithoutRow removed(row.sender, row.type);
    const Talkative without;
    EXPECT_FALSE(without.said(row.type)) << static_cast<uint32_t>(row.type);
    EXPECT_EQ(without.refused(), !silent) << static_cast<uint32_t>(row.type);
  }
}

}  // namespace
}  // namespace hv::vmbus
