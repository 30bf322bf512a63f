// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "core/base/guid.hpp"
#include "core/wire/messages.hpp"

/// The storage protocol. Source: storvsp_protocol (OpenVMM) and its description in the TLFS'
/// companion documents.
namespace hv::wire::storvsc {

inline constexpr Guid kScsiClass = "ba6163d9-04a1-4d29-b605-72e2ffb1dc7f"_guid;
inline constexpr Guid kIdeClass = "32412632-86cb-44a2-9b5c-50d1417354f5"_guid;
inline constexpr Guid kFibreChannelClass = "2f9bcc4a-0069-4af3-b76b-6fd0be528cda"_guid;

/// Major number in the upper byte. In the order of time; a guest begins with the newest.
enum class Version : uint16_t {
  Win2008 = 0x0200,
  Win7 = 0x0402,
  Win8 = 0x0501,
  Win8_1 = 0x0600,
  Win10 = 0x0602,
};

enum class Operation : uint32_t {
  CompleteIo = 1,
  RemoveDevice = 2,
  ExecuteSrb = 3,
  ResetLun = 4,
  ResetAdapter = 5,
  ResetBus = 6,
  BeginInitialization = 7,
  EndInitialization = 8,
  QueryProtocolVersion = 9,
  QueryProperties = 10,
  EnumerateBus = 11,
  FcHbaData = 12,
  CreateSubChannels = 13,
};

/// Opens every storvsc packet. `status` is an NTSTATUS, set by the host in a completion and 0 in a
/// request.
struct Header {
  Operation operation;
  uint32_t flags;  ///< kRequestCompletion
  uint32_t status;
};
static_assert(sizeof(Header) == 12);

inline constexpr uint32_t kRequestCompletion = 1;

inline constexpr uint32_t kStatusSuccess = 0;
inline constexpr uint32_t kStatusUnsuccessful = 0xc0000001;
inline constexpr uint32_t kStatusRevisionMismatch = 0xc0000059;
inline constexpr uint32_t kStatusInvalidParameter = 0xc000000d;
inline constexpr uint32_t kStatusInvalidDeviceState = 0xc0000184;
inline constexpr uint32_t kStatusInvalidDeviceRequest = 0xc0000010;
inline constexpr uint32_t kStatusNotSupported = 0xc00000bb;
inline constexpr uint32_t kStatusBufferOverflow = 0x80000005;
inline constexpr uint32_t kStatusDeviceBusy = 0x80000011;
inline constexpr uint32_t kStatusDeviceDoesNotExist = 0xc00000c0;
inline constexpr uint32_t kStatusIoDeviceError = 0xc0000185;

/// Every packet is this long; with versions before Win8 it ends 16 bytes earlier (no
/// ScsiRequestExtension).
inline constexpr size_t kPacketSize = 64;
inline constexpr size_t kPacketSizeBeforeWin8 = 48;

inline constexpr size_t kCdbSize = 16;
inline constexpr size_t kSenseSize = 20;
inline constexpr size_t kSenseSizeBeforeWin8 = 18;

enum class Direction : uint8_t { Write = 0, Read = 1, None = 2 };

/// ExecuteSrb and its completion, in which the CDB's place holds the sense data.
struct ScsiRequest {
  uint16_t length;     ///< of this structure, extension included
  uint8_t srb_status;  ///< two flag bits and a code of six bits
  uint8_t scsi_status;
  uint8_t port_number;
  uint8_t path_id;
  uint8_t target_id;
  uint8_t lun;
  uint8_t cdb_length;
  uint8_t sense_length;
  Direction direction;
  uint8_t reserved;
  uint32_t transfer_length;  ///< bytes; in a completion: really moved
  std::array<uint8_t, kSenseSize> cdb_or_sense;
};
static_assert(sizeof(ScsiRequest) == 36);

/// Behind ScsiRequest from Win8 on.
struct ScsiRequestExtension {
  uint16_t reserved;
  uint8_t queue_tag;
  uint8_t queue_action;  ///< kQueueActionSimple, ...
  uint32_t srb_flags;
  uint32_t timeout_seconds;
  uint32_t queue_sort_key;
};
static_assert(sizeof(ScsiRequestExtension) == 16);
static_assert(sizeof(Header) + sizeof(ScsiRequest) + sizeof(ScsiRequestExtension) == kPacketSize);
static_assert(sizeof(Header) + sizeof(ScsiRequest) == kPacketSizeBeforeWin8);

inline constexpr uint8_t kQueueActionSimple = 0x20;
inline constexpr uint8_t kQueueActionHead = 0x21;
inline constexpr uint8_t kQueueActionOrdered = 0x22;

inline constexpr uint32_t kSrbQueueActionEnable = 0x00000002;
inline constexpr uint32_t kSrbDisableSynchTransfer = 0x00000008;
inline constexpr uint32_t kSrbDataIn = 0x00000040;
inline constexpr uint32_t kSrbDataOut = 0x00000080;
inline constexpr uint32_t kSrbNoQueueFreeze = 0x00000100;

inline constexpr uint8_t kSrbStatusMask = 0x3f;
inline constexpr uint8_t kSrbAutosenseValid = 0x80;
inline constexpr uint8_t kSrbQueueFrozen = 0x40;

enum class SrbStatus : uint8_t {
  Pending = 0x00,
  Success = 0x01,
  Aborted = 0x02,
  AbortFailed = 0x03,
  Error = 0x04,
  Busy = 0x05,
  InvalidRequest = 0x06,
  InvalidPathId = 0x07,
  NoDevice = 0x08,
  Timeout = 0x09,
  SelectionTimeout = 0x0a,
  CommandTimeout = 0x0b,
  MessageRejected = 0x0d,
  BusReset = 0x0e,
  ParityError = 0x0f,
  RequestSenseFailed = 0x10,
  NoHba = 0x11,
  DataOverrun = 0x12,
  UnexpectedBusFree = 0x13,
  PhaseSequenceFailure = 0x14,
  BadSrbBlockLength = 0x15,
  RequestFlushed = 0x16,
  InvalidLun = 0x20,
  InvalidTargetId = 0x21,
  BadFunction = 0x22,
  ErrorRecovery = 0x23,
  NotPowered = 0x24,
  LinkDown = 0x25,
  InternalError = 0x30,
};

struct ProtocolVersion {
  Version version;
  uint16_t revision;
};
static_assert(sizeof(ProtocolVersion) == 4);

struct ChannelProperties {
  uint32_t reserved1;
  uint16_t max_sub_channels;  ///< beyond the primary
  uint16_t reserved2;
  uint32_t flags;  ///< kSupportsMultiChannel
  uint32_t max_transfer_bytes;
  uint64_t reserved3;
};
static_assert(sizeof(ChannelProperties) == 24);
static_assert(offsetof(ChannelProperties, max_transfer_bytes) == 12);

inline constexpr uint32_t kSupportsMultiChannel = 1;

struct FcHbaData {
  uint8_t primary_active;
  std::array<uint8_t, 3> reserved;
  std::array<uint8_t, 8> primary_port_name;
  std::array<uint8_t, 8> primary_node_name;
  std::array<uint8_t, 8> secondary_port_name;
  std::array<uint8_t, 8> secondary_node_name;
};
static_assert(sizeof(FcHbaData) == 36);

struct SubChannelCount {
  uint16_t count;
};

/// Opens the user-defined bytes of an IDE disk's offer; newer guests look at the instance GUID
/// alone.
struct OfferProperties {
  uint16_t reserved1;
  uint8_t path_id;
  uint8_t target_id;
  uint32_t reserved2;
  uint32_t flags;  ///< kOfferIdeDevice
  std::array<uint32_t, 3> reserved3;
};
static_assert(sizeof(OfferProperties) == 24);

inline constexpr uint32_t kOfferIdeDevice = 2;

/// What a controller may have beside its version.
inline constexpr uint8_t kFeatureMultiChannel = 1;  ///< the host has said kSupportsMultiChannel
inline constexpr uint8_t kFeatureFibreChannel = 2;
inline constexpr uint8_t kEveryFeature = kFeatureMultiChannel | kFeatureFibreChannel;

/// All operations that are spoken here. What a CompleteIo holds depends on what was asked.
using MessageRow = wire::MessageRow<Operation, Version>;
inline constexpr std::array kMessages = {
    MessageRow::host<void>(Operation::CompleteIo),
    MessageRow::host<void>(Operation::RemoveDevice),
    MessageRow::guest<ScsiRequest>(Operation::ExecuteSrb),
    MessageRow::guest<void>(Operation::ResetLun),
    MessageRow::guest<void>(Operation::ResetAdapter),
    MessageRow::guest<void>(Operation::ResetBus),
    MessageRow::guest<void>(Operation::BeginInitialization),
    MessageRow::guest<void>(Operation::EndInitialization),
    MessageRow::guest<ProtocolVersion>(Operation::QueryProtocolVersion),
    MessageRow::guest<void>(Operation::QueryProperties),
    MessageRow::host<void>(Operation::EnumerateBus, Version::Win7),
    MessageRow::guest<void>(Operation::FcHbaData, {}, kFeatureFibreChannel),
    MessageRow::host<FcHbaData>(Operation::FcHbaData, {}, kFeatureFibreChannel),
    MessageRow::guest<SubChannelCount>(Operation::CreateSubChannels, Version::Win8,
                                       kFeatureMultiChannel),
};

}  // namespace hv::wire::storvsc
