// SPDX-License-Identifier: GPL-2.0-only OR MIT
// The machines of the network, compiled with a table that has lost its rows: nothing is said or
// taken.
#define kMessages kAllMessages
#include "core/wire/netvsc.hpp"
#undef kMessages

namespace hv::wire::netvsc {
inline constexpr decltype(kAllMessages) kMessages = {};
}

#include <gtest/gtest.h>

#include "core/netvsc/opening.cc"
#include "core/netvsc/receiver.cc"
#include "core/netvsc/transmitter.cc"
#include "tests/unit/netvsc/queue_pair.hpp"

namespace hv::netvsc {
namespace {

using test::Bytes;
using wire::Sender;
using wire::netvsc::kAllMessages;

class NetWithoutRows : public testing::Test, protected test::QueuePair {};

TEST_F(NetWithoutRows, SaysNothing) {
  auto& sending = queue.sending();
  for (const auto& row : kAllMessages) {
    Message message{};
    std::memcpy(message.data(), &row.type, sizeof(row.type));
    EXPECT_EQ(sending.send_setup(message).error(), Error::NotSupported);
    EXPECT_EQ(sending.send_notice(message).error(), Error::NotSupported);
  }
  sending.copy({.length = 60}).take();
  EXPECT_EQ(sending.flush().error(), Error::NotSupported);
  std::array<std::byte, kHeaderRoom> header;
  EXPECT_EQ(sending.send_pages(4, {.length = 60}, header).error(), Error::NotSupported);
  EXPECT_EQ(sending.send_control(4096, 24).error(), Error::NotSupported);
  EXPECT_EQ(sending.send_completion(1, wire::netvsc::Status::Success).error(), Error::NotSupported);
  (void)sending.publish();
  EXPECT_TRUE(host_has_none());
}

TEST_F(NetWithoutRows, TakesNothing) {
  auto& receiving = queue.receiving();
  for (const auto& row : kAllMessages) {
    host_sends(wire::PacketType::DataInBand, 0, test::nvsp(row.type, wire::netvsc::Init{}));
    EXPECT_EQ(receiving.next()->kind, Event::Kind::Ignored);
  }
  host_delivers(1, {Bytes(100)});
  EXPECT_EQ(receiving.next().error(), Error::BadValue);
  Opening opening({});
  EXPECT_EQ(opening
                .answered(test::nvsp(
                    MessageType::InitComplete,
                    wire::netvsc::InitComplete{wire::netvsc::Version::V6_1, 0, Status::Success}))
                .error(),
            Error::NotSupported);
}

}  // namespace
}  // namespace hv::netvsc
