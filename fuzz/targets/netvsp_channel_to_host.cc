// SPDX-License-Identifier: GPL-2.0-only OR MIT
// A hostile guest against a NIC: any NVSP message, any RNDIS message in sections and pages, forged
// completions, buffers that come and go, over real rings. What asked for an answer gets exactly one
// or the channel is broken off; what reaches the backend is a frame, and what it is told of it is
// true of it; no memory but the guest's is touched.
#include <array>
#include <cstring>
#include <map>

#include "fuzz/support/input.hpp"
#include "host/net/headers.hpp"
#include "host/net/offload.hpp"
#include "host/netvsp/channel_service.hpp"
#include "tests/support/fake_channel.hpp"
#include "tests/support/fake_machine.hpp"
#include "tests/support/network_guest.hpp"

using namespace hv;
using host::netvsp::ChannelService;
using test::NetworkGuest;
namespace nvsp = wire::netvsc;
namespace rndis = wire::rndis;

namespace {

/// Does what is left to be done, as the user-mode network does, and sends it back.
class Backend final : public host::NetBackend {
 public:
  void start(Receive) override {}
  void stop() override {}
  bool send(std::span<std::byte> frame, const host::net::Offload& offload, uint16_t) override {
    if (frame.size() < host::net::kMinFrame || frame.size() > host::net::kMaxFrame + 4)
      __builtin_trap();
    if (offload.kind != host::net::Offload::Kind::None &&
        size_t{offload.checksum_start} + offload.checksum_offset + 2 > frame.size())
      __builtin_trap();
    size_t frames = 0;
    host::net::finish(frame, offload, [&](std::span<const std::byte> finished) {
      frames++;
      if (finished.size() < host::net::kMinFrame || finished.size() > frame.size())
        __builtin_trap();
      last.assign(finished.begin(), finished.end());
    });
    if (frames == 0 || frames > 65536 / host::net::kLeastSegment + 1) __builtin_trap();
    return true;
  }
  std::string describe() const override { return "fuzz"; }
  std::vector<std::byte> last;
};

/// Made once: a machine maps memory.
test::FakeMachine& machine() {
  static test::FakeMachine one(NetworkGuest::kPages);
  return one;
}

class Attack {
 public:
  explicit Attack(fuzz::Input& input) : input_(input) {
    handle_.machine = &machine();
    handle_.service = &service_;
    handle_.gpadls[1] = test::frames_from(0, NetworkGuest::kReceivePages);
    handle_.gpadls[2] = test::frames_from(NetworkGuest::kReceivePages, NetworkGuest::kSendPages);
    handle_.gpadls[3] = test::frames_from(NetworkGuest::kPages - 1, 3);  // not all RAM
    shared_.handle = &handle_;
  }

  void run() {
    if (input_.take<uint8_t>() & 1) set_up();
    while (!input_.empty()) {
      switch (input_.take<uint8_t>() % 8) {
        case 0:
          any_message();
          break;
        case 1:
          set_up();
          break;
        case 2:
          control();
          break;
        case 3:
        case 4:
          packets();
          break;
        case 5:
          guest_.complete(input_.take<uint8_t>() & 1 ? last_received_ : input_.take<uint64_t>());
          break;
        case 6:
          host_side();
          break;
        case 7:
          service_.step();
          drain();
          break;
      }
    }
    for (int i = 0; i < 50; i++) {
      service_.step();
      drain();
    }
    for (const auto& [id, count] : owed_) {
      if (count != 0 && !channel_.failed && !asks_for_buffer_.contains(id)) __builtin_trap();
    }
  }

 private:
  void sent(std::optional<uint64_t> id) {
    if (id) owed_[*id] = 1;
  }
  void drain() {
    while (auto packet = guest_.poll()) {
      if (packet->type == wire::PacketType::Completion) {
        const auto at = owed_.find(packet->id);
        if (at == owed_.end() || at->second == 0) __builtin_trap();
        at->second = 0;
      } else if (packet->type == wire::PacketType::DataUsingTransferPages) {
        last_received_ = packet->id;
        if (packet->messages.empty()) __builtin_trap();
        if (own_buffers_) continue;
        for (const auto& message : packet->messages) {
          const auto view = host::netvsp::first_message(message);
          if (!view || view->size != message.size()) __builtin_trap();
          if (view->type == rndis::MessageType::Packet && !host::netvsp::parse_packet(*view))
            __builtin_trap();
        }
      }
    }
  }
  void any_message() {
    const auto type = input_.take<uint8_t>() & 1
                          ? static_cast<nvsp::MessageType>(100 + input_.number(40))
                          : nvsp::MessageType::Init;
    std::array<uint32_t, 3> body{};
    for (uint32_t& word : body)
      word = input_.take<uint8_t>() & 1 ? input_.take<uint32_t>() : input_.number(3);
    using enum nvsp::MessageType;
    for (const auto buffers :
         {SendReceiveBuffer, SendSendBuffer, RevokeReceiveBuffer, RevokeSendBuffer})
      own_buffers_ |= type == buffers;
    auto bytes = NetworkGuest::nvsp(type, body);
    if (input_.number(20) == 0) bytes.resize(input_.number(40));
    const bool wants = input_.number(7) != 0;
    const auto id = guest_.send(bytes, {}, wire::PacketType::DataInBand, wants);
    if (!wants || !id) return;
    owed_[*id] = 1;
    // These are answered when the GPADL is found; revoked before that, never. A revocation has no
    // answer, nor have versions and MTUs.
    for (const auto silent : {SendReceiveBuffer, SendSendBuffer, RevokeReceiveBuffer,
                              RevokeSendBuffer, SendNdisVersion, SendNdisConfig}) {
      if (type == silent) asks_for_buffer_[*id] = true;
    }
  }
  void set_up() {
    sent(guest_.send(NetworkGuest::nvsp(nvsp::MessageType::Init,
                                        nvsp::Init{nvsp::Version::V1, nvsp::Version::V6_1})));
    guest_.send(NetworkGuest::nvsp(nvsp::MessageType::SendNdisConfig,
                                   nvsp::NdisConfig{input_.take<uint16_t>(), 0, 0}),
                {}, wire::PacketType::DataInBand, false);
    for (const auto& [type, gpadl] : {std::pair{nvsp::MessageType::SendReceiveBuffer, 1u},
                                      std::pair{nvsp::MessageType::SendSendBuffer, 2u}}) {
      if (const auto id = guest_.send(NetworkGuest::nvsp(type, nvsp::SendBuffer{gpadl, 7}))) {
        owed_[*id] = 1;
        asks_for_buffer_[*id] = true;
      }
    }
    for (int i = 0; i < 3; i++) service_.step();
    sent(guest_.send_pages(
        nvsp::RndisChannel::Control,
        NetworkGuest::rndis(rndis::MessageType::Initialize, rndis::Initialize{1, 1, 0, 0})));
    service_.step();
    drain();
  }
  void control() {
    constexpr std::array oids = {
        rndis::Oid::CurrentPacketFilter,         rndis::Oid::OffloadParameters,
        rndis::Oid::ReceiveScaleParameters,      rndis::Oid::RndisConfigParameter,
        rndis::Oid::OffloadHardwareCapabilities, rndis::Oid::SupportedList};
    rndis::Set request{1, static_cast<uint32_t>(oids[input_.number(oids.size() - 1)]), 0, 20, 0};
    const auto tail = input_.bytes(input_.number(255));
    request.buffer_length =
        input_.number(15) == 0 ? input_.take<uint32_t>() : static_cast<uint32_t>(tail.size());
    if (input_.number(15) == 0) request.buffer_offset = input_.take<uint32_t>();
    auto message = NetworkGuest::rndis(static_cast<rndis::MessageType>(1 + input_.number(8)),
                                       request, std::as_bytes(tail));
    if (input_.number(15) == 0) message.resize(1 + input_.number(30));
    sent(guest_.send_pages(nvsp::RndisChannel::Control, message));
  }
  void packets() {
    std::vector<std::byte> messages;
    const uint32_t count = 1 + input_.number(2);
    for (uint32_t i = 0; i < count; i++) {
      const auto bytes = std::as_bytes(input_.bytes(14 + input_.number(400)));
      std::vector<std::byte> frame(bytes.begin(), bytes.end());
      frame.resize(std::max<size_t>(frame.size(), 14));
      if (const uint8_t kind = input_.take<uint8_t>(); kind & 1) {
        const bool ipv6 = kind & 2;
        host::net::store_be16(frame, 12, ipv6 ? 0x86dd : 0x0800);
        if (frame.size() > 30) {
          frame[14] = static_cast<std::byte>(ipv6 ? 0x60 : 0x45);
          frame[ipv6 ? 20 : 23] = static_cast<std::byte>(kind & 4 ? 6 : 17);
          if (kind & 8) host::net::store_be16(frame, ipv6 ? 18 : 16, 0);
        }
      }
      constexpr std::array<uint32_t, 4> types = {0, 2, 6, 5};
      const std::array<uint32_t, 2> info = {types[input_.number(3)], input_.take<uint32_t>()};
      auto message = NetworkGuest::packet(frame, info);
      for (uint32_t wild = input_.number(3) == 0 ? input_.number(3) : 0; wild > 0; wild--)
        message[input_.take<uint8_t>() % message.size()] =
            static_cast<std::byte>(input_.take<uint8_t>());
      messages.insert(messages.end(), message.begin(), message.end());
    }
    if (messages.size() <= nvsp::kSendSectionSize && input_.take<uint8_t>() & 1)
      sent(guest_.send_section(input_.number(3), messages));
    else
      sent(guest_.send_pages(nvsp::RndisChannel::Data, messages));
  }
  void host_side() {
    switch (input_.number(3)) {
      case 0:
        if (net_.last.size() >= host::net::kMinFrame)
          service_.deliver({.bytes = net_.last, .checked = (input_.take<uint8_t>() & 1) != 0}, 5u);
        break;
      case 1:
        shared_.device.set_link((input_.take<uint8_t>() & 1) != 0);
        service_.link_changed();
        break;
      case 2:
        service_.announce_channels(static_cast<uint16_t>(1 + input_.number(3)));
        break;
      case 3:
        service_.gpadl_gone(1 + input_.number(2));
        break;
    }
  }

  fuzz::Input& input_;
  test::FakeChannel channel_{machine(), 0, 8192};
  Backend net_;
  host::netvsp::NicShared shared_{
      {.newest = nvsp::Version::V6_1, .queues = 2}, {.mac = {}, .name = "fuzz"}, net_};
  ChannelService service_{channel_, shared_};
  test::NetHandle handle_;
  NetworkGuest guest_{channel_, machine()};
  std::map<uint64_t, int> owed_;
  std::map<uint64_t, bool> asks_for_buffer_;
  uint64_t last_received_ = 0;
  bool own_buffers_ = false;  ///< it took others than `set_up` gives, or took one twice: what is in
                              ///< them is its own affair
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  Attack(input).run();
  return 0;
}
