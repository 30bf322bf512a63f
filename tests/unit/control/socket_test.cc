// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/control/socket.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "host/control/address.hpp"

namespace hv::host::control {
namespace {

using nlohmann::json;

class SocketTest : public ::testing::Test {
 protected:
  SocketTest() {
    char name[] = "/tmp/control-test-XXXXXX";
    folder = ::mkdtemp(name);
    path = folder + "/socket";
    methods.add("add", "adds",
                {{"a", ParameterType::Integer, true, ""}, {"b", ParameterType::Integer, true, ""}},
                [](const json& params) { return params["a"].get<int>() + params["b"].get<int>(); });
    methods.add("much", "answers much", {}, [](const json&) { return std::string(1u << 20, 'x'); });
  }
  ~SocketTest() override { std::filesystem::remove_all(folder); }

  std::string folder;
  std::string path;
  Methods methods;
};

class Peer {
 public:
  explicit Peer(const std::string& path) : fd_(::socket(AF_UNIX, SOCK_STREAM, 0)) {
    const auto address = socket_address(path);
    if (::connect(fd_, reinterpret_cast<const sockaddr*>(&*address), sizeof(*address)) != 0)
      throw std::runtime_error("connect");
  }
  ~Peer() { ::close(fd_); }
  void send(const std::string& text) { (void)!::send(fd_, text.data(), text.size(), MSG_NOSIGNAL); }
  void end_of_requests() { ::shutdown(fd_, SHUT_WR); }
  /// The next line, or what came before the end.
  std::string line() {
    std::string out;
    char byte;
    while (::recv(fd_, &byte, 1, 0) == 1 && byte != '\n') out += byte;
    return out;
  }

 private:
  int fd_;
};

const std::string kAdd = R"({"jsonrpc":"2.0","id":1,"method":"add","params":[1,2]})";

std::string refusal(const std::string& path, Methods& methods) {
  try {
    const ControlSocket socket(path, methods);
    return "";
  } catch (const std::runtime_error& error) {
    return error.what();
  }
}

TEST_F(SocketTest, AnswersLinesOfSeveralClients) {
  const ControlSocket socket(path, methods);
  Peer one(path), two(path);
  one.send(kAdd.substr(0, 10));
  two.send(kAdd + "\n\n" + kAdd + "\n");
  EXPECT_EQ(json::parse(two.line())["result"], 3);
  EXPECT_EQ(json::parse(two.line())["result"], 3);
  one.send(kAdd.substr(10) + "\n");
  EXPECT_EQ(json::parse(one.line())["result"], 3);
}

TEST_F(SocketTest, GoesOnAfterMalformedJson) {
  const ControlSocket socket(path, methods);
  Peer peer(path);
  peer.send("{]\n" + kAdd + "\n");
  EXPECT_EQ(json::parse(peer.line())["error"]["code"], kParseError);
  EXPECT_EQ(json::parse(peer.line())["result"], 3);
}

TEST_F(SocketTest, TakesTheEndOfStreamForTheEndOfALine) {
  const ControlSocket socket(path, methods);
  Peer peer(path);
  peer.send(kAdd);
  peer.end_of_requests();
  EXPECT_EQ(json::parse(peer.line())["result"], 3);
  EXPECT_EQ(peer.line(), "");
}

TEST_F(SocketTest, RefusesRequestsWithoutEnd) {
  const ControlSocket socket(path, methods);
  Peer peer(path);
  const std::string chunk(1u << 16, ' ');
  for (size_t sent = 0; sent <= ControlSocket::kRequestLimit + chunk.size(); sent += chunk.size())
    peer.send(chunk);
  EXPECT_EQ(json::parse(peer.line())["error"]["code"], kInvalidRequest);
  EXPECT_EQ(peer.line(), "");
  Peer next(path);
  next.send(kAdd + "\n");
  EXPECT_EQ(json::parse(next.line())["result"], 3);
}

TEST_F(SocketTest, DropsAClientThatDoesNotReadItsAnswers) {
  const ControlSocket socket(path, methods);
  Peer greedy(path);
  std::string many;
  for (int i = 0; i < 40; i++)
    many += R"({"jsonrpc":"2.0","id":1,"method":"much"})"
            "\n";
  greedy.send(many);
  Peer next(path);
  next.send(kAdd + "\n");
  EXPECT_EQ(json::parse(next.line())["result"], 3);
}

TEST_F(SocketTest, IsOfItsOwnerAlone) {
  const ControlSocket socket(path, methods);
  struct stat info {};
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST_F(SocketTest, NamesABusyPathAndLeavesItAlone) {
  const ControlSocket socket(path, methods);
  EXPECT_NE(refusal(path, methods).find(path + ": another host is serving it"), std::string::npos);
  Peer peer(path);
  peer.send(kAdd + "\n");
  EXPECT_EQ(json::parse(peer.line())["result"], 3);
}

TEST_F(SocketTest, ReplacesAStaleSocketAndRemovesItsOwn) {
  const int stale = ::socket(AF_UNIX, SOCK_STREAM, 0);
  const auto address = socket_address(path);
  ASSERT_EQ(::bind(stale, reinterpret_cast<const sockaddr*>(&*address), sizeof(*address)), 0);
  ::close(stale);
  {
    const ControlSocket socket(path, methods);
    Peer peer(path);
    peer.send(kAdd + "\n");
    EXPECT_EQ(json::parse(peer.line())["result"], 3);
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(SocketTest, RefusesPathsThatCannotBe) {
  std::ofstream(path) << "mine";
  EXPECT_NE(refusal(path, methods).find("no socket"), std::string::npos);
  EXPECT_EQ(std::filesystem::file_size(path), 4u);
  EXPECT_NE(refusal("", methods), "");
  EXPECT_NE(refusal(std::string(200, 'x'), methods).find("107 bytes"), std::string::npos);
  EXPECT_NE(refusal(folder + "/none/socket", methods).find("No such file"), std::string::npos);
}

}  // namespace
}  // namespace hv::host::control
