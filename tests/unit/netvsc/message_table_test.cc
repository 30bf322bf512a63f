// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <gtest/gtest.h>

#include "tests/unit/netvsc/queue_pair.hpp"

namespace hv::netvsc {
namespace {

using test::Bytes;
using wire::Sender;
using wire::netvsc::kMessages;
using wire::netvsc::MessageType;
using wire::netvsc::Version;
using Kind = Event::Kind;

/// The next older version, and whether there is one.
Version below(Version version) {
  for (const Version older : kVersions) {
    if (older < version) return older;
  }
  return version;
}

class NetTable : public testing::Test, protected test::QueuePair {
 protected:
  Result<Event> hear(MessageType type, size_t body, const Dialect& dialect) {
    queue.receiving().adopt(dialect);
    Bytes message(sizeof(wire::netvsc::Header) + body);
    std::memcpy(message.data(), &type, sizeof(type));
    host_sends(wire::PacketType::DataInBand, 0, message);
    return queue.receiving().next();
  }
  Result<void> say(MessageType type, const Dialect& dialect) {
    queue.sending().adopt(dialect);
    Message message{};
    std::memcpy(message.data(), &type, sizeof(type));
    return queue.sending().send_notice(message);
  }
};

TEST(NetDialect, RefusesEveryMessageAByteTooShort) {
  for (const auto& row : kMessages) {
    EXPECT_TRUE(kNewest.check(row.sender, row.type, row.bytes).ok());
    if (row.bytes == 0) continue;
    EXPECT_EQ(kNewest.check(row.sender, row.type, row.bytes - 1u).error(), Error::Truncated);
  }
}

/// Packets come in units of 8 bytes, so no notice is a byte too short.
TEST_F(NetTable, EveryNoticeOfTheHostIsRefusedWhenItIsTooShort) {
  for (const auto& row : kMessages) {
    const size_t whole = sizeof(wire::netvsc::Header) + row.bytes;
    if (row.sender != Sender::Host || whole <= 8) continue;
    const size_t cut = (whole - 1) / 8 * 8;
    EXPECT_EQ(hear(row.type, cut - sizeof(wire::netvsc::Header), kNewest).error(), Error::Truncated)
        << static_cast<uint32_t>(row.type);
  }
}

TEST_F(NetTable, EveryAnswerOfTheHostIsRefusedAByteTooShort) {
  const auto short_answer = [](MessageType type) {
    const auto row = find_message(kMessages, Sender::Host, type, Version::V6_1);
    Bytes answer(sizeof(wire::netvsc::Header) + row->bytes - 1);
    std::memcpy(answer.data(), &type, sizeof(type));
    return answer;
  };
  Opening contact({});
  EXPECT_EQ(contact.answered(short_answer(MessageType::InitComplete)).error(), Error::Truncated);
  EXPECT_EQ(parse_sub_channel_answer(short_answer(MessageType::SubChannel), 1).error(),
            Error::Truncated);
  Opening buffers({});
  const Bytes agreed =
      test::nvsp(MessageType::InitComplete,
                 wire::netvsc::InitComplete{Version::V6_1, 0, wire::netvsc::Status::Success});
  buffers.answered(agreed).take();
  while (!buffers.wants_answer()) buffers.sent().take();
  buffers.give_buffer(1, 4096).take();
  Opening refused = buffers;
  EXPECT_EQ(refused.answered(short_answer(MessageType::SendReceiveBufferComplete)).error(),
            Error::Truncated);
  buffers
      .answered(test::nvsp(MessageType::SendReceiveBufferComplete,
                           wire::netvsc::ReceiveBufferComplete{
                               wire::netvsc::Status::Success, 1, {0, 2048, 2, 4096}}))
      .take();
  buffers.give_buffer(2, 4096).take();
  EXPECT_EQ(buffers.answered(short_answer(MessageType::SendSendBufferComplete)).error(),
            Error::Truncated);
}

TEST_F(NetTable, NothingIsTakenOrSaidBelowItsVersion) {
  size_t tried = 0;
  for (const auto& row : kMessages) {
    if (row.since == Version{}) continue;
    const Dialect older(below(row.since));
    if (row.sender == Sender::Host) {
      EXPECT_EQ(hear(row.type, 100, older)->kind, Kind::Ignored) << static_cast<uint32_t>(row.type);
    } else {
      EXPECT_EQ(say(row.type, older).error(), Error::NotSupported)
          << static_cast<uint32_t>(row.type);
      EXPECT_TRUE(say(row.type, kNewest).ok());
    }
    tried++;
  }
  EXPECT_EQ(tried, 6u);
}

TEST_F(NetTable, FunctionsAreForAGuestThatHasSaidThatItTakesThem) {
  const Dialect without(Version::V6_1, false);
  EXPECT_EQ(hear(MessageType::SendVfAssociation, 8, without)->kind, Kind::Ignored);
  EXPECT_EQ(say(MessageType::SwitchDataPath, without).error(), Error::NotSupported);
  EXPECT_EQ(hear(MessageType::SendVfAssociation, 8, kNewest)->kind, Kind::VfAssociation);
  EXPECT_TRUE(say(MessageType::SwitchDataPath, kNewest).ok());
}

TEST_F(NetTable, TheHostsOwnAreNotSaid) {
  EXPECT_EQ(say(MessageType::InitComplete, kNewest).error(), Error::NotSupported);
  EXPECT_EQ(say(MessageType{9999}, kNewest).error(), Error::NotSupported);
}

}  // namespace
}  // namespace hv::netvsc
