// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/ic/heartbeat.hpp"

#include <array>
#include <cstring>
#include <utility>

#include "core/base/bytes.hpp"
#include "host/ic/offer.hpp"

namespace hv::host::ic {
namespace {

namespace proto = wire::ic;

constexpr std::array<proto::Version, 2> kFrameworks{{{1, 0}, {3, 0}}};
constexpr std::array<proto::Version, 2> kVersions{{{1, 0}, {3, 0}}};
constexpr Offered kOffered{proto::MessageType::Heartbeat, kFrameworks, kVersions};

}  // namespace

const char* name(HeartbeatStatus::State state) {
  switch (state) {
    case HeartbeatStatus::State::NoContact:
      return "no contact";
    case HeartbeatStatus::State::Negotiating:
      return "negotiating";
    case HeartbeatStatus::State::Refused:
      return "refused";
    case HeartbeatStatus::State::Ok:
      return "ok";
    case HeartbeatStatus::State::Lost:
      return "lost";
  }
  return "";
}

HeartbeatService::HeartbeatService(vmbus::OpenChannel& channel, HeartbeatBoard& board,
                                   std::chrono::milliseconds interval)
    : end_(channel), board_(board), interval_(interval), dialogue_(kOffered) {}

void HeartbeatService::run() {
  end_.send(wire::PacketType::DataInBand, 0, dialogue_.negotiation());
  end_.mask();
  auto next = Clock::now() + interval_;
  while (!end_.stopping()) {
    take_answers();
    if (Clock::now() >= next) {
      beat();
      next = Clock::now() + interval_;
    }
    end_.end_round();
    if (end_.may_sleep(0, true)) end_.wait(next);
  }
}

void HeartbeatService::take_answers() {
  while (const auto packet = end_.take()) {
    if (packet->type == wire::PacketType::DataInBand) take(packet->payload);
  }
  end_.give_back();
}

/// Only the answer to the last question counts. An older one is ignored: the guest may be slow.
void HeartbeatService::take(std::span<const std::byte> packet) {
  using State = HeartbeatStatus::State;
  const bool negotiating = dialogue_.state() == Dialogue::State::Negotiating;
  const auto answer = dialogue_.answered(packet);
  if (!answer) return;
  if (negotiating) {
    return board_.change([this](HeartbeatStatus& status) {
      status.framework = dialogue_.framework();
      status.version = dialogue_.version();
      if (dialogue_.state() == Dialogue::State::Refused) status.state = State::Refused;
    });
  }
  const auto heard = ByteReader(*answer).take_at_least<proto::Heartbeat>(proto::kLeastHeartbeat);
  if (!heard || heard->sequence != sequence_ + 1) return;
  sequence_ = heard->sequence;
  asked_ = false;
  board_.change([&](HeartbeatStatus& status) {
    status.state = State::Ok;
    status.answered++;
    status.missed = 0;
    status.application = heard->application_state;
  });
}

void HeartbeatService::beat() {
  if (dialogue_.state() != Dialogue::State::Ready) return;
  if (std::exchange(asked_, true)) {
    board_.change([](HeartbeatStatus& status) {
      if (++status.missed >= kMostMissed) status.state = HeartbeatStatus::State::Lost;
    });
  }
  const proto::Heartbeat question{.sequence = sequence_, .application_state = 0, .reserved = {}};
  // A ring that is full is a guest that does not answer.
  end_.send(wire::PacketType::DataInBand, 0, dialogue_.request(bytes_of(question)));
}

Heartbeat::Heartbeat(std::chrono::milliseconds interval)
    : interval_(interval), offer_(offer_of(proto::kHeartbeatClass, proto::kHeartbeatInstance)) {}

bool Heartbeat::opened(vmbus::OpenChannel& channel) {
  board_.change(
      [](HeartbeatStatus& status) { status = {.state = HeartbeatStatus::State::Negotiating}; });
  if (channels_.start("heartbeat", channel, board_, interval_)) return true;
  closed(channel);
  return false;
}

void Heartbeat::closed(vmbus::OpenChannel& channel) {
  channels_.end(channel);
  board_.change([](HeartbeatStatus& status) { status.state = HeartbeatStatus::State::NoContact; });
}

}  // namespace hv::host::ic
