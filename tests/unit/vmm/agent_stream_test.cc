// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "vmm/serial/agent_stream.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <random>
#include <string>

namespace hv::vmm::serial {
namespace {

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

std::string frame(char type, std::string_view payload) {
  const auto made = agent_frame(type, payload);
  return {reinterpret_cast<const char*>(made.data()), made.size()};
}

struct Heard {
  int ready = 0;
  std::string output, error, broken;
  std::optional<uint32_t> status;

  AgentStream stream{{
      .ready = [this] { ++ready; },
      .output =
          [this](std::span<const std::byte> part) {
            output.append(reinterpret_cast<const char*>(part.data()), part.size());
          },
      .error =
          [this](std::span<const std::byte> part) {
            error.append(reinterpret_cast<const char*>(part.data()), part.size());
          },
      .exit = [this](uint32_t value) { status = value; },
      .broken = [this](std::string_view why) { broken = why; },
  }};
};

const std::string kSession = "boot noise\n\nENLIGHTEN-AGENT 0\n" +
                             std::string(AgentStream::kMagic) + frame('R', "") +
                             frame('O', "hello\n") + frame('F', "oops") + frame('O', "") +
                             frame('X', std::string("\x07\0\0\0", 4));

TEST(AgentStream, HearsASessionAfterNoise) {
  Heard heard;
  heard.stream.receive(bytes(kSession));
  EXPECT_EQ(heard.ready, 1);
  EXPECT_EQ(heard.output, "hello\n");
  EXPECT_EQ(heard.error, "oops");
  EXPECT_EQ(heard.status, 7u);
  EXPECT_EQ(heard.broken, "");
}

TEST(AgentStream, HearsTheSameByteByByte) {
  Heard heard;
  for (const char byte : kSession) heard.stream.receive(bytes(std::string_view(&byte, 1)));
  EXPECT_EQ(heard.output, "hello\n");
  EXPECT_EQ(heard.status, 7u);
}

TEST(AgentStream, TakesTheMagicLineOffATerminalThatAddsCarriageReturns) {
  Heard heard;
  heard.stream.receive(bytes("\r\nENLIGHTEN-AGENT 1\r\n" + frame('R', "")));
  EXPECT_EQ(heard.ready, 1);
}

TEST(AgentStream, FindsTheMagicLineBehindALineFeed) {
  Heard heard;
  heard.stream.receive(bytes("\n\n\nENLI\nENLIGHTEN-AGENT 1\n" + frame('R', "")));
  EXPECT_EQ(heard.ready, 1);
}

TEST(AgentStream, RefusesWhatTheProtocolDoesNotAllow) {
  const std::string magic(AgentStream::kMagic);
  const std::string huge = std::string("O\xff\xff\xff\xff", 5);
  for (const std::string& bad :
       {frame('O', "early"), frame('R', "payload"), frame('R', "") + frame('X', "abc"),
        frame('R', "") + frame('Q', ""), frame('R', "") + huge}) {
    Heard heard;
    heard.stream.receive(bytes(magic + bad + frame('O', "after")));
    EXPECT_NE(heard.broken, "");
    EXPECT_EQ(heard.output, "");
    EXPECT_FALSE(heard.status);
  }
}

TEST(AgentStream, IgnoresAllAfterTheStatus) {
  Heard heard;
  heard.stream.receive(bytes(kSession + frame('O', "late") + frame('X', std::string(4, '\1'))));
  EXPECT_EQ(heard.output, "hello\n");
  EXPECT_EQ(heard.status, 7u);
}

TEST(AgentStream, SurvivesRandomBytes) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 200; ++round) {
    Heard heard;
    std::string input = round % 2 == 0 ? "" : std::string(AgentStream::kMagic) + frame('R', "");
    for (int i = 0; i < 300; ++i)
      input.push_back(static_cast<char>(random() % 3 == 0 ? "ROFX"[random() % 4] : random() % 5));
    for (size_t at = 0; at < input.size();) {
      const size_t count = std::min<size_t>(input.size() - at, 1 + random() % 40);
      heard.stream.receive(bytes(std::string_view(input).substr(at, count)));
      at += count;
    }
    EXPECT_LE(heard.output.size(), input.size());
  }
}

}  // namespace
}  // namespace hv::vmm::serial
