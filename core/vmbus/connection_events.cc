// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "core/base/bytes.hpp"
#include "core/base/mutant.hpp"
#include "core/vmbus/connection.hpp"

// What the port is told; and the crash path, which needs nothing of the rest.
namespace hv::vmbus {

namespace wire = hv::wire::vmbus;

size_t Connection::crash_unload(std::span<std::byte> message) {
  const wire::MessageHeader header{MessageType::Unload, 0};
  if (message.size() < sizeof(header) || !unload_makes_sense_.load(std::memory_order_acquire))
    return 0;
  if (crashed_.exchange(true) && !HV_MUTANT(14)) return 0;
  __builtin_memcpy(message.data(), &header, sizeof(header));
  return sizeof(header);
}

bool Connection::is_unload_response(std::span<const std::byte> message) {
  ByteReader reader(message);
  const auto header = reader.take<wire::MessageHeader>();
  return header && header->type == MessageType::UnloadResponse;
}

// --- Events ---

bool Connection::next_event(Event& event) {
  while (EventLink* link = events_.pop_front()) {
    event = Event{};
    switch (link->of) {
      case EventLink::Of::Request: {
        Request& request = static_cast<Request&>(*link);
        event.kind = Event::Kind::RequestDone;
        event.ok = request.ok_;
        event.error = request.error_;
        event.host_status = request.host_status_;
        event.request_kind = request.kind_;
        event.request = &request;
        request.kind_ = RequestKind::None;
        return true;
      }
      case EventLink::Of::Gpadl:
        event.kind = Event::Kind::GpadlReleased;
        event.ok = true;
        event.gpadl = &static_cast<Gpadl&>(*link);
        return true;
      case EventLink::Of::Channel:
        if (event_of(static_cast<Channel&>(*link), event)) return true;
        break;
    }
  }
  return false;
}

/// The next of the things to tell of one channel, in the order in which they are true.
bool Connection::event_of(Channel& channel, Event& event) {
  event.channel = &channel;
  event.ok = true;
  if (channel.tell_offered_) {
    channel.tell_offered_ = false;
    channel.announced_ = true;
    event.kind = Event::Kind::ChannelOffered;
  } else if (channel.tell_reattached_) {
    channel.tell_reattached_ = false;
    event.kind = Event::Kind::ChannelReattached;
  } else if (channel.tell_rescinded_) {
    channel.tell_rescinded_ = false;
    event.kind = Event::Kind::ChannelRescinded;
  } else if (channel.tell_freed_) {
    channel.tell_freed_ = false;
    event.kind = Event::Kind::ChannelFreed;
  } else {
    return false;
  }
  if (channel.tell_reattached_ || channel.tell_rescinded_ || channel.tell_freed_) enqueue(channel);
  return true;
}

bool Connection::next_violation(Violation& violation) {
  if (violation_kept_ == 0) return false;
  violation = violations_[0];
  for (size_t i = 1; i < violation_kept_; i++) violations_[i - 1] = violations_[i];
  violation_kept_--;
  return true;
}

void Connection::violation(MessageType type, uint32_t id, Error why) {
  violation_count_++;
  if (violation_kept_ < violations_.size()) violations_[violation_kept_++] = {type, id, why};
}

}  // namespace hv::vmbus
