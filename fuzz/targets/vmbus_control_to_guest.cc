// SPDX-License-Identifier: GPL-2.0-only OR MIT
// The host's control messages, forged at will, against the guest's connection, between calls of its
// operating system in any order. Checked: each request ends once, each channel and GPADL comes back
// once, what both sides have let go of in time, and unload ends everything.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "core/vmbus/connection.hpp"

namespace {

namespace wire = hv::wire::vmbus;
using namespace hv::vmbus;  // NOLINT: one file, one subject

void require(bool true_here) {
  if (!true_here) __builtin_trap();
}

class Input {
 public:
  Input(const uint8_t* data, size_t size) : rest_(data, size) {}
  bool empty() const { return rest_.empty(); }
  uint8_t byte() {
    if (rest_.empty()) return 0;
    const uint8_t first = rest_[0];
    rest_ = rest_.subspan(1);
    return first;
  }
  std::span<const uint8_t> bytes(size_t count) {
    const auto taken = rest_.first(std::min(count, rest_.size()));
    rest_ = rest_.subspan(taken.size());
    return taken;
  }

 private:
  std::span<const uint8_t> rest_;
};

constexpr std::array<uint64_t, 64> kFrames{};

class Guest {
 public:
  explicit Guest(uint8_t flags)
      : connection_({.max_version = flags & 1 ? wire::Version::V5_3 : wire::Version::V4_0,
                     .isolated = (flags & 2) != 0}) {
    for (auto& channel : channels_) connection_.donate(channel);
  }

  void run(Input input) {
    if (input.byte() & 1) begin();
    while (!input.empty()) step(input);
    end();
  }

 private:
  /// Most inputs should not have to find the way to a connected bus.
  void begin() {
    call(requests_[0], [&](Request& request) { return connection_.connect(request, now_); });
    settle();
    message(wire::MessageType::VersionResponse, wire::VersionResponse{1, 0, 0, 4});
    settle();
    call(requests_[0], [&](Request& request) { return connection_.request_offers(request, now_); });
    settle();
  }

  void step(Input& input) {
    const uint8_t what = input.byte();
    const uint8_t which = input.byte();
    Channel& channel = channels_[which % channels_.size()];
    Gpadl& gpadl = gpadls_[(which >> 4) % gpadls_.size()];
    Request& request = requests_[(which >> 2) % requests_.size()];
    switch (what % 20) {
      case 0: {
        const auto bytes = input.bytes(which);
        (void)connection_.on_message(std::as_bytes(bytes));
        break;
      }
      case 1: {
        wire::OfferChannel offer{};
        const uint8_t more = input.byte();
        offer.class_id = hv::Guid::parse("ba6163d9-04a1-4d29-b605-72e2ffb1dc7f").take();
        offer.instance_id.bytes[0] = more & 7;
        offer.sub_channel_index = static_cast<uint16_t>(more >> 6);
        offer.channel_id = which % 12;
        message(wire::MessageType::OfferChannel, offer);
        break;
      }
      case 2:
        message(wire::MessageType::RescindChannelOffer, wire::ChannelId{which % 12u});
        break;
      case 3:
        message(wire::MessageType::OpenChannelResult,
                wire::OpenChannelResult{which % 12u, which / 16u + 1, input.byte() & 1u});
        break;
      case 4:
        message(wire::MessageType::GpadlCreated,
                wire::GpadlCreated{which % 12u, 0xE1E10u + which / 16, input.byte() & 1u});
        break;
      case 5:
        message(wire::MessageType::GpadlTorndown, wire::GpadlTorndown{0xE1E10u + which});
        break;
      case 6:
        message(wire::MessageType::ModifyChannelResponse,
                wire::ModifyChannelResponse{which % 12u, which & 16u});
        break;
      case 7:
        message(wire::MessageType::AllOffersDelivered, uint32_t{});
        break;
      case 8:
        message(wire::MessageType::VersionResponse,
                wire::VersionResponse{static_cast<uint8_t>(which & 1), 0, 0, which});
        break;
      case 9:
        message(wire::MessageType::UnloadResponse, uint32_t{});
        break;
      case 10:
        if (live(channel))
          call(request, [&](Request& r) { return create(channel, gpadl, r, input.byte()); });
        break;
      case 11:
        (void)teardown(gpadl, request);
        break;
      case 12:
        if (live(channel))
          call(request,
               [&](Request& r) { return connection_.open(channel, gpadl, 1, 0, {}, r, now_); });
        break;
      case 13:
        if (live(channel)) (void)connection_.close(channel);
        break;
      case 14:
        if (live(channel))
          call(request, [&](Request& r) { return connection_.modify(channel, which, r, now_); });
        break;
      case 15:
        if (live(channel) && connection_.release(channel).ok()) released_[index(channel)] = true;
        break;
      case 16:
        post(which);
        break;
      case 17:
        events();
        break;
      case 18:
        now_ += which * 1000u;
        connection_.expire(now_);
        break;
      default:
        lifecycle(which, request);
        break;
    }
    check();
  }

  void lifecycle(uint8_t which, Request& request) {
    switch (which % 6) {
      case 0:
        call(request, [&](Request& r) { return connection_.connect(r, now_); });
        break;
      case 1:
        call(request, [&](Request& r) { return connection_.request_offers(r, now_); });
        break;
      case 2:
        call(request, [&](Request& r) { return connection_.unload(which & 64, r, now_); });
        break;
      case 3:
        call(request, [&](Request& r) { return connection_.resume(r, now_); });
        break;
      case 4:
        if (waiting_[index(request)] && request.waiting()) {
          (void)connection_.abandon(request);
          require(!request.waiting());
          waiting_[index(request)] = false;
        }
        break;
      default:
        (void)connection_.connect_service(hv::Guid{}, hv::Guid{});
        break;
    }
  }

  template <typename T>
  void message(wire::MessageType type, const T& payload) {
    std::array<std::byte, sizeof(wire::MessageHeader) + sizeof(T)> bytes{};
    const wire::MessageHeader header{type, 0};
    std::memcpy(bytes.data(), &header, sizeof(header));
    std::memcpy(bytes.data() + sizeof(header), &payload, sizeof(T));
    (void)connection_.on_message(bytes);
  }

  /// As a port does: a request object is used by one wait at a time.
  template <typename Call>
  void call(Request& request, Call begin_it) {
    bool& waits = waiting_[index(request)];
    if (waits) {
      require(request.waiting() ? !begin_it(request).ok() : true);
      return;
    }
    waits = begin_it(request).ok();
    require(waits == request.waiting());
  }
  hv::Result<void> create(Channel& channel, Gpadl& gpadl, Request& request, uint8_t pages) {
    const size_t count = pages % kFrames.size() + 1;
    return connection_.create_gpadl(channel, gpadl, std::span(kFrames).first(count),
                                    static_cast<uint32_t>(count * 4096), 0, request, now_);
  }
  bool teardown(Gpadl& gpadl, Request& request) {
    call(request, [&](Request& r) { return connection_.teardown_gpadl(gpadl, &r, now_); });
    return true;
  }

  void post(uint8_t how) {
    if (posting_) {
      posting_ = false;
      connection_.posted(how & 1);
      return;
    }
    Post post;
    posting_ = connection_.next_post(post);
    if (!posting_) return;
    require(post.size >= 8 && post.size <= wire::kMaxMessageSize);
    Post second;
    require(!connection_.next_post(second));
  }

  void events() {
    Event event;
    while (connection_.next_event(event)) {
      switch (event.kind) {
        case Event::Kind::RequestDone:
          require(waiting_[index(*event.request)]);
          require(!event.request->waiting());
          waiting_[index(*event.request)] = false;
          break;
        case Event::Kind::ChannelOffered:
          require(!told_[index(*event.channel)]);
          told_[index(*event.channel)] = true;
          rescinded_[index(*event.channel)] = false;
          break;
        case Event::Kind::ChannelRescinded:
          require(told_[index(*event.channel)] && !rescinded_[index(*event.channel)]);
          rescinded_[index(*event.channel)] = true;
          break;
        case Event::Kind::ChannelReattached:
          require(told_[index(*event.channel)]);
          break;
        case Event::Kind::ChannelFreed:
          require(event.channel->state() == Channel::State::Unused);
          told_[index(*event.channel)] = released_[index(*event.channel)] = false;
          connection_.donate(*event.channel);
          break;
        case Event::Kind::GpadlReleased:
          require(event.gpadl->state() == Gpadl::State::Dead);
          break;
      }
    }
  }

  void settle() {
    for (;;) {
      if (!posting_) post(1);
      if (!posting_) break;
      post(1);
    }
    events();
  }

  void check() {
    size_t live_gpadls = 0;
    for (const auto& gpadl : gpadls_) live_gpadls += gpadl.state() != Gpadl::State::Dead;
    require(live_gpadls == connection_.gpadl_count());
    require(connection_.channel_count() <= channels_.size());
    for (uint32_t relid = 0; relid < 16; relid++) {
      const Channel* channel = connection_.channel(relid);
      require(!channel || channel->relid() == relid);
    }
  }

  /// What both sides have let go of ends, at the latest when the time for answers is over.
  void check_released() {
    if (connection_.state() != Connection::State::Connected) return;
    settle();
    // The second time as well when that was long ago: a late look may find a grace.
    for (int look = 0; look < 2; look++) {
      now_ += 10'000;
      connection_.expire(now_);
      settle();
    }
    for (const auto& channel : channels_)
      require(!released_[index(channel)] || !channel.rescinded());
  }

  /// Whatever was done to it, the guest can leave.
  void end() {
    if (posting_) post(1);
    events();
    check_released();
    for (auto& request : requests_) {
      if (waiting_[index(request)] && connection_.state() != Connection::State::Unloading) {
        (void)connection_.abandon(request);
        waiting_[index(request)] = false;
      }
    }
    Request last;
    if (connection_.unload(false, last, now_)) {
      settle_last(last);
      require(!last.waiting());
    } else {
      connection_.expire(~hv::vmbus::Time{0} - 10'000);
      connection_.expire(~hv::vmbus::Time{0} - 1);
    }
    require(connection_.state() == Connection::State::Disconnected);
  }
  void settle_last(Request& last) {
    Post post;
    while (connection_.next_post(post)) connection_.posted(true);
    connection_.expire(now_ + 1'000'000);
    connection_.expire(now_ + 1'010'000);
    Event event;
    while (connection_.next_event(event)) {
      if (event.kind == Event::Kind::RequestDone && event.request == &last)
        require(!last.waiting());
    }
    require(connection_.channel_count() == 0);
  }

  bool live(const Channel& channel) { return told_[index(channel)]; }
  size_t index(const Channel& channel) const {
    return static_cast<size_t>(&channel - channels_.data());
  }
  size_t index(const Request& request) const {
    return static_cast<size_t>(&request - requests_.data());
  }

  Connection connection_;
  std::array<Channel, 8> channels_;
  std::array<Gpadl, 6> gpadls_;
  std::array<Request, 6> requests_;
  std::array<bool, 6> waiting_{};
  std::array<bool, 8> told_{}, rescinded_{}, released_{};
  bool posting_ = false;
  hv::vmbus::Time now_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2 || size > 4096) return 0;
  Guest(data[0]).run(Input(data + 1, size - 1));
  return 0;
}
