// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <cstdint>
#include <optional>
#include <variant>

#include "host/netvsp/message.hpp"

namespace hv::host::netvsp {

/// What a device offers.
struct SessionLimits {
  wire::netvsc::Version newest = wire::netvsc::Version::V6_1;
  uint16_t queues = 1;  ///< channels, the primary counted
  bool old_send_table =
      false;  ///< up to version 6, misstates where the send table is, as hosts did
};

/// What the device must do about a message of the set-up.
struct Answer {
  Outgoing message;
};
/// Look the GPADL up, and answer by `Session::buffer_found`.
struct FindBuffer {
  Buffer which;
  uint32_t gpadl_id;
};
/// Do not touch that buffer any more; no answer is expected.
struct DropBuffer {
  Buffer which;
};
/// Answer, then offer so many sub-channels.
struct OfferChannels {
  Outgoing message;
  uint16_t count;
};
/// Answer; from then on the guest expects its frames on `Session::data_path`.
struct SwitchPath {
  Outgoing message;
};
struct Nothing {};
using Step = std::variant<Answer, FindBuffer, DropBuffer, OfferChannels, SwitchPath, Nothing>;

/// How a receive buffer is cut.
struct Sections {
  uint32_t size = 0;
  uint32_t count = 0;
};

/// The set-up on the primary channel, as a machine: message in, what to do out. Pure; one caller at
/// a time.
class Session {
 public:
  explicit Session(SessionLimits limits) : limits_(limits) {}

  /// Any message but RndisPacket.
  Step handle(const Message& message);

  /// Whether `sender` may send this message: as the version has it, and what the guest can do.
  bool has(wire::Sender sender, wire::netvsc::MessageType type) const {
    return version_ && has_message(wire::netvsc::kMessages, sender, type, *version_, capabilities_);
  }
  /// The guest takes virtual functions, so that it may be told of one.
  bool takes_function() const {
    return has(wire::Sender::Host, wire::netvsc::MessageType::SendVfAssociation);
  }
  /// Which way the guest wants frames for it.
  wire::netvsc::DataPath data_path() const { return data_path_; }

  /// The answer to FindBuffer: a buffer of `bytes`, or 0 when there is none. What to tell the
  /// guest.
  Outgoing buffer_found(Buffer which, uint64_t bytes);

  /// The primary channel was closed: the next one begins anew.
  void reset() { *this = Session(limits_); }

  std::optional<wire::netvsc::Version> version() const { return version_; }
  uint32_t frame_size() const {
    return frame_size_;
  }  ///< the longest the guest takes, Ethernet header included
  Sections receive_sections() const { return receive_sections_; }
  uint16_t receive_buffer_id() const { return receive_buffer_id_; }
  /// Where the send table is said to be in its message.
  uint32_t send_table_offset() const;
  /// Channels that may be there: sections of the receive buffer are shared out among so many.
  uint16_t queues() const;

 private:
  enum class Have : uint8_t { No, Asked, Yes };

  Step init(const wire::netvsc::Init& request);
  Step offer_buffer(const OfferBuffer& request);
  Step sub_channels(const wire::netvsc::SubChannelRequest& request) const;

  SessionLimits limits_;
  std::optional<wire::netvsc::Version> version_;
  uint32_t frame_size_ = 1514;
  uint32_t capabilities_ = 0;  ///< kCapability..., as the guest says
  wire::netvsc::DataPath data_path_ = wire::netvsc::DataPath::Synthetic;
  Have receive_ = Have::No;
  Have send_ = Have::No;
  uint16_t receive_buffer_id_ = 0;
  Sections receive_sections_;
};

}  // namespace hv::host::netvsp
