// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

/// RNDIS as network devices of Hyper-V speak it, and the NDIS structures that its OIDs carry.
/// Offsets in a message count from behind its Header. Source: Remote NDIS specification; netvsp's
/// rndis protocol (OpenVMM), if_hn's rndis (FreeBSD), MSDN's NDIS structures.
namespace hv::wire::rndis {

enum class MessageType : uint32_t {
  Packet = 1,
  Initialize = 2,
  Halt = 3,
  Query = 4,
  Set = 5,
  Reset = 6,
  IndicateStatus = 7,
  KeepAlive = 8,
  InitializeComplete = 0x80000002,
  QueryComplete = 0x80000004,
  SetComplete = 0x80000005,
  ResetComplete = 0x80000006,
  KeepAliveComplete = 0x80000008,
};

enum class Status : uint32_t {
  Success = 0,
  MediaConnect = 0x4001000b,
  MediaDisconnect = 0x4001000c,
  LinkSpeedChange = 0x40010013,
  NetworkChange = 0x40010018,
  Failure = 0xc0000001,
  NotSupported = 0xc00000bb,
  InvalidLength = 0xc0010014,
  InvalidData = 0xc0010015,
  BufferTooShort = 0xc0010016,
};

struct Header {
  MessageType type;
  uint32_t length;  ///< of the message, this header included
};
static_assert(sizeof(Header) == 8);

struct Initialize {
  uint32_t request_id;
  uint32_t major;
  uint32_t minor;
  uint32_t max_transfer;
};
static_assert(sizeof(Initialize) == 16);

struct InitializeComplete {
  uint32_t request_id;
  Status status;
  uint32_t major;
  uint32_t minor;
  uint32_t device_flags;     ///< kConnectionless
  uint32_t medium;           ///< 0: 802.3
  uint32_t max_packets;      ///< in one message to the host
  uint32_t max_transfer;     ///< bytes of one message to the host
  uint32_t alignment_shift;  ///< each packet of a message begins at a multiple of 1 << this
  uint32_t address_family_offset;
  uint32_t address_family_size;
};
static_assert(sizeof(InitializeComplete) == 44);

inline constexpr uint32_t kConnectionless = 1;

struct Query {
  uint32_t request_id;
  uint32_t oid;
  uint32_t buffer_length;
  uint32_t buffer_offset;
  uint32_t vc_handle;
};
static_assert(sizeof(Query) == 20);
using Set = Query;

struct QueryComplete {
  uint32_t request_id;
  Status status;
  uint32_t buffer_length;
  uint32_t buffer_offset;
};
static_assert(sizeof(QueryComplete) == 16);

/// Of Set and KeepAlive.
struct Complete {
  uint32_t request_id;
  Status status;
};
static_assert(sizeof(Complete) == 8);

struct ResetComplete {
  Status status;
  uint32_t addressing_reset;  ///< not 0: the guest sets its filter again
};
static_assert(sizeof(ResetComplete) == 8);

struct IndicateStatus {
  Status status;
  uint32_t buffer_length;
  uint32_t buffer_offset;
};
static_assert(sizeof(IndicateStatus) == 12);

/// A frame. Per-packet information (PPI) is a list of PpiHeader, each with its data.
struct Packet {
  uint32_t data_offset;
  uint32_t data_length;
  uint32_t oob_offset;
  uint32_t oob_length;
  uint32_t oob_count;
  uint32_t ppi_offset;
  uint32_t ppi_length;
  uint32_t vc_handle;
  uint32_t reserved;
};
static_assert(sizeof(Packet) == 36);

enum class PpiType : uint32_t {
  Checksum = 0,
  LargeSend = 2,
  Vlan = 6,
  HashValue = 9,  ///< from 6.1 on the same number is PacketCancelId; to the guest it is the hash
};

struct PpiHeader {
  uint32_t size;    ///< header included
  uint32_t type;    ///< PpiType; the top bit: a type private to host and guest
  uint32_t offset;  ///< of the data, from this header
};
static_assert(sizeof(PpiHeader) == 12);

/// Of PpiHeader::type: the number is of the types private to host and guest.
inline constexpr uint32_t kPpiPrivate = 1u << 31;
/// A private type, to the guest: PacketId. Frames that the host has joined (RSC) come in several
/// messages of one packet.
inline constexpr uint32_t kPpiPacketId = kPpiPrivate | 1;

struct PacketId {
  uint8_t version;  ///< 1
  uint8_t flags;    ///< kPart...
  uint16_t number;
};
static_assert(sizeof(PacketId) == 4);

inline constexpr uint8_t kPart = 1;
inline constexpr uint8_t kPartFirst = 2;
inline constexpr uint8_t kPartLast = 4;

// PpiType::Checksum to the host; bits 16 to 25 are the offset of the TCP header in the frame.
inline constexpr uint32_t kChecksumIpv4 = 1u << 0;
inline constexpr uint32_t kChecksumIpv6 = 1u << 1;
inline constexpr uint32_t kChecksumTcp = 1u << 2;
inline constexpr uint32_t kChecksumUdp = 1u << 3;
inline constexpr uint32_t kChecksumIpHeader = 1u << 4;
// PpiType::Checksum to the guest.
inline constexpr uint32_t kTcpChecksumGood = 1u << 3;
inline constexpr uint32_t kUdpChecksumGood = 1u << 4;
inline constexpr uint32_t kIpChecksumGood = 1u << 5;
/// The IPv4 header's checksum was good in every segment that the frame is joined of; the one that
/// stands in the frame is stale.
inline constexpr uint32_t kIpChecksumStale = 1u << 8;

// PpiType::LargeSend, version 2: bits 0 to 19 the segment size, 20 to 29 the offset of the TCP
// header.
inline constexpr uint32_t kMostTransportOffset =
    0x3ff;  ///< ten bits, for checksums and large sends
inline constexpr uint32_t kLargeSendSizeMask = 0xfffff;
inline constexpr uint32_t kLargeSendV2 = 1u << 30;
inline constexpr uint32_t kLargeSendIpv6 = 1u << 31;

// PpiType::Vlan: bits 0 to 2 priority, 3 canonical form, 4 to 15 the id.

// Object ids: what Query and Set are about.
enum class Oid : uint32_t {
  SupportedList = 0x00010101,
  HardwareStatus = 0x00010102,
  MediaSupported = 0x00010103,
  MediaInUse = 0x00010104,
  MaximumLookahead = 0x00010105,
  MaximumFrameSize = 0x00010106,
  LinkSpeed = 0x00010107,
  TransmitBufferSpace = 0x00010108,
  ReceiveBufferSpace = 0x00010109,
  TransmitBlockSize = 0x0001010a,
  ReceiveBlockSize = 0x0001010b,
  VendorId = 0x0001010c,
  VendorDescription = 0x0001010d,
  CurrentPacketFilter = 0x0001010e,
  CurrentLookahead = 0x0001010f,
  DriverVersion = 0x00010110,
  MaximumTotalSize = 0x00010111,
  ProtocolOptions = 0x00010112,
  MacOptions = 0x00010113,
  MediaConnectStatus = 0x00010114,
  MaximumSendPackets = 0x00010115,
  VendorDriverVersion = 0x00010116,
  ReceiveScaleCapabilities = 0x00010203,
  ReceiveScaleParameters = 0x00010204,
  RndisConfigParameter = 0x0001021b,
  XmitOk = 0x00020101,
  ReceiveOk = 0x00020102,
  XmitError = 0x00020103,
  ReceiveError = 0x00020104,
  ReceiveNoBuffer = 0x00020105,
  FriendlyName = 0x00020216,
  PermanentAddress = 0x01010101,
  CurrentAddress = 0x01010102,
  MulticastList = 0x01010103,
  MaximumListSize = 0x01010104,
  ReceiveErrorAlignment = 0x01020101,
  XmitOneCollision = 0x01020102,
  XmitMoreCollisions = 0x01020103,
  OffloadEncapsulation = 0x0101010a,
  OffloadCurrentConfig = 0xfc01020b,
  OffloadParameters = 0xfc01020c,
  OffloadHardwareCapabilities = 0xfc01020d,
};

// CurrentPacketFilter.
inline constexpr uint32_t kFilterDirected = 0x01;
inline constexpr uint32_t kFilterMulticast = 0x02;
inline constexpr uint32_t kFilterAllMulticast = 0x04;
inline constexpr uint32_t kFilterBroadcast = 0x08;
inline constexpr uint32_t kFilterPromiscuous = 0x20;

/// Opens every NDIS object.
struct ObjectHeader {
  uint8_t type;
  uint8_t revision;
  uint16_t size;
};
static_assert(sizeof(ObjectHeader) == 4);

inline constexpr uint8_t kObjectDefault = 0x80;
inline constexpr uint8_t kObjectRssCapabilities = 0x88;
inline constexpr uint8_t kObjectRssParameters = 0x89;
inline constexpr uint8_t kObjectOffload = 0xa7;

/// NDIS_RECEIVE_SCALE_CAPABILITIES, revision 2.
struct [[gnu::packed]] RssCapabilities {
  ObjectHeader header;
  uint32_t flags;
  uint32_t interrupts;
  uint32_t queues;
  uint16_t table_entries;
};
static_assert(sizeof(RssCapabilities) == 18);

inline constexpr uint32_t kRssHashToeplitz = 0x00000001;
inline constexpr uint32_t kRssHashTcpIpv4 = 0x00000100;
inline constexpr uint32_t kRssHashTcpIpv6 = 0x00000200;
inline constexpr size_t kRssTableEntries = 128;
inline constexpr size_t kRssKeySize = 40;

/// NDIS_RECEIVE_SCALE_PARAMETERS as far as it is used; offsets count from its beginning. Table
/// entries are 4 bytes.
struct RssParameters {
  ObjectHeader header;
  uint16_t flags;
  uint16_t base_cpu;
  uint32_t hash_info;
  uint16_t table_size;  ///< bytes
  uint16_t reserved1;
  uint32_t table_offset;
  uint16_t key_size;
  uint16_t reserved2;
  uint32_t key_offset;
};
static_assert(sizeof(RssParameters) == 28);
static_assert(offsetof(RssParameters, key_offset) == 24);

inline constexpr uint16_t kRssTableUnchanged = 0x0004;
inline constexpr uint16_t kRssKeyUnchanged = 0x0008;
inline constexpr uint16_t kRssDisable = 0x0010;

// RssParameters::hash_info: the function in the lower byte, what is hashed above it.
inline constexpr uint32_t kHashIpv4 = 0x100;
inline constexpr uint32_t kHashTcpIpv4 = 0x200;
inline constexpr uint32_t kHashIpv6 = 0x400;
inline constexpr uint32_t kHashTcpIpv6 = 0x1000;

/// What follows RssParameters in NDIS's structure; guests send it as zeros.
struct RssProcessorMasks {
  uint32_t offset;
  uint32_t count;
  uint32_t entry_size;
};
static_assert(sizeof(RssProcessorMasks) == 12);

struct ChecksumOffload {
  uint32_t ipv4_send_encapsulation;
  uint32_t ipv4_send;
  uint32_t ipv4_receive_encapsulation;
  uint32_t ipv4_receive;
  uint32_t ipv6_send_encapsulation;
  uint32_t ipv6_send;
  uint32_t ipv6_receive_encapsulation;
  uint32_t ipv6_receive;
};
static_assert(sizeof(ChecksumOffload) == 32);

inline constexpr uint32_t kEncapsulation8023 = 2;
// Of IPv4; with IPv6 the first is "extension headers" and the last is not used.
inline constexpr uint32_t kOffloadIpOptions = 0x001;
inline constexpr uint32_t kOffloadTcpOptions = 0x004;
inline constexpr uint32_t kOffloadTcp = 0x010;
inline constexpr uint32_t kOffloadUdp = 0x040;
inline constexpr uint32_t kOffloadIpHeader = 0x100;

struct LargeSendV2Offload {
  uint32_t ipv4_encapsulation;
  uint32_t ipv4_most;
  uint32_t ipv4_least_segments;
  uint32_t ipv6_encapsulation;
  uint32_t ipv6_most;
  uint32_t ipv6_least_segments;
  uint32_t ipv6_options;
};
static_assert(sizeof(LargeSendV2Offload) == 28);

/// NDIS_OFFLOAD, revision 3. Older guests take the first kOffloadSizeNdis60 or kOffloadSizeNdis61
/// bytes.
struct Offload {
  ObjectHeader header;
  ChecksumOffload checksum;
  std::array<uint32_t, 4> large_send_v1;
  std::array<uint32_t, 7> ipsec_v1;
  LargeSendV2Offload large_send_v2;
  uint32_t flags;
  std::array<std::byte, 32> ipsec_v2;
  std::array<uint8_t, 2> rsc;  ///< IPv4, IPv6
  std::array<uint8_t, 2> reserved;
  std::array<uint32_t, 2> encapsulated;
};
static_assert(offsetof(Offload, large_send_v2) == 80);

inline constexpr size_t kOffloadSizeNdis60 = offsetof(Offload, ipsec_v2);
inline constexpr size_t kOffloadSizeNdis61 = offsetof(Offload, rsc);

/// NDIS_OFFLOAD_PARAMETERS; guests send only its beginning, longer or shorter. 0: no change.
struct OffloadParameters {
  ObjectHeader header;
  uint8_t ipv4_checksum;
  uint8_t tcp_ipv4_checksum;
  uint8_t udp_ipv4_checksum;
  uint8_t tcp_ipv6_checksum;
  uint8_t udp_ipv6_checksum;
  uint8_t large_send_v1;
  uint8_t ipsec_v1;
  uint8_t large_send_v2_ipv4;
  uint8_t large_send_v2_ipv6;
  uint8_t tcp_connection_ipv4;
  uint8_t tcp_connection_ipv6;
  uint8_t reserved;
  uint32_t flags;
};
static_assert(sizeof(OffloadParameters) == 20);

/// What follows OffloadParameters from NDIS 6.30 on.
struct OffloadParametersTail {
  uint8_t ipsec_v2;
  uint8_t ipsec_v2_ipv4;
  uint8_t rsc_ipv4;  ///< kOffloadOff, kOffloadOn
  uint8_t rsc_ipv6;
  std::array<uint8_t, 4> encapsulated;
};
static_assert(sizeof(OffloadParametersTail) == 8);

/// Bytes of OffloadParameters and its tail that hosts up to NVSP 4 take.
inline constexpr size_t kOffloadParametersSizeV4 = 22;

/// Of large sends and of RSC.
inline constexpr uint8_t kOffloadOff = 1;
inline constexpr uint8_t kOffloadOn = 2;

inline constexpr uint8_t kChecksumDisabled = 1;
inline constexpr uint8_t kChecksumSend = 2;
inline constexpr uint8_t kChecksumReceive = 3;
inline constexpr uint8_t kChecksumBoth = 4;

/// RndisConfigParameter: a name and its value, UTF-16; offsets from its beginning.
struct ConfigParameter {
  uint32_t name_offset;
  uint32_t name_length;
  uint32_t type;  ///< kConfigString
  uint32_t value_offset;
  uint32_t value_length;
};
static_assert(sizeof(ConfigParameter) == 20);

inline constexpr uint32_t kConfigString = 2;

}  // namespace hv::wire::rndis
