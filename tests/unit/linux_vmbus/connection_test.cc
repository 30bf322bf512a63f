// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <deque>
#include <string>
#include <vector>

#include "core/base/guid.hpp"
#include "core/wire/vmbus.hpp"
#include "ports/linux/hv_vmbus/core.h"

namespace {
std::vector<std::string> events;
std::string of(const char* what, const void* owner) {
  return std::string(what) + " " + static_cast<const char*>(owner);
}
}  // namespace

// What the module's C side does with events; here they are written down. Owners are names.
void hvb_event_request_done(void* request, bool ok, hvb_error error, u32 host_status) {
  std::string line = of("done", request);
  line += " ";
  line += ok ? "ok" : hvb_error_name(error);
  if (host_status) line.append(" ").append(std::to_string(host_status));
  events.push_back(line);
}
void hvb_event_channel_offered(void* channel) { events.push_back(of("offered", channel)); }
void hvb_event_channel_rescinded(void* channel) { events.push_back(of("rescinded", channel)); }
void hvb_event_channel_reattached(void* channel) { events.push_back(of("reattached", channel)); }
void hvb_event_channel_freed(void* channel) { events.push_back(of("freed", channel)); }
void hvb_event_gpadl_released(void* gpadl) { events.push_back(of("released", gpadl)); }

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
    events.clear();
    const hvb_core_config config{.max_version = 0x00050003,
                                 .message_vp = 0,
                                 .message_vtl = 0,
                                 .isolated = false,
                                 .safe_classes = nullptr,
                                 .safe_class_count = 0,
                                 .interrupt_page = 0x1000,
                                 .monitor_page1 = 0x2000,
                                 .monitor_page2 = 0x3000};
    hvb_core_init(&config);
    hvb_core_donate(&channels_[0], first);
    hvb_core_donate(&channels_[1], second);
  }
  ~Face() override { hvb_core_exit(); }

  /// All that is to be said to the host, as message types; each is taken.
  std::vector<MessageType> posts() {
    std::vector<MessageType> types;
    hvb_post post;
    while (hvb_core_next_post(&post)) {
      MessageType type;
      std::memcpy(&type, post.bytes, sizeof(type));
      types.push_back(type);
      last_ = post;
      hvb_core_posted(true);
    }
    return types;
  }
  template <typename T>
  hvb_error host(MessageType type, const T& payload) {
    std::vector<std::byte> bytes(sizeof(wire::MessageHeader) + sizeof(T));
    const wire::MessageHeader header{type, 0};
    std::memcpy(bytes.data(), &header, sizeof(header));
    std::memcpy(bytes.data() + sizeof(header), &payload, sizeof(payload));
    return hvb_core_message(bytes.data(), bytes.size());
  }
  std::vector<std::string> happened() {
    hvb_core_run_events();
    return std::exchange(events, {});
  }
  void connect() {
    ASSERT_EQ(hvb_core_connect(&request_, request_name, 0), HVB_OK);
    ASSERT_THAT(posts(), ElementsAre(MessageType::InitiateContact));
    ASSERT_EQ(host(MessageType::VersionResponse, wire::VersionResponse{1, 0, 0, 4}), HVB_OK);
    ASSERT_THAT(happened(), ElementsAre("done request ok"));
    ASSERT_EQ(hvb_core_request_offers(&request_, request_name, 0), HVB_OK);
    ASSERT_THAT(posts(), ElementsAre(MessageType::RequestOffers));
  }
  hvb_error offer(uint32_t relid, uint16_t sub_index = 0) {
    wire::OfferChannel offer{};
    offer.class_id = kDisk;
    offer.instance_id = kDisk;
    offer.channel_id = relid;
    offer.connection_id = 0x2000 + relid;
    offer.sub_channel_index = sub_index;
    return host(MessageType::OfferChannel, offer);
  }

  hvb_core_channel channels_[2];
  hvb_core_request request_;
  hvb_core_request other_;
  hvb_core_gpadl gpadl_;
  hvb_post last_;
};

TEST_F(Face, TellsTheVersionAgreedOn) {
  connect();
  EXPECT_EQ(hvb_core_version(), 0x00050003u);
  EXPECT_EQ(hvb_core_connection_id(), 4u);
  EXPECT_TRUE(hvb_core_connected());
}

TEST_F(Face, TellsWhenTheNextTimeLimitIs) {
  EXPECT_EQ(hvb_core_next_deadline(), ~u64{0});
  ASSERT_EQ(hvb_core_connect(&request_, request_name, 5), HVB_OK);
  EXPECT_EQ(hvb_core_next_deadline(), 60'005u);
  hvb_core_expire(60'005);
  EXPECT_EQ(hvb_core_next_deadline(), ~u64{0});
  EXPECT_THAT(happened(), ElementsAre("done request timed out"));
}

TEST_F(Face, GivesTheOfferAsItStandsOnTheWire) {
  connect();
  ASSERT_EQ(offer(7), HVB_OK);
  ASSERT_THAT(happened(), ElementsAre("offered first"));
  std::byte bytes[sizeof(wire::OfferChannel)];
  hvb_core_offer(&channels_[0], bytes);
  wire::OfferChannel got;
  std::memcpy(&got, bytes, sizeof(got));
  EXPECT_EQ(got.channel_id, 7u);
  EXPECT_EQ(got.connection_id, 0x2007u);
  EXPECT_EQ(hvb_core_primary(&channels_[0]), nullptr);
}

TEST_F(Face, NamesThePrimaryOfASubChannel) {
  connect();
  ASSERT_EQ(offer(7), HVB_OK);
  ASSERT_EQ(offer(8, 1), HVB_OK);
  EXPECT_THAT(happened(), ElementsAre("offered first", "offered second"));
  EXPECT_EQ(hvb_core_primary(&channels_[1]), first);
}

TEST_F(Face, SaysWhenThereIsNoStorageForOffers) {
  connect();
  EXPECT_FALSE(hvb_core_needs_storage());
  ASSERT_EQ(offer(7), HVB_OK);
  ASSERT_EQ(offer(8, 1), HVB_OK);
  EXPECT_TRUE(hvb_core_needs_storage());
  EXPECT_EQ(offer(9, 2), HVB_NO_MEMORY);
  u32 type, id;
  hvb_error why;
  ASSERT_TRUE(hvb_core_next_violation(&type, &id, &why));
  EXPECT_EQ(id, 9u);
  EXPECT_EQ(why, HVB_NO_MEMORY);
}

TEST_F(Face, GivesUnusedStorageBack) {
  connect();
  EXPECT_EQ(hvb_core_reclaim(), first);
  EXPECT_EQ(hvb_core_reclaim(), second);
  EXPECT_EQ(hvb_core_reclaim(), nullptr);
}

TEST_F(Face, OpensAndClosesAChannel) {
  connect();
  ASSERT_EQ(offer(7), HVB_OK);
  (void)happened();
  const u64 frames[4] = {100, 101, 102, 103};
  ASSERT_EQ(hvb_core_create_gpadl(&channels_[0], &gpadl_, gpadl_name, frames, 4, 4 * 4096, &other_,
                                  request_name, 0),
            HVB_OK);
  ASSERT_THAT(posts(), ElementsAre(MessageType::GpadlHeader));
  const u32 id = hvb_core_gpadl_id(&gpadl_);
  ASSERT_EQ(host(MessageType::GpadlCreated, wire::GpadlCreated{7, id, 0}), HVB_OK);
  ASSERT_THAT(happened(), ElementsAre("done request ok"));
  EXPECT_TRUE(hvb_core_gpadl_in_use(&gpadl_));

  ASSERT_EQ(hvb_core_open(&channels_[0], &gpadl_, 2, 3, "hello", 5, &other_, request_name, 0),
            HVB_OK);
  ASSERT_THAT(posts(), ElementsAre(MessageType::OpenChannel));
  wire::OpenChannel open;
  std::memcpy(&open, last_.bytes + sizeof(wire::MessageHeader), sizeof(open));
  EXPECT_EQ(open.downstream_offset, 2u);
  EXPECT_EQ(open.target_vp, 3u);
  ASSERT_EQ(host(MessageType::OpenChannelResult, wire::OpenChannelResult{7, open.open_id, 0}),
            HVB_OK);
  ASSERT_THAT(happened(), ElementsAre("done request ok"));

  EXPECT_EQ(hvb_core_teardown_gpadl(&gpadl_, &other_, request_name, 0), HVB_BAD_STATE);
  ASSERT_EQ(hvb_core_close(&channels_[0]), HVB_OK);
  ASSERT_EQ(hvb_core_teardown_gpadl(&gpadl_, &other_, request_name, 0), HVB_OK);
  EXPECT_THAT(posts(), ElementsAre(MessageType::CloseChannel, MessageType::GpadlTeardown));
  ASSERT_EQ(host(MessageType::GpadlTorndown, wire::GpadlTorndown{id}), HVB_OK);
  EXPECT_THAT(happened(), ElementsAre("done request ok"));
  EXPECT_FALSE(hvb_core_gpadl_in_use(&gpadl_));
}

TEST_F(Face, TellsWhatTheHostRefused) {
  connect();
  ASSERT_EQ(offer(7), HVB_OK);
  (void)happened();
  const u64 frames[2] = {100, 101};
  ASSERT_EQ(hvb_core_create_gpadl(&channels_[0], &gpadl_, gpadl_name, frames, 2, 2 * 4096, &other_,
                                  request_name, 0),
            HVB_OK);
  (void)posts();
  ASSERT_EQ(host(MessageType::GpadlCreated, wire::GpadlCreated{7, hvb_core_gpadl_id(&gpadl_), 99}),
            HVB_OK);
  EXPECT_THAT(happened(), ElementsAre("done request refused 99"));
  EXPECT_FALSE(hvb_core_gpadl_in_use(&gpadl_));
}

TEST_F(Face, EndsAWaitByTime) {
  connect();
  ASSERT_EQ(offer(7), HVB_OK);
  (void)happened();
  const u64 frames[2] = {100, 101};
  ASSERT_EQ(hvb_core_create_gpadl(&channels_[0], &gpadl_, gpadl_name, frames, 2, 2 * 4096, &other_,
                                  request_name, 1000),
            HVB_OK);
  (void)posts();
  hvb_core_expire(50'000);
  EXPECT_THAT(happened(), IsEmpty());
  hvb_core_expire(61'000);
  EXPECT_THAT(happened(), testing::Contains("done request timed out"));
  EXPECT_TRUE(hvb_core_gpadl_in_use(&gpadl_));
}

TEST_F(Face, EndsAChannelByRescindAndRelease) {
  connect();
  ASSERT_EQ(offer(7), HVB_OK);
  (void)happened();
  ASSERT_EQ(host(MessageType::RescindChannelOffer, wire::ChannelId{7}), HVB_OK);
  EXPECT_THAT(happened(), ElementsAre("rescinded first"));
  ASSERT_EQ(hvb_core_release(&channels_[0]), HVB_OK);
  EXPECT_THAT(happened(), ElementsAre("freed first"));
  EXPECT_THAT(posts(), ElementsAre(MessageType::RelIdReleased));
}

TEST_F(Face, ReleasesAPrimaryBehindItsSubChannels) {
  connect();
  ASSERT_EQ(offer(7), HVB_OK);
  ASSERT_EQ(offer(8, 1), HVB_OK);
  (void)happened();
  ASSERT_EQ(host(MessageType::RescindChannelOffer, wire::ChannelId{7}), HVB_OK);
  ASSERT_EQ(host(MessageType::RescindChannelOffer, wire::ChannelId{8}), HVB_OK);
  EXPECT_EQ(hvb_core_release(&channels_[0]), HVB_BAD_STATE);
  EXPECT_EQ(hvb_core_release(&channels_[1]), HVB_OK);
  EXPECT_EQ(hvb_core_release(&channels_[0]), HVB_OK);
}

TEST_F(Face, UnloadsAndFreesAll) {
  connect();
  ASSERT_EQ(offer(7), HVB_OK);
  (void)happened();
  ASSERT_EQ(hvb_core_unload(false, &other_, request_name, 0), HVB_OK);
  EXPECT_THAT(posts(), ElementsAre(MessageType::Unload));
  const wire::MessageHeader answer{MessageType::UnloadResponse, 0};
  EXPECT_TRUE(hvb_core_is_unload_response(&answer, sizeof(answer)));
  ASSERT_EQ(hvb_core_message(&answer, sizeof(answer)), HVB_OK);
  EXPECT_THAT(happened(), testing::IsSupersetOf({"freed first", "done request ok"}));
  EXPECT_FALSE(hvb_core_connected());
  std::byte message[8];
  EXPECT_EQ(hvb_core_crash_unload(message, sizeof(message)), 0u);
}

TEST_F(Face, KeepsPrimariesOverHibernation) {
  connect();
  ASSERT_EQ(offer(7), HVB_OK);
  (void)happened();
  ASSERT_EQ(hvb_core_unload(true, &other_, request_name, 0), HVB_OK);
  (void)posts();
  const wire::MessageHeader answer{MessageType::UnloadResponse, 0};
  ASSERT_EQ(hvb_core_message(&answer, sizeof(answer)), HVB_OK);
  (void)happened();
  ASSERT_EQ(hvb_core_resume(&other_, request_name, 0), HVB_OK);
  EXPECT_THAT(posts(), ElementsAre(MessageType::InitiateContact));
  ASSERT_EQ(host(MessageType::VersionResponse, wire::VersionResponse{1, 0, 0, 4}), HVB_OK);
  EXPECT_THAT(posts(), ElementsAre(MessageType::RequestOffers));
  ASSERT_EQ(offer(12), HVB_OK);
  EXPECT_THAT(happened(), ElementsAre("reattached first"));
}

TEST_F(Face, SaysTheUnloadOfADyingKernelOnce) {
  connect();
  std::byte message[8];
  EXPECT_EQ(hvb_core_crash_unload(message, sizeof(message)), 8u);
  EXPECT_EQ(hvb_core_crash_unload(message, sizeof(message)), 0u);
}

}  // namespace
}  // namespace hv::vmbus::test
