// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/ic/dialogue.hpp"

#include <gtest/gtest.h>

#include "core/ic/heartbeat.hpp"
#include "tests/unit/ic/messages.hpp"

namespace hv::host::ic {
namespace {

namespace proto = wire::ic;
using hv::ic::test::Bytes;
using proto::Version;

constexpr Version kVersions[] = {{1, 0}, {3, 0}};
constexpr Offered kOffered{proto::MessageType::Heartbeat, kVersions, kVersions};

/// The core's guest answers.
class DialogueTest : public testing::Test {
 protected:
  Bytes answer_to(Bytes bytes) {
    EXPECT_TRUE(guest.answer(bytes).ok());
    return bytes;
  }
  void agree() {
    const Bytes answer = answer_to(dialogue.negotiation());
    ASSERT_TRUE(dialogue.answered(answer).ok());
    ASSERT_EQ(dialogue.state(), Dialogue::State::Ready);
  }
  Bytes ask(uint64_t sequence) {
    return dialogue.request(bytes_of(proto::Heartbeat{sequence, 0, {}}));
  }
  hv::ic::Heartbeat guest;
  Dialogue dialogue{kOffered};
};

TEST_F(DialogueTest, AgreesWithTheCore) {
  EXPECT_FALSE(dialogue.waits());
  agree();
  EXPECT_EQ(dialogue.framework(), (Version{3, 0}));
  EXPECT_EQ(dialogue.version(), (Version{3, 0}));
}

TEST_F(DialogueTest, GivesTheAnswersPayload) {
  agree();
  const Bytes answer = answer_to(ask(5));
  const auto payload = dialogue.answered(answer);
  ASSERT_TRUE(payload.ok());
  ASSERT_EQ(payload->size(), sizeof(proto::Heartbeat));
  EXPECT_EQ(ByteReader(*payload).take<uint64_t>().take(), 6u);
  EXPECT_FALSE(dialogue.waits());
  EXPECT_EQ(dialogue.answered(answer).error(), Error::BadId) << "once";
}

TEST_F(DialogueTest, TakesNoLateAnswer) {
  agree();
  const Bytes late = answer_to(ask(5));
  const Bytes now = answer_to(ask(6));
  EXPECT_EQ(dialogue.answered(late).error(), Error::BadId);
  EXPECT_TRUE(dialogue.answered(now).ok());
}

TEST_F(DialogueTest, KnowsAGuestThatSpeaksNoneOfItsVersions) {
  constexpr Version kStrange[] = {{9, 0}};
  Dialogue strange{{proto::MessageType::Heartbeat, kVersions, kStrange}};
  const Bytes answer = answer_to(strange.negotiation());
  EXPECT_TRUE(strange.answered(answer).ok());
  EXPECT_EQ(strange.state(), Dialogue::State::Refused);
}

TEST_F(DialogueTest, BelievesNothing) {
  EXPECT_EQ(dialogue.answered({}).error(), Error::Truncated);
  Bytes forged = answer_to(dialogue.negotiation());
  // A version that was not offered.
  const Version unknown{7, 7};
  std::memcpy(forged.data() + 36, &unknown, sizeof(unknown));
  EXPECT_EQ(dialogue.answered(forged).error(), Error::BadValue);
  EXPECT_EQ(dialogue.state(), Dialogue::State::Negotiating);

  agree();
  const Bytes good = answer_to(ask(1));
  const auto refused = [&](size_t at, uint8_t value) {
    Bytes bytes = good;
    bytes[at] = std::byte{value};
    return dialogue.answered(bytes).error();
  };
  EXPECT_EQ(refused(0, 2), Error::BadValue);     // no data of the pipe
  EXPECT_EQ(refused(4, 200), Error::BadLength);  // the pipe's length
  EXPECT_EQ(refused(12, 4), Error::BadValue);    // another service
  EXPECT_EQ(refused(18, 41), Error::BadLength);  // the header's size
  EXPECT_EQ(refused(24, 77), Error::BadId);      // the transaction
  EXPECT_EQ(refused(25, 3), Error::BadValue);    // a question
  EXPECT_EQ(refused(20, 5), Error::Refused);     // and that ends the wait
  EXPECT_FALSE(dialogue.waits());
}

}  // namespace
}  // namespace hv::host::ic
