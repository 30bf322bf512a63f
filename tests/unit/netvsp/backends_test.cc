// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <mutex>

#include "frames.hpp"
#include "host/backends/tap_net.hpp"
#include "host/backends/user_net.hpp"
#include "host/net/offload.hpp"

namespace hv::host {
namespace {

using test::Bytes;

/// What a backend gives the guest.
class Frames {
 public:
  NetBackend::Receive receiver() {
    return [this](net::Frame&& frame) {
      const std::lock_guard lock(mutex_);
      frames_.push_back(std::move(frame.bytes));
      came_.notify_all();
    };
  }
  /// The `index`-th; empty: it did not come.
  Bytes at(size_t index) {
    std::unique_lock lock(mutex_);
    came_.wait_for(lock, std::chrono::minutes(5), [&] { return frames_.size() > index; });
    return frames_.size() > index ? frames_[index] : Bytes();
  }
  size_t size() {
    const std::lock_guard lock(mutex_);
    return frames_.size();
  }

 private:
  std::mutex mutex_;
  std::condition_variable came_;
  std::vector<Bytes> frames_;
};

TEST(Forward, HasItsParts) {
  const PortForward forward = parse_forward("udp:0.0.0.0:53-:5353");
  EXPECT_TRUE(forward.udp);
  EXPECT_EQ(forward.address, "0.0.0.0");
  EXPECT_EQ(forward.port, 53);
  EXPECT_EQ(forward.guest_port, 5353);
  EXPECT_EQ(parse_forward("tcp::2222-:22").address, "127.0.0.1");
}

TEST(Forward, WrongOnesAreRefused) {
  for (const char* const bad : {"", "tcp:", "tcp:1", "tcp:1-:", "tcp:-:1", "tcp:1-:1x",
                                "tcp:1:2:3-:1", "tcp:256.0.0.1:1-:1", "sctp:1-:1", "tcp:99999-:1"})
    EXPECT_THROW(parse_forward(bad), NetError) << bad;
}

TEST(UserNet, TheGatewayAnswersToArp) {
  UserNet net({});
  Frames frames;
  net.start(frames.receiver());
  // Who has 10.0.2.2? Tell 10.0.2.15.
  const uint8_t question[42] = {
      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0x15, 0x5d, 0, 0,  1, 8, 6, 0, 1, 8, 0,  6, 4, 0,
      1,    0,    0x15, 0x5d, 0,    0,    1, 10,   0,    2, 15, 0, 0, 0, 0, 0, 0, 10, 0, 2, 2};
  const auto bytes = std::as_bytes(std::span(question));
  Bytes frame(bytes.begin(), bytes.end());
  EXPECT_TRUE(net.send(frame, {}, 0));
  Bytes answer;
  for (size_t i = 0; i < 10 && answer.empty(); i++) {
    answer = frames.at(i);
    if (answer.size() < 42 || answer[12] != std::byte{8} || answer[13] != std::byte{6})
      answer.clear();  // an advertisement of the router
  }
  ASSERT_GE(answer.size(), 42u);
  EXPECT_EQ(answer[21], std::byte{2});
  EXPECT_EQ(answer[31], std::byte{2});
  net.stop();
}

TEST(UserNet, APortInUseIsRefusedByItsName) {
  const int holder = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in here{};
  here.sin_family = AF_INET;
  here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(here);
  ASSERT_EQ(::bind(holder, reinterpret_cast<sockaddr*>(&here), sizeof(here)), 0);
  ASSERT_EQ(::listen(holder, 1), 0);
  ASSERT_EQ(::getsockname(holder, reinterpret_cast<sockaddr*>(&here), &size), 0);
  const uint16_t port = ntohs(here.sin_port);
  try {
    UserNet net({{.udp = false, .address = "127.0.0.1", .port = port, .guest_port = 22}});
    ADD_FAILURE() << "it was taken";
  } catch (const NetError& error) {
    EXPECT_NE(std::string(error.what()).find(std::to_string(port)), std::string::npos)
        << error.what();
  }
  ::close(holder);
  UserNet net({{.udp = false, .address = "127.0.0.1", .port = port, .guest_port = 22}});
}

TEST(EchoNet, SendsEachFrameBackFinished) {
  EchoNet net;
  Frames frames;
  net.start(frames.receiver());
  Bytes frame = test::ip_frame(false, true, 3000);
  const Bytes sent = frame;
  const auto offload = net::prepare_segments(frame, 1448).take();
  EXPECT_TRUE(net.send(frame, offload, 0));
  ASSERT_EQ(frames.size(), 3u);
  for (size_t i = 0; i < 3; i++) {
    const Bytes back = frames.at(i);
    EXPECT_TRUE(std::equal(back.begin(), back.begin() + 6, sent.begin() + 6));
    EXPECT_TRUE(std::equal(back.begin() + 6, back.begin() + 12, sent.begin()));
    EXPECT_EQ(test::transport_checksum(back), 0);
  }
  Bytes runt(13);
  EXPECT_FALSE(net.send(runt, {}, 0));
}

TEST(TapNet, WhatIsNoInterfaceOfOursIsRefused) {
  EXPECT_THROW(TapNet("", 1), NetError);
  EXPECT_THROW(TapNet("a-name-longer-than-there-are", 2), NetError);
  EXPECT_THROW(TapNet("lo", 1), NetError);
}

}  // namespace
}  // namespace hv::host
