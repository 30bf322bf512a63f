// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "core/netvsc/discovery.hpp"

#include <gtest/gtest.h>

#include "tests/unit/netvsc/bytes.hpp"

namespace hv::netvsc {
namespace {

namespace proto = wire::rndis;
using proto::MessageType;
using proto::Status;
using State = Discovery::State;
using test::Bytes;

/// A host that knows nothing but what every host must, or all of it.
class Host {
 public:
  explicit Host(bool all) : all_(all) {}

  Bytes answer(std::span<const std::byte> message) const {
    const auto type = test::at<proto::Header>(message).type;
    const auto id = test::at<uint32_t>(message, 8);
    if (type == MessageType::Initialize) {
      proto::InitializeComplete body{};
      body.request_id = id;
      body.max_packets = 8;
      body.max_transfer = 0x4000;
      body.alignment_shift = 3;
      return test::rndis(MessageType::InitializeComplete, body);
    }
    if (type == MessageType::Set)
      return test::rndis(MessageType::SetComplete,
                         proto::Complete{id, all_ ? Status::Success : Status::Failure});
    return query(id, static_cast<proto::Oid>(test::at<proto::Query>(message, 8).oid));
  }

  MacAddress mac{0x02, 1, 2, 3, 4, 5};

 private:
  Bytes query(uint32_t id, proto::Oid oid) const {
    if (oid == proto::Oid::PermanentAddress) return test::query_answer(id, test::join(mac));
    if (!all_) return test::query_answer(id, {}, Status::NotSupported);
    if (oid == proto::Oid::MaximumFrameSize)
      return test::query_answer(id, test::join(uint32_t{9000}));
    if (oid == proto::Oid::MediaConnectStatus)
      return test::query_answer(id, test::join(uint32_t{1}));
    if (oid == proto::Oid::LinkSpeed)
      return test::query_answer(id, test::join(uint32_t{100000000}));
    if (oid == proto::Oid::ReceiveScaleCapabilities) {
      proto::RssCapabilities rss{};
      rss.queues = 4;
      rss.table_entries = 128;
      return test::query_answer(id, test::join(rss));
    }
    proto::Offload offload{};
    offload.header = {proto::kObjectOffload, 3, sizeof(offload)};
    offload.checksum.ipv4_send = 0xffff;
    return test::query_answer(id, test::join(offload));
  }

  bool all_;
};

Result<void> run(Discovery& discovery, const Host& host) {
  Conversation conversation;
  for (int round = 0; !discovery.done(); round++) {
    EXPECT_LT(round, 12);
    std::array<std::byte, kMostControl> page;
    const size_t size = HV_TRY(discovery.write(page, conversation));
    const auto answer = host.answer(std::span(page).first(size));
    const auto view = HV_TRY(parse_control(answer));
    HV_TRY(conversation.take(answer, view));
    HV_TRY(discovery.answered(conversation.answer()));
  }
  return {};
}

TEST(Discovery, FindsOutWhatTheHostKnows) {
  Discovery discovery(Dialect(wire::netvsc::Version::V6_1), {});
  ASSERT_TRUE(run(discovery, Host(true)).ok());
  const Facts& facts = discovery.facts();
  EXPECT_EQ(facts.limits.alignment, 8u);
  EXPECT_EQ(facts.most_mtu, 9000u);
  EXPECT_EQ(facts.mac[5], 5);
  EXPECT_TRUE(facts.capabilities.tcp4_checksum);
  EXPECT_FALSE(facts.link_up);
  EXPECT_EQ(facts.link_speed, 100000000u);
  EXPECT_EQ(facts.rss.queues, 4u);
}

TEST(Discovery, DoesWithoutWhatAHostRefuses) {
  Discovery discovery(Dialect(wire::netvsc::Version::V6_1), {});
  ASSERT_TRUE(run(discovery, Host(false)).ok());
  EXPECT_FALSE(discovery.facts().capabilities.tcp4_checksum);
  EXPECT_TRUE(discovery.facts().link_up);
  EXPECT_EQ(discovery.facts().rss.queues, 1u);
  EXPECT_EQ(discovery.facts().rss.table_entries, 0u);
}

TEST(Discovery, OldHostsAreNotAskedForQueues) {
  Discovery discovery(Dialect(wire::netvsc::Version::V4), {});
  ASSERT_TRUE(run(discovery, Host(true)).ok());
  EXPECT_EQ(discovery.facts().rss.queues, 1u);
}

TEST(Discovery, NeedsAnAddressThatIsOne) {
  Host host(true);
  for (const MacAddress mac : {MacAddress{}, MacAddress{1, 2, 3, 4, 5, 6},
                               MacAddress{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}}) {
    host.mac = mac;
    Discovery discovery(Dialect(wire::netvsc::Version::V6_1), {});
    EXPECT_EQ(run(discovery, host).error(), Error::BadValue);
    EXPECT_EQ(discovery.state(), State::Failed);
  }
}

TEST(Discovery, AnAdapterHasAsManyQueuesAsHostMachineAndProtocolAllow) {
  Facts facts;
  facts.rss = {.queues = 8, .table_entries = 128};
  EXPECT_EQ(facts.queue_limit(4), 4u);
  EXPECT_EQ(facts.queue_limit(16), 8u);
  EXPECT_EQ(facts.queue_limit(0), 1u);
  facts.rss.queues = 1000;
  EXPECT_EQ(facts.queue_limit(1000), wire::netvsc::kMaxQueues);
  facts.rss.queues = 0;
  EXPECT_EQ(facts.queue_limit(4), 1u);
  facts.rss = {.queues = 8, .table_entries = 0};
  EXPECT_EQ(facts.queue_limit(4), 1u) << "without RSS nothing says which queue has what";
}

}  // namespace
}  // namespace hv::netvsc
