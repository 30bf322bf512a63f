// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "core/base/guid.hpp"
#include "core/wire/messages.hpp"

/// The control messages of VMBus, little-endian, at most 240 bytes each, in SynIC messages of
/// type 1. Source: vmbus_core protocol (OpenVMM); names as in the field.
namespace hv::wire::vmbus {

inline constexpr uint32_t kMessageSint = 2;
inline constexpr uint32_t kSynicMessageType = 1;
inline constexpr size_t kMaxMessageSize = 240;
inline constexpr uint32_t kMessageConnectionId = 1;       ///< versions below 5.0
inline constexpr uint32_t kMessageConnectionIdWin10 = 4;  ///< from 5.0 on
inline constexpr uint32_t kMaxChannels =
    2048;  ///< event flags of one SINT; relid 0 is never a channel

/// Upper half: major, lower half: minor.
enum class Version : uint32_t {
  V0_13 = 0x0000000d,
  V1_1 = 0x00010001,
  V2_4 = 0x00020004,  ///< Windows 8, Server 2012
  V3_0 = 0x00030000,  ///< 8.1, 2012 R2
  V4_0 = 0x00040000,  ///< 10, 2016
  V4_1 = 0x00040001,  ///< modify channel
  V5_0 = 0x00050000,  ///< message connection id 4
  V5_1 = 0x00050001,
  V5_2 = 0x00050002,  ///< 2019
  V5_3 = 0x00050003,  ///< 2022: modify channel acknowledged
  V6_0 = 0x00060000,
};

enum class MessageType : uint32_t {
  Invalid = 0,
  OfferChannel = 1,
  RescindChannelOffer = 2,
  RequestOffers = 3,
  AllOffersDelivered = 4,
  OpenChannel = 5,
  OpenChannelResult = 6,
  CloseChannel = 7,
  GpadlHeader = 8,
  GpadlBody = 9,
  GpadlCreated = 10,
  GpadlTeardown = 11,
  GpadlTorndown = 12,
  RelIdReleased = 13,
  InitiateContact = 14,
  VersionResponse = 15,
  Unload = 16,
  UnloadResponse = 17,
  TlConnectRequest = 21,
  ModifyChannel = 22,
  TlConnectResult = 23,
  ModifyChannelResponse = 24,
};

struct MessageHeader {
  MessageType type;
  uint32_t reserved;
};
static_assert(sizeof(MessageHeader) == 8);

inline constexpr uint16_t kOfferEnumerateDeviceInterface = 0x0001;
inline constexpr uint16_t kOfferNamedPipeMode = 0x0010;
inline constexpr uint16_t kOfferTlnpiProvider = 0x2000;  ///< hvsocket
inline constexpr uint8_t kNoMonitor = 0xff;

/// The channel's HvCallSignalEvent connection on a host of VTL 0 is `channel_id | kMessageSint <<
/// 12`.
inline constexpr uint32_t kSignalConnectionBase = kMessageSint << 12;
/// As target VP of OpenChannel: the host never interrupts, the guest polls.
inline constexpr uint32_t kNoInterrupt = 0xffffffff;

inline constexpr uint32_t kStatusSuccess = 0;
inline constexpr uint32_t kStatusUnsuccessful = 0x8000ffff;
inline constexpr uint32_t kStatusConnectionRefused = 0xc0000236;

/// Payloads follow their MessageHeader; the header is not part of these structures.
struct [[gnu::packed]] OfferChannel {
  Guid class_id;
  Guid instance_id;
  uint64_t reserved1;
  uint64_t reserved2;
  uint16_t flags;
  uint16_t mmio_megabytes;
  std::array<std::byte, 120> user_defined;
  uint16_t sub_channel_index;
  uint16_t mmio_megabytes_optional;
  uint32_t channel_id;           ///< the "relid": names the channel, and its event flag
  uint8_t monitor_id;            ///< kNoMonitor when none
  uint8_t monitor_allocated;     ///< bit 0
  uint16_t dedicated_interrupt;  ///< bit 0: the guest does not touch the interrupt page; always set
                                 ///< from 2.4 on
  uint32_t connection_id;        ///< for HvCallSignalEvent
};
static_assert(sizeof(OfferChannel) == 188);
static_assert(offsetof(OfferChannel, user_defined) == 52);
static_assert(offsetof(OfferChannel, channel_id) == 176);

/// RescindChannelOffer, RelIdReleased, CloseChannel.
struct ChannelId {
  uint32_t channel_id;
};

struct [[gnu::packed]] OpenChannel {
  uint32_t channel_id;
  uint32_t open_id;
  uint32_t gpadl_id;           ///< of both rings
  uint32_t target_vp;          ///< index of the VP it interrupts
  uint32_t downstream_offset;  ///< pages from the start of the GPADL to the host-to-guest ring
  std::array<std::byte, 120> user_data;
};
static_assert(sizeof(OpenChannel) == 140);

struct OpenChannelResult {
  uint32_t channel_id;
  uint32_t open_id;
  uint32_t status;
};
static_assert(sizeof(OpenChannelResult) == 12);

/// Ranges follow: GpaRangeHeader and page frame numbers, as many bytes as fit; the rest in
/// GpadlBody messages.
struct [[gnu::packed]] GpadlHeader {
  uint32_t channel_id;
  uint32_t gpadl_id;
  uint16_t range_bytes;  ///< of all ranges, those in bodies included
  uint16_t range_count;
};
static_assert(sizeof(GpadlHeader) == 12);

/// Page frame numbers follow. It does not name the channel, and Linux leaves the number 0: only the
/// id and the order count.
struct GpadlBody {
  uint32_t message_number;
  uint32_t gpadl_id;
};
static_assert(sizeof(GpadlBody) == 8);

struct GpadlCreated {
  uint32_t channel_id;
  uint32_t gpadl_id;
  uint32_t status;
};
static_assert(sizeof(GpadlCreated) == 12);

struct GpadlTeardown {
  uint32_t channel_id;
  uint32_t gpadl_id;
};
static_assert(sizeof(GpadlTeardown) == 8);

struct GpadlTorndown {
  uint32_t gpadl_id;
};

struct [[gnu::packed]] InitiateContact {
  Version version;
  uint32_t target_vp;  ///< where the host's messages go, from 3.0 on; below always to VP 0
  uint64_t
      interrupt_page;  ///< below 5.0; from 5.0: byte 0 is the SINT; from 5.1: byte 1 is the VTL
  uint64_t monitor_page1;
  uint64_t monitor_page2;
};
static_assert(sizeof(InitiateContact) == 32);

/// One page each way, named in InitiateContact: instead of HvCallSignalEvent the guest sets a bit
/// of `trigger_group` in the second (child to parent), and the host looks at it at least as often
/// as `latency` says. A monitor id is group * 32 + bit. Source: TLFS, monitored notifications.
inline constexpr uint32_t kMonitorGroups = 4;
inline constexpr uint32_t kMonitorsPerGroup = 32;
inline constexpr uint32_t kMonitors = kMonitorGroups * kMonitorsPerGroup;
struct MonitorTriggerGroup {
  uint32_t pending;  ///< a bit of each monitor
  uint32_t armed;
};
struct MonitorParameter {
  uint32_t connection_id;  ///< what HvCallSignalEvent would have named
  uint16_t flag_number;
  uint16_t reserved;
};
struct MonitorPage {
  uint32_t group_enable;  ///< a bit of each group
  uint32_t reserved1;
  std::array<MonitorTriggerGroup, kMonitorGroups> trigger_group;
  std::array<uint64_t, 3> reserved2;
  std::array<uint32_t, kMonitors> next_check_time;
  std::array<uint16_t, kMonitors> latency;  ///< in units of 100 ns
  std::array<uint64_t, 32> reserved3;
  std::array<MonitorParameter, kMonitors> parameter;
  std::array<std::byte, 1984> reserved4;
};
static_assert(sizeof(MonitorPage) == 4096);
static_assert(offsetof(MonitorPage, trigger_group) == 8);
static_assert(offsetof(MonitorPage, latency) == 576);
static_assert(offsetof(MonitorPage, parameter) == 1088);

/// The version cannot be spoken when `supported` is 0, and all else is 0 then.
struct [[gnu::packed]] VersionResponse {
  uint8_t supported;
  uint8_t connection_state;  ///< 0: connected; else why not
  uint16_t reserved;
  uint32_t
      message_connection_id;  ///< from 5.0 on: where to post from now; below: the version again
};
static_assert(sizeof(VersionResponse) == 8);

struct ModifyChannel {
  uint32_t channel_id;
  uint32_t target_vp;
};
static_assert(sizeof(ModifyChannel) == 8);

struct ModifyChannelResponse {
  uint32_t channel_id;
  uint32_t status;
};
static_assert(sizeof(ModifyChannelResponse) == 8);

struct TlConnectRequest {
  Guid endpoint_id;
  Guid service_id;
};
static_assert(sizeof(TlConnectRequest) == 32);

struct [[gnu::packed]] TlConnectResult {
  Guid endpoint_id;
  Guid service_id;
  uint32_t status;
};
static_assert(sizeof(TlConnectResult) == 36);

/// All control messages that are spoken here. Before a version is agreed on, the version that is
/// proposed counts. Source of the versions: vmbus_core protocol (OpenVMM).
using MessageRow = wire::MessageRow<MessageType, Version>;
inline constexpr std::array kMessages = {
    MessageRow::host<OfferChannel>(MessageType::OfferChannel),
    MessageRow::host<ChannelId>(MessageType::RescindChannelOffer),
    MessageRow::guest<void>(MessageType::RequestOffers),
    MessageRow::host<void>(MessageType::AllOffersDelivered),
    MessageRow::guest<OpenChannel>(MessageType::OpenChannel),
    MessageRow::host<OpenChannelResult>(MessageType::OpenChannelResult),
    MessageRow::guest<ChannelId>(MessageType::CloseChannel),
    MessageRow::guest<GpadlHeader>(MessageType::GpadlHeader),
    MessageRow::guest<GpadlBody>(MessageType::GpadlBody),
    MessageRow::host<GpadlCreated>(MessageType::GpadlCreated),
    MessageRow::guest<GpadlTeardown>(MessageType::GpadlTeardown),
    MessageRow::host<GpadlTorndown>(MessageType::GpadlTorndown),
    MessageRow::guest<ChannelId>(MessageType::RelIdReleased),
    MessageRow::guest<InitiateContact>(MessageType::InitiateContact),
    MessageRow::host<VersionResponse>(MessageType::VersionResponse).at_least(1),
    MessageRow::host<VersionResponse>(MessageType::VersionResponse, Version::V5_0),
    MessageRow::guest<void>(MessageType::Unload),
    MessageRow::host<void>(MessageType::UnloadResponse),
    MessageRow::guest<TlConnectRequest>(MessageType::TlConnectRequest, Version::V4_0),
    MessageRow::guest<ModifyChannel>(MessageType::ModifyChannel, Version::V4_1),
    MessageRow::host<TlConnectResult>(MessageType::TlConnectResult, Version::V4_1),
    MessageRow::host<ModifyChannelResponse>(MessageType::ModifyChannelResponse, Version::V5_3),
};

/// Results of HvCallPostMessage. Source: TLFS, hypercall status codes.
inline constexpr uint16_t kHypercallSuccess = 0x00;
inline constexpr uint16_t kHypercallInsufficientMemory = 0x0b;
inline constexpr uint16_t kHypercallInvalidConnectionId = 0x12;
inline constexpr uint16_t kHypercallInsufficientBuffers = 0x33;

}  // namespace hv::wire::vmbus
