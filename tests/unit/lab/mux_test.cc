// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "lab/l1/mux.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <filesystem>
#include <thread>

namespace hv::lab {
namespace {

std::string frame(uint32_t connection, uint32_t kind, uint32_t length, const std::string& data) {
  const uint32_t header[] = {connection, kind, length};
  return std::string(reinterpret_cast<const char*>(header), sizeof(header)) + data;
}

TEST(LinkFrame, IsTakenOffWhenItIsAllThere) {
  FrameError error{};
  const std::string bytes = frame(7, 2, 3, "abc") + frame(7, 3, 0, "");
  for (size_t size = 0; size < 15; size++) {
    EXPECT_FALSE(first_frame(std::string_view(bytes).substr(0, size), error));
    EXPECT_EQ(error, FrameError::Incomplete);
  }
  const auto data = first_frame(bytes, error);
  ASSERT_TRUE(data);
  EXPECT_EQ(data->header.connection, 7u);
  EXPECT_EQ(data->data, "abc");
  const auto end = first_frame(std::string_view(bytes).substr(data->size), error);
  ASSERT_TRUE(end);
  EXPECT_EQ(end->header.kind, FrameHeader::Kind::End);
}

TEST(LinkFrame, NonsenseIsToldFromWhatIsIncomplete) {
  FrameError error{};
  for (const auto& bad : {frame(1, 0, 0, ""), frame(1, 5, 0, ""), frame(1, 3, 1, "x"),
                          frame(1, 2, 65537, ""), frame(1, 2, 0xffffffff, "")}) {
    EXPECT_FALSE(first_frame(bad, error));
    EXPECT_EQ(error, FrameError::Nonsense);
  }
}

/// Two ends with a link between them, and behind the inner one a server that is spoken to like the
/// control socket: when a client has said all, it is told how often it said `x`, and what it said.
class MuxTest : public ::testing::Test {
 protected:
  MuxTest() {
    ::signal(SIGPIPE, SIG_IGN);  // as the bridge has it: one end may write when the other has gone
    char name[] = "/tmp/mux-test-XXXXXX";
    folder = ::mkdtemp(name);
    outer = listen_at(folder + "/outer");
    inner = listen_at(folder + "/inner");
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, link), 0);
    outside = std::thread([this] { EXPECT_TRUE(Mux(link[0], outer, [] { return -1; }).run()); });
    inside = std::thread([this] {
      EXPECT_TRUE(Mux(link[1], -1, [this] { return connect_to(folder + "/inner"); }).run());
    });
  }
  ~MuxTest() override {
    ::shutdown(link[0], SHUT_RDWR);
    outside.join();
    inside.join();
    for (const int fd : {outer, inner, link[0], link[1]}) ::close(fd);
    std::filesystem::remove_all(folder);
  }

  static sockaddr_un address(const std::string& path) {
    sockaddr_un out{};
    out.sun_family = AF_UNIX;
    std::strcpy(out.sun_path, path.c_str());
    return out;
  }
  static int listen_at(const std::string& path) {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
    const sockaddr_un at = address(path);
    EXPECT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&at), sizeof(at)), 0);
    EXPECT_EQ(::listen(fd, 32), 0);
    return fd;
  }
  static int connect_to(const std::string& path) {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
    const sockaddr_un at = address(path);
    EXPECT_EQ(::connect(fd, reinterpret_cast<const sockaddr*>(&at), sizeof(at)), 0);
    return fd;
  }
  static void send_all(int fd, const std::string& text) {
    for (size_t at = 0; at < text.size();) {
      const ssize_t sent = ::send(fd, text.data() + at, text.size() - at, MSG_NOSIGNAL);
      ASSERT_GT(sent, 0);
      at += static_cast<size_t>(sent);
    }
  }
  /// Until the other side has said all.
  static std::string rest(int fd) {
    std::string all;
    char bytes[4096];
    for (ssize_t got; (got = ::recv(fd, bytes, sizeof(bytes), 0)) > 0;)
      all.append(bytes, static_cast<size_t>(got));
    return all;
  }
  int client() const { return connect_to(folder + "/outer"); }
  int served() const { return ::accept(inner, nullptr, nullptr); }

  std::string folder;
  int outer = -1, inner = -1;
  int link[2] = {-1, -1};
  std::thread outside, inside;
};

TEST_F(MuxTest, WhoHasSaidAllStillGetsItsAnswer) {
  const int asks = client();
  send_all(asks, "question");
  ::shutdown(asks, SHUT_WR);
  const int answers = served();
  EXPECT_EQ(rest(answers), "question");
  send_all(answers, "answer");
  ::close(answers);
  EXPECT_EQ(rest(asks), "answer");
  ::close(asks);
}

TEST_F(MuxTest, SeveralSpeakAtOnceAndNoneWaitsForAnother) {
  int asks[5], answers[5];
  for (int i = 0; i < 5; i++) {
    asks[i] = client();
    answers[i] = served();  // in the order in which they came
    send_all(asks[i], std::string(3, static_cast<char>('a' + i)));
  }
  for (int i = 4; i >= 0; i--) {
    ::shutdown(asks[i], SHUT_WR);
    EXPECT_EQ(rest(answers[i]), std::string(3, static_cast<char>('a' + i)));
    send_all(answers[i], std::to_string(i));
    ::close(answers[i]);
    EXPECT_EQ(rest(asks[i]), std::to_string(i));
    ::close(asks[i]);
  }
}

TEST_F(MuxTest, MuchPassesBothWays) {
  const std::string much(5 << 20, 'x');
  const int asks = client();
  const int answers = served();
  std::thread writer([&] {
    send_all(asks, much);
    ::shutdown(asks, SHUT_WR);
  });
  EXPECT_EQ(rest(answers).size(), much.size());
  writer.join();
  std::thread answerer([&] {
    send_all(answers, much);
    ::close(answers);
  });
  EXPECT_EQ(rest(asks).size(), much.size());
  answerer.join();
  ::close(asks);
}

TEST_F(MuxTest, OneThatGoesIsGoneOnTheOtherSide) {
  const int asks = client();
  const int answers = served();
  ::close(asks);
  EXPECT_EQ(rest(answers), "");
  ::close(answers);
  const int next = client();
  const int other = served();
  ::close(other);
  EXPECT_EQ(rest(next), "");
  ::close(next);
}

}  // namespace
}  // namespace hv::lab
