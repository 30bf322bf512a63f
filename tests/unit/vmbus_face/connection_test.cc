// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "core/base/guid.hpp"
#include "core/vmbus/vmbus.h"
#include "core/wire/vmbus.hpp"

namespace hv::vmbus::test {
namespace {

namespace wire = hv::wire::vmbus;
using testing::ElementsAre;
using testing::IsEmpty;
using wire::MessageType;

constexpr Guid kDisk = "ba6163d9-04a1-4d29-b605-72e2ffb1dc7f"_guid;

char first[] = "first";
char second[] = "second";
char request_name[] = "request";
char gpadl_name[] = "gpadl";

class Face : public testing::Test {
 protected:
  Face() {
    const hv_vmbus_config config{.max_version = 0x00050003,
                                 .message_vp = 0,
                                 .message_vtl = 0,
                                 .isolated = 0,
                                 .safe_classes = nullptr,
                                 .safe_class_count = 0,
                                 .interrupt_page = 0x1000,
                                 .monitor_page1 = 0x2000,
                                 .monitor_page2 = 0x3000,
                                 .modify_limit = 10'000};
    hv_vmbus_create(&bus_, &config);
    hv_vmbus_donate(&bus_, &channels_[0], first);
    hv_vmbus_donate(&bus_, &channels_[1], second);
  }
  ~Face() override { hv_vmbus_destroy(&bus_); }

  /// All that is to be said to the host, as message types; each is taken.
  std::vector<MessageType> posts() {
    std::vector<MessageType> types;
    hv_vmbus_post post;
    while (hv_vmbus_next_post(&bus_, &post)) {
      MessageType type;
      std::memcpy(&type, post.bytes, sizeof(type));
      types.push_back(type);
      last_ = post;
      hv_vmbus_posted(&bus_, true);
    }
    return types;
  }
  template <typename T>
  int host(MessageType type, const T& payload) {
    std::vector<std::byte> bytes(sizeof(wire::MessageHeader) + sizeof(T));
    const wire::MessageHeader header{type, 0};
    std::memcpy(bytes.data(), &header, sizeof(header));
    std::memcpy(bytes.data() + sizeof(header), &payload, sizeof(payload));
    return hv_vmbus_message(&bus_, bytes.data(), bytes.size());
  }
  /// What has happened, each with the owner it happened to.
  std::vector<std::string> happened() {
    static constexpr const char* kNames[] = {"done",       "offered", "rescinded",
                                             "reattached", "freed",   "released"};
    std::vector<std::string> events;
    hv_vmbus_event event;
    while (hv_vmbus_next_event(&bus_, &event)) {
      std::string line = kNames[event.kind];
      line.append(" ").append(static_cast<const char*>(event.owner));
      if (event.kind == HV_VMBUS_REQUEST_DONE)
        line.append(" ").append(hv_status_name(event.status));
      if (event.host_status) line.append(" ").append(std::to_string(event.host_status));
      events.push_back(line);
    }
    return events;
  }
  void connect() {
    ASSERT_EQ(hv_vmbus_connect(&bus_, &request_, request_name, 0), HV_OK);
    ASSERT_THAT(posts(), ElementsAre(MessageType::InitiateContact));
    ASSERT_EQ(host(MessageType::VersionResponse, wire::VersionResponse{1, 0, 0, 4}), HV_OK);
    ASSERT_THAT(happened(), ElementsAre("done request ok"));
    ASSERT_EQ(hv_vmbus_request_offers(&bus_, &request_, request_name, 0), HV_OK);
    ASSERT_THAT(posts(), ElementsAre(MessageType::RequestOffers));
  }
  int offer(uint32_t relid, uint16_t sub_index = 0) {
    wire::OfferChannel offer{};
    offer.class_id = kDisk;
    offer.instance_id = kDisk;
    offer.channel_id = relid;
    offer.connection_id = 0x2000 + relid;
    offer.sub_channel_index = sub_index;
    return host(MessageType::OfferChannel, offer);
  }

  hv_vmbus bus_;
  hv_vmbus_channel channels_[2];
  hv_vmbus_request request_;
  hv_vmbus_request other_;
  hv_vmbus_gpadl gpadl_;
  hv_vmbus_post last_;
};

TEST_F(Face, TellsTheVersionAgreedOn) {
  connect();
  EXPECT_EQ(hv_vmbus_version(&bus_), 0x00050003u);
  EXPECT_EQ(hv_vmbus_connection_id(&bus_), 4u);
}

TEST_F(Face, TellsWhenTheNextTimeLimitIs) {
  EXPECT_EQ(hv_vmbus_next_deadline(&bus_), ~uint64_t{0});
  ASSERT_EQ(hv_vmbus_connect(&bus_, &request_, request_name, 5), HV_OK);
  EXPECT_EQ(hv_vmbus_next_deadline(&bus_), 60'005u);
  hv_vmbus_expire(&bus_, 60'005);
  EXPECT_EQ(hv_vmbus_next_deadline(&bus_), ~uint64_t{0});
  EXPECT_THAT(happened(), ElementsAre("done request timed out"));
}

TEST_F(Face, GivesTheOfferAsItStandsOnTheWire) {
  connect();
  ASSERT_EQ(offer(7), HV_OK);
  ASSERT_THAT(happened(), ElementsAre("offered first"));
  std::byte bytes[sizeof(wire::OfferChannel)];
  hv_vmbus_offer(&channels_[0], bytes);
  wire::OfferChannel got;
  std::memcpy(&got, bytes, sizeof(got));
  EXPECT_EQ(got.channel_id, 7u);
  EXPECT_EQ(got.connection_id, 0x2007u);
  EXPECT_EQ(hv_vmbus_primary(&channels_[0]), nullptr);
}

TEST_F(Face, NamesThePrimaryOfASubChannel) {
  connect();
  ASSERT_EQ(offer(7), HV_OK);
  ASSERT_EQ(offer(8, 1), HV_OK);
  EXPECT_THAT(happened(), ElementsAre("offered first", "offered second"));
  EXPECT_EQ(hv_vmbus_primary(&channels_[1]), first);
}

TEST_F(Face, SaysWhenThereIsNoStorageForOffers) {
  connect();
  EXPECT_FALSE(hv_vmbus_needs_storage(&bus_));
  ASSERT_EQ(offer(7), HV_OK);
  ASSERT_EQ(offer(8, 1), HV_OK);
  EXPECT_TRUE(hv_vmbus_needs_storage(&bus_));
  EXPECT_EQ(offer(9, 2), HV_NO_MEMORY);
  hv_vmbus_violation violation;
  ASSERT_TRUE(hv_vmbus_next_violation(&bus_, &violation));
  EXPECT_EQ(violation.id, 9u);
  EXPECT_EQ(violation.why, HV_NO_MEMORY);
}

TEST_F(Face, GivesUnusedStorageBack) {
  connect();
  EXPECT_EQ(hv_vmbus_reclaim(&bus_), first);
  EXPECT_EQ(hv_vmbus_reclaim(&bus_), second);
  EXPECT_EQ(hv_vmbus_reclaim(&bus_), nullptr);
}

TEST_F(Face, OpensAndClosesAChannel) {
  connect();
  ASSERT_EQ(offer(7), HV_OK);
  (void)happened();
  const uint64_t frames[4] = {100, 101, 102, 103};
  ASSERT_EQ(hv_vmbus_create_gpadl(&bus_, &channels_[0], &gpadl_, gpadl_name, frames, 4, 4 * 4096,
                                  &other_, request_name, 0),
            HV_OK);
  ASSERT_THAT(posts(), ElementsAre(MessageType::GpadlHeader));
  const uint32_t id = hv_vmbus_gpadl_id(&gpadl_);
  ASSERT_EQ(host(MessageType::GpadlCreated, wire::GpadlCreated{7, id, 0}), HV_OK);
  ASSERT_THAT(happened(), ElementsAre("done request ok"));
  EXPECT_TRUE(hv_vmbus_gpadl_in_use(&bus_, &gpadl_));

  ASSERT_EQ(
      hv_vmbus_open(&bus_, &channels_[0], &gpadl_, 2, 3, "hello", 5, &other_, request_name, 0),
      HV_OK);
  ASSERT_THAT(posts(), ElementsAre(MessageType::OpenChannel));
  wire::OpenChannel open;
  std::memcpy(&open, last_.bytes + sizeof(wire::MessageHeader), sizeof(open));
  EXPECT_EQ(open.downstream_offset, 2u);
  EXPECT_EQ(open.target_vp, 3u);
  ASSERT_EQ(host(MessageType::OpenChannelResult, wire::OpenChannelResult{7, open.open_id, 0}),
            HV_OK);
  ASSERT_THAT(happened(), ElementsAre("done request ok"));

  EXPECT_EQ(hv_vmbus_teardown_gpadl(&bus_, &gpadl_, &other_, request_name, 0), HV_BAD_STATE);
  ASSERT_EQ(hv_vmbus_close(&bus_, &channels_[0]), HV_OK);
  ASSERT_EQ(hv_vmbus_teardown_gpadl(&bus_, &gpadl_, &other_, request_name, 0), HV_OK);
  EXPECT_THAT(posts(), ElementsAre(MessageType::CloseChannel, MessageType::GpadlTeardown));
  ASSERT_EQ(host(MessageType::GpadlTorndown, wire::GpadlTorndown{id}), HV_OK);
  EXPECT_THAT(happened(), ElementsAre("done request ok"));
  EXPECT_FALSE(hv_vmbus_gpadl_in_use(&bus_, &gpadl_));
}

TEST_F(Face, TellsWhatTheHostRefused) {
  connect();
  ASSERT_EQ(offer(7), HV_OK);
  (void)happened();
  const uint64_t frames[2] = {100, 101};
  ASSERT_EQ(hv_vmbus_create_gpadl(&bus_, &channels_[0], &gpadl_, gpadl_name, frames, 2, 2 * 4096,
                                  &other_, request_name, 0),
            HV_OK);
  (void)posts();
  ASSERT_EQ(host(MessageType::GpadlCreated, wire::GpadlCreated{7, hv_vmbus_gpadl_id(&gpadl_), 99}),
            HV_OK);
  EXPECT_THAT(happened(), ElementsAre("done request refused 99"));
  EXPECT_FALSE(hv_vmbus_gpadl_in_use(&bus_, &gpadl_));
}

TEST_F(Face, EndsAWaitByTime) {
  connect();
  ASSERT_EQ(offer(7), HV_OK);
  (void)happened();
  const uint64_t frames[2] = {100, 101};
  ASSERT_EQ(hv_vmbus_create_gpadl(&bus_, &channels_[0], &gpadl_, gpadl_name, frames, 2, 2 * 4096,
                                  &other_, request_name, 1000),
            HV_OK);
  (void)posts();
  hv_vmbus_expire(&bus_, 50'000);
  EXPECT_THAT(happened(), IsEmpty());
  hv_vmbus_expire(&bus_, 61'000);
  EXPECT_THAT(happened(), testing::Contains("done request timed out"));
  EXPECT_TRUE(hv_vmbus_gpadl_in_use(&bus_, &gpadl_));
}

TEST_F(Face, EndsAChannelByRescindAndRelease) {
  connect();
  ASSERT_EQ(offer(7), HV_OK);
  (void)happened();
  ASSERT_EQ(host(MessageType::RescindChannelOffer, wire::ChannelId{7}), HV_OK);
  EXPECT_THAT(happened(), ElementsAre("rescinded first"));
  ASSERT_EQ(hv_vmbus_release(&bus_, &channels_[0]), HV_OK);
  EXPECT_THAT(happened(), ElementsAre("freed first"));
  EXPECT_THAT(posts(), ElementsAre(MessageType::RelIdReleased));
}

TEST_F(Face, ReleasesAPrimaryBehindItsSubChannels) {
  connect();
  ASSERT_EQ(offer(7), HV_OK);
  ASSERT_EQ(offer(8, 1), HV_OK);
  (void)happened();
  ASSERT_EQ(host(MessageType::RescindChannelOffer, wire::ChannelId{7}), HV_OK);
  ASSERT_EQ(host(MessageType::RescindChannelOffer, wire::ChannelId{8}), HV_OK);
  EXPECT_EQ(hv_vmbus_release(&bus_, &channels_[0]), HV_BAD_STATE);
  EXPECT_EQ(hv_vmbus_release(&bus_, &channels_[1]), HV_OK);
  EXPECT_EQ(hv_vmbus_release(&bus_, &channels_[0]), HV_OK);
}

TEST_F(Face, UnloadsAndFreesAll) {
  connect();
  ASSERT_EQ(offer(7), HV_OK);
  (void)happened();
  ASSERT_EQ(hv_vmbus_unload(&bus_, false, &other_, request_name, 0), HV_OK);
  EXPECT_THAT(posts(), ElementsAre(MessageType::Unload));
  const wire::MessageHeader answer{MessageType::UnloadResponse, 0};
  EXPECT_TRUE(hv_vmbus_is_unload_response(&answer, sizeof(answer)));
  ASSERT_EQ(hv_vmbus_message(&bus_, &answer, sizeof(answer)), HV_OK);
  EXPECT_THAT(happened(), testing::IsSupersetOf({"freed first", "done request ok"}));
  std::byte message[8];
  EXPECT_EQ(hv_vmbus_crash_unload(&bus_, message, sizeof(message)), 0u);
}

TEST_F(Face, KeepsPrimariesOverHibernation) {
  connect();
  ASSERT_EQ(offer(7), HV_OK);
  (void)happened();
  ASSERT_EQ(hv_vmbus_unload(&bus_, true, &other_, request_name, 0), HV_OK);
  (void)posts();
  const wire::MessageHeader answer{MessageType::UnloadResponse, 0};
  ASSERT_EQ(hv_vmbus_message(&bus_, &answer, sizeof(answer)), HV_OK);
  (void)happened();
  ASSERT_EQ(hv_vmbus_resume(&bus_, &other_, request_name, 0), HV_OK);
  EXPECT_THAT(posts(), ElementsAre(MessageType::InitiateContact));
  ASSERT_EQ(host(MessageType::VersionResponse, wire::VersionResponse{1, 0, 0, 4}), HV_OK);
  EXPECT_THAT(posts(), ElementsAre(MessageType::RequestOffers));
  ASSERT_EQ(offer(12), HV_OK);
  EXPECT_THAT(happened(), ElementsAre("reattached first"));
}

TEST_F(Face, SaysTheUnloadOfADyingKernelOnce) {
  connect();
  std::byte message[8];
  EXPECT_EQ(hv_vmbus_crash_unload(&bus_, message, sizeof(message)), 8u);
  EXPECT_EQ(hv_vmbus_crash_unload(&bus_, message, sizeof(message)), 0u);
}

}  // namespace
}  // namespace hv::vmbus::test
