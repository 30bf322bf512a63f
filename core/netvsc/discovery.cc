// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "core/netvsc/discovery.hpp"

namespace hv::netvsc {

using wire::rndis::MessageType;
using wire::rndis::Oid;

uint32_t Facts::queue_limit(uint32_t cpus) const {
  if (rss.table_entries == 0) return 1;
  uint32_t limit = rss.queues < cpus ? rss.queues : cpus;
  if (limit > wire::netvsc::kMaxQueues) limit = wire::netvsc::kMaxQueues;
  return limit == 0 ? 1 : limit;
}

Result<size_t> Discovery::write(std::span<std::byte> out, Conversation& conversation) const {
  switch (state_) {
    case State::Initialize:
      return write_initialize(out, conversation.begin(MessageType::InitializeComplete));
    case State::FrameSize:
      return write_query(out, conversation.begin(MessageType::QueryComplete),
                         Oid::MaximumFrameSize);
    case State::Address:
      return write_query(out, conversation.begin(MessageType::QueryComplete),
                         Oid::PermanentAddress);
    case State::Offloads:
      return write_query_offloads(out, conversation.begin(MessageType::QueryComplete), dialect_);
    case State::SetOffloads:
      return write_set_offloads(out, conversation.begin(MessageType::SetComplete), dialect_,
                                facts_.capabilities, wishes_);
    case State::LinkStatus:
      return write_query(out, conversation.begin(MessageType::QueryComplete),
                         Oid::MediaConnectStatus);
    case State::LinkSpeed:
      return write_query(out, conversation.begin(MessageType::QueryComplete), Oid::LinkSpeed);
    case State::Rss:
      return write_query_rss(out, conversation.begin(MessageType::QueryComplete));
    case State::Done:
    case State::Failed:
      break;
  }
  return Error::BadState;
}

Result<void> Discovery::answered(std::span<const std::byte> answer) {
  auto following = next(answer);
  state_ = following ? *following : State::Failed;
  if (!following) return following.error();
  return {};
}

Result<Discovery::State> Discovery::next(std::span<const std::byte> answer) {
  switch (state_) {
    case State::Initialize:
      facts_.limits = HV_TRY(parse_initialize_complete(answer));
      return State::FrameSize;

    case State::FrameSize: {
      const auto size = parse_u32(answer);
      if (size && *size >= kLeastMtu && *size < kMostMtu) facts_.most_mtu = *size;
      return State::Address;
    }
    case State::Address: {
      facts_.mac = HV_TRY(parse_mac(answer));
      // A group address, or none at all, is no adapter's.
      uint8_t any = 0;
      for (const uint8_t octet : facts_.mac) any |= octet;
      if (any == 0 || facts_.mac[0] & 1) return Error::BadValue;
      return State::Offloads;
    }
    case State::Offloads: {
      const auto found = parse_offloads(answer);
      if (!found) return State::LinkStatus;
      facts_.capabilities = *found;
      return State::SetOffloads;
    }
    case State::SetOffloads:
      if (!parse_set_complete(answer)) facts_.capabilities = {};
      return State::LinkStatus;

    case State::LinkStatus: {
      const auto status = parse_u32(answer);
      facts_.link_up = !status || *status == 0;
      return dialect_.has_channels() ? State::LinkSpeed : State::Done;
    }
    case State::LinkSpeed: {
      const auto speed = parse_u32(answer);
      if (speed) facts_.link_speed = *speed;
      return State::Rss;
    }
    case State::Rss: {
      const auto rss = parse_rss(answer);
      if (rss) facts_.rss = *rss;
      return State::Done;
    }
    case State::Done:
    case State::Failed:
      return Error::BadState;
  }
  __builtin_trap();
}

}  // namespace hv::netvsc
