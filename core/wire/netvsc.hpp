// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "core/base/guid.hpp"
#include "core/wire/messages.hpp"

/// NVSP, the network device's own protocol: versions, buffers, sub-channels, and the envelope of
/// RNDIS messages (rndis.hpp). Source: netvsp protocol (OpenVMM), if_hn's nvs (FreeBSD).
namespace hv::wire::netvsc {

inline constexpr Guid kNetworkClass = "f8615163-df3e-46c5-913f-f2d2f965ed0e"_guid;

/// Major number in the upper half. In the order of time; a guest begins with the newest.
enum class Version : uint32_t {
  V1 = 0x00002,
  V2 = 0x30002,
  V4 = 0x40000,
  V5 = 0x50000,
  V6 = 0x60000,
  V6_1 = 0x60001,
};

enum class MessageType : uint32_t {
  Init = 1,
  InitComplete = 2,
  // Version 1.
  SendNdisVersion = 100,
  SendReceiveBuffer = 101,
  SendReceiveBufferComplete = 102,
  RevokeReceiveBuffer = 103,
  SendSendBuffer = 104,
  SendSendBufferComplete = 105,
  RevokeSendBuffer = 106,
  SendRndisPacket = 107,
  SendRndisPacketComplete = 108,
  // Version 2.
  SendNdisConfig = 125,
  // Version 4.
  SendVfAssociation = 128,
  SwitchDataPath = 129,
  // Version 5.
  SubChannel = 133,
  SendIndirectionTable = 134,
};

enum class Status : uint32_t {
  None = 0,
  Success = 1,
  Failure = 2,
  ProtocolTooNew = 3,
  ProtocolTooOld = 4,
  InvalidRndisPacket = 5,
  Busy = 6,
  ProtocolUnsupported = 7,
};

/// Guests copy the answers of the set-up as a whole, whatever is in them; so these are always this
/// long, and zero behind their end.
inline constexpr size_t kMessageSize = 40;

struct Header {
  MessageType type;
};
static_assert(sizeof(Header) == 4);

struct Init {
  Version least;
  Version most;
};
static_assert(sizeof(Init) == 8);

struct InitComplete {
  Version version;
  uint32_t max_mdl_chain;
  Status status;
};
static_assert(sizeof(InitComplete) == 12);

struct NdisVersion {
  uint32_t major;
  uint32_t minor;
};
static_assert(sizeof(NdisVersion) == 8);

/// SendReceiveBuffer and SendSendBuffer. `id` is what transfer-page packets name (of the receive
/// buffer).
struct [[gnu::packed]] SendBuffer {
  uint32_t gpadl_id;
  uint16_t id;
};
static_assert(sizeof(SendBuffer) == 6);

struct RevokeBuffer {
  uint16_t id;
};
static_assert(sizeof(RevokeBuffer) == 2);

/// `section_count` sections, the one behind the other from `offset` on; `end_offset` is behind the
/// last.
struct ReceiveSections {
  uint32_t offset;
  uint32_t section_size;
  uint32_t section_count;
  uint32_t end_offset;
};
static_assert(sizeof(ReceiveSections) == 16);

/// Guests take one run of sections alone.
struct ReceiveBufferComplete {
  Status status;
  uint32_t run_count;
  ReceiveSections run;
};
static_assert(sizeof(ReceiveBufferComplete) == 24);

struct SendBufferComplete {
  Status status;
  uint32_t section_size;
};
static_assert(sizeof(SendBufferComplete) == 8);

enum class RndisChannel : uint32_t { Data = 0, Control = 1 };

/// An RNDIS message: in a section of the send buffer, in the pages of a GPA-direct packet, or begun
/// in the one and ended in the other; to the guest in the ranges of a transfer-page packet.
struct RndisPacket {
  RndisChannel channel;
  uint32_t section;       ///< kNoSection: none of it is in the send buffer
  uint32_t section_size;  ///< bytes of it there
};
static_assert(sizeof(RndisPacket) == 12);

inline constexpr uint32_t kNoSection = 0xffffffff;

struct RndisPacketComplete {
  Status status;
};
static_assert(sizeof(RndisPacketComplete) == 4);

/// `frame_size` is the MTU and the Ethernet header. No answer.
struct NdisConfig {
  uint32_t frame_size;
  uint32_t reserved;
  uint64_t capabilities;  ///< kCapability...
};
static_assert(sizeof(NdisConfig) == 16);

inline constexpr uint32_t kCapabilitySriov = 1u << 2;
inline constexpr uint32_t kCapabilityVlan = 1u << 3;
inline constexpr uint32_t kCapabilityTeaming = 1u << 5;
inline constexpr uint32_t kCapabilityRsc = 1u << 7;

/// Version 4, from the host: the adapter has, or no longer has, a virtual function.
struct VfAssociation {
  uint32_t allocated;  ///< not 0: `serial` is that of the function's slot
  uint32_t serial;
};
static_assert(sizeof(VfAssociation) == 8);

enum class DataPath : uint32_t { Synthetic = 0, Vf = 1 };

/// Version 4: which way frames to the guest go from now on. Answered by a completion without a
/// body.
struct SwitchDataPath {
  DataPath active;
};
static_assert(sizeof(SwitchDataPath) == 4);

inline constexpr uint32_t kAllocateSubChannels = 1;

struct SubChannelRequest {
  uint32_t operation;  ///< kAllocateSubChannels
  uint32_t count;
};
static_assert(sizeof(SubChannelRequest) == 8);

struct SubChannelComplete {
  Status status;
  uint32_t count;  ///< that will be offered
};
static_assert(sizeof(SubChannelComplete) == 8);

inline constexpr size_t kSendTableEntries = 16;

/// By a transmit hash, the channel to send on. Guests up to version 6 look for the table at
/// kMessageSize, whatever `offset` says.
struct SendTable {
  uint32_t count;
  uint32_t offset;  ///< of the entries, from the message's beginning
};
static_assert(sizeof(SendTable) == 8);

/// All messages that are spoken here. A feature is a capability of NdisConfig. Of answers, a
/// refusal may end behind its status; of RndisPacket in a transfer-page packet nothing is looked
/// at.
using MessageRow = wire::MessageRow<MessageType, Version>;
inline constexpr std::array kMessages = {
    MessageRow::guest<Init>(MessageType::Init),
    MessageRow::host<InitComplete>(MessageType::InitComplete),
    MessageRow::guest<NdisVersion>(MessageType::SendNdisVersion),
    MessageRow::guest<SendBuffer>(MessageType::SendReceiveBuffer),
    MessageRow::host<ReceiveBufferComplete>(MessageType::SendReceiveBufferComplete)
        .at_least(sizeof(Status)),
    MessageRow::guest<RevokeBuffer>(MessageType::RevokeReceiveBuffer),
    MessageRow::guest<SendBuffer>(MessageType::SendSendBuffer),
    MessageRow::host<SendBufferComplete>(MessageType::SendSendBufferComplete)
        .at_least(sizeof(Status)),
    MessageRow::guest<RevokeBuffer>(MessageType::RevokeSendBuffer),
    MessageRow::guest<RndisPacket>(MessageType::SendRndisPacket),
    MessageRow::host<RndisPacket>(MessageType::SendRndisPacket).at_least(0),
    MessageRow::guest<RndisPacketComplete>(MessageType::SendRndisPacketComplete),
    MessageRow::host<RndisPacketComplete>(MessageType::SendRndisPacketComplete),
    MessageRow::guest<NdisConfig>(MessageType::SendNdisConfig, Version::V2),
    MessageRow::host<VfAssociation>(MessageType::SendVfAssociation, Version::V4, kCapabilitySriov),
    MessageRow::guest<SwitchDataPath>(MessageType::SwitchDataPath, Version::V4, kCapabilitySriov),
    MessageRow::guest<SubChannelRequest>(MessageType::SubChannel, Version::V5),
    MessageRow::host<SubChannelComplete>(MessageType::SubChannel, Version::V5),
    MessageRow::host<SendTable>(MessageType::SendIndirectionTable, Version::V5),
};

/// What guests call their buffers; transfer-page packets name the first.
inline constexpr uint16_t kReceiveBufferId = 0xcafe;
inline constexpr uint16_t kSendBufferId = 0;

/// Sections of the send buffer, fixed by the host.
inline constexpr uint32_t kSendSectionSize = 6144;
inline constexpr uint16_t kMaxQueues = 64;

}  // namespace hv::wire::netvsc
