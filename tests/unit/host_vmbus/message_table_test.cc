// SPDX-License-Identifier: GPL-2.0-only OR MIT
// The table of control messages, and the host that goes by it. Here its rows can be taken out: the
// machine is compiled with a table that is no constant.
#define kMessages kAllMessages
#include "core/wire/vmbus.hpp"
#undef kMessages

namespace hv::wire::vmbus {
static auto kMessages = kAllMessages;
}

#include <gtest/gtest.h>

#include "host/vmbus/control.cc"
#include "host/vmbus/control_messages.cc"
#include "tests/support/message_table.hpp"
#include "tests/unit/host_vmbus/guest.hpp"

namespace hv::host::vmbus {
namespace {

using hv::test::Talk;
using wire::kAllMessages;

hv::test::Bytes zeros(MessageType type, size_t bytes) {
  auto message = hv::test::plain(type);
  message.resize(message.size() + bytes);
  return message;
}

/// The next version below that the host speaks.
Version version_below(Version version) {
  Version below = kVersions.front();
  for (const Version candidate : kVersions) {
    if (candidate < version) below = candidate;
  }
  return below;
}

/// A host that is brought to say all it ever says. What the guest says is the same each time.
Talk talkative() {
  Talk talk({.vp_count = 2});
  const auto key = talk.offer(1);
  talk.connect().open_ring(1, 1);
  talk.say(hv::test::message(MessageType::ModifyChannel, wire::ModifyChannel{1, 1}));
  talk.say(hv::test::message(MessageType::TlConnectRequest, wire::TlConnectRequest{}));
  talk.say(hv::test::channel_message(MessageType::CloseChannel, 1));
  talk.say(hv::test::message(MessageType::GpadlTeardown, wire::GpadlTeardown{1, 1}));
  talk.machine.rescind(key, talk.actions).take();
  return talk.say(hv::test::plain(MessageType::Unload));
}

TEST(ControlTable, EveryMessageOfTheGuestIsRefusedAByteTooShort) {
  for (const auto& row : kAllMessages) {
    if (row.sender != Sender::Guest || row.bytes == 0) continue;
    Talk talk;
    talk.offer(1);
    talk.connect().forget();
    talk.say(zeros(row.type, row.bytes - 1u));
    EXPECT_TRUE(talk.complained(Complaint::ShortMessage)) << static_cast<uint32_t>(row.type);
    EXPECT_EQ(talk.actions.size(), 1u);
    talk.forget();
    talk.say(zeros(row.type, row.bytes));
    EXPECT_FALSE(talk.complained(Complaint::ShortMessage)) << static_cast<uint32_t>(row.type);
  }
}

TEST(ControlTable, NoMessageOfTheGuestIsTakenBelowItsVersion) {
  size_t tried = 0;
  for (const auto& row : kAllMessages) {
    if (row.sender != Sender::Guest || row.since <= Version::V2_4) continue;
    Talk talk;
    talk.connect(version_below(row.since)).forget();
    talk.say(zeros(row.type, row.bytes));
    EXPECT_TRUE(talk.complained(Complaint::NotInVersion)) << static_cast<uint32_t>(row.type);
    EXPECT_EQ(talk.actions.size(), 1u);
    tried++;
  }
  EXPECT_EQ(tried, 2u);
}

TEST(ControlTable, NoMessageIsSaidBelowItsVersion) {
  Talk old;
  old.connect(Version::V4_0);
  old.say(hv::test::message(MessageType::TlConnectRequest, wire::TlConnectRequest{}));
  EXPECT_EQ(old.count(MessageType::TlConnectResult), 0u);
  Talk talk({.vp_count = 2});
  talk.offer(1);
  talk.connect(Version::V5_2).open_ring(1, 1);
  talk.say(hv::test::message(MessageType::ModifyChannel, wire::ModifyChannel{1, 1}));
  EXPECT_EQ(talk.all<Retarget>().size(), 1u);
  EXPECT_EQ(talk.count(MessageType::ModifyChannelResponse), 0u);
}

TEST(ControlTable, WithoutItsRowNoMessageOfTheGuestIsTaken) {
  for (const auto& row : kAllMessages) {
    if (row.sender != Sender::Guest) continue;
    Talk talk;
    talk.connect().forget();
    wire::kMessages = hv::test::without(kAllMessages, row.sender, row.type);
    talk.say(zeros(row.type, row.bytes));
    EXPECT_TRUE(talk.complained(Complaint::UnknownMessage)) << static_cast<uint32_t>(row.type);
    EXPECT_EQ(talk.actions.size(), 1u);
    wire::kMessages = kAllMessages;
  }
}

TEST(ControlTable, WithoutItsRowNoMessageIsSaid) {
  for (const auto& row : kAllMessages) {
    if (row.sender != Sender::Host) continue;
    EXPECT_NE(talkative().count(row.type), 0u) << static_cast<uint32_t>(row.type);
    wire::kMessages = hv::test::without(kAllMessages, row.sender, row.type);
    EXPECT_EQ(talkative().count(row.type), 0u) << static_cast<uint32_t>(row.type);
    wire::kMessages = kAllMessages;
  }
}

}  // namespace
}  // namespace hv::host::vmbus
