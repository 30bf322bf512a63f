// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "vmm/serial/uart.hpp"

#include <gtest/gtest.h>

#include <string>

namespace hv::vmm::serial {
namespace {

constexpr uint8_t kData = 0, kEnable = 1, kIdentify = 2, kFifoControl = 2, kLineControl = 3,
                  kModemControl = 4, kLineStatus = 5, kModemStatus = 6;

struct Port {
  std::string sent;
  bool line = false;
  int edges = 0;
  Uart uart{{.transmit =
                 [this](std::span<const std::byte> bytes) {
                   sent.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
                 },
             .set_interrupt =
                 [this](bool high) {
                   if (high && !line) ++edges;
                   line = high;
                 }}};

  void fifo_on() { uart.write(kFifoControl, 0x07); }
  void send(std::string_view text) {
    for (const char byte : text) uart.write(kData, static_cast<uint8_t>(byte));
  }
  void feed(std::string_view text) { uart.feed(std::as_bytes(std::span(text))); }
};

TEST(Uart, SendsInOrderAndSaysEmptyWhenLookedAt) {
  Port port;
  port.fifo_on();
  port.send("hello");
  EXPECT_EQ(port.uart.read(kLineStatus) & 0x60, 0x60);
  EXPECT_EQ(port.sent, "hello");
}

TEST(Uart, TickPassesOnWhatNobodyLooksFor) {
  Port port;
  port.fifo_on();
  port.uart.write(kEnable, 0x02);
  port.uart.read(kIdentify);
  port.send("x");
  EXPECT_FALSE(port.line);
  port.uart.tick();
  EXPECT_EQ(port.sent, "x");
  EXPECT_TRUE(port.line);
}

TEST(Uart, OneInterruptForAFullFifo) {
  Port port;
  port.fifo_on();
  port.uart.write(kEnable, 0x02);
  EXPECT_TRUE(port.line) << "enabling it while empty raises it";
  EXPECT_EQ(port.uart.read(kIdentify), 0xc2);
  EXPECT_FALSE(port.line) << "reading its id takes it away";
  EXPECT_EQ(port.uart.read(kIdentify), 0xc1);
  const int before = port.edges;
  port.send("0123456789abcdef");
  EXPECT_EQ(port.sent, "0123456789abcdef");
  EXPECT_EQ(port.edges, before + 1);
}

TEST(Uart, LooksInTheHandlerNeedNoFurtherInterrupt) {
  Port port;
  port.fifo_on();
  port.uart.write(kEnable, 0x02);
  port.uart.read(kIdentify);
  const int before = port.edges;
  port.send("abc");
  EXPECT_EQ(port.uart.read(kIdentify), 0xc2);
  EXPECT_EQ(port.edges, before);
  port.uart.write(kEnable, 0);
  EXPECT_EQ(port.uart.read(kIdentify), 0xc1);
}

TEST(Uart, WithoutFifoEachByteIsOut) {
  Port port;
  port.send("a");
  EXPECT_EQ(port.sent, "a");
  EXPECT_EQ(port.uart.read(kIdentify), 0x01);
}

TEST(Uart, ReceivesWithAnInterruptUntilAllIsRead) {
  Port port;
  port.fifo_on();
  port.uart.write(kEnable, 0x01);
  port.feed("hi");
  EXPECT_TRUE(port.line);
  EXPECT_EQ(port.uart.read(kIdentify), 0xc4);
  EXPECT_EQ(port.uart.read(kLineStatus) & 1, 1);
  EXPECT_EQ(port.uart.read(kData), 'h');
  EXPECT_TRUE(port.line);
  EXPECT_EQ(port.uart.read(kData), 'i');
  EXPECT_FALSE(port.line);
  EXPECT_EQ(port.uart.read(kLineStatus) & 1, 0);
  EXPECT_EQ(port.uart.read(kData), 0);
}

TEST(Uart, ReceivesNoMoreThanABurstUntilTwoTicksBehindItsEnd) {
  Port port;
  port.uart.write(kEnable, 1);
  port.feed(std::string(Uart::kBurst + 3, 'x'));
  size_t read = 0;
  while ((port.uart.read(kLineStatus) & 1) != 0 && read <= Uart::kBurst)
    read += port.uart.read(kData) == 'x';
  EXPECT_EQ(read, Uart::kBurst);
  EXPECT_FALSE(port.line);
  EXPECT_EQ(port.uart.read(kIdentify) & 0x0f, 1);
  port.uart.tick();
  EXPECT_FALSE(port.line);
  port.uart.tick();
  EXPECT_TRUE(port.line);
  EXPECT_EQ(port.edges, 2);
  for (int i = 0; i < 3; i++) EXPECT_EQ(port.uart.read(kData), 'x');
  EXPECT_FALSE(port.line);
}

TEST(Uart, ASlowReaderComesToTheEndOfABurstHoweverManyTicksPass) {
  Port port;
  port.uart.write(kEnable, 1);
  port.feed(std::string(3 * Uart::kBurst, 'x'));
  size_t read = 0;
  while ((port.uart.read(kLineStatus) & 1) != 0 && read <= Uart::kBurst) {
    read += port.uart.read(kData) == 'x';
    port.uart.tick();
  }
  EXPECT_EQ(read, Uart::kBurst);
}

TEST(Uart, ReceivingComesBeforeSending) {
  Port port;
  port.uart.write(kEnable, 0x03);
  port.feed("x");
  EXPECT_EQ(port.uart.read(kIdentify), 0x04);
  port.uart.read(kData);
  EXPECT_EQ(port.uart.read(kIdentify), 0x02);
}

TEST(Uart, LoopBackConnectsTheModemLinesAndTheData) {
  Port port;
  port.uart.write(kModemControl, 0x1a);  // loop, OUT2, RTS
  EXPECT_EQ(port.uart.read(kModemStatus) & 0xf0, 0x90);
  port.uart.write(kData, 'q');
  EXPECT_EQ(port.uart.read(kData), 'q');
  EXPECT_EQ(port.sent, "");
}

TEST(Uart, DivisorIsNotData) {
  Port port;
  port.uart.write(kLineControl, 0x83);
  port.uart.write(kData, 0x0c);
  port.uart.write(kEnable, 0x01);
  EXPECT_EQ(port.uart.read(kData), 0x0c);
  EXPECT_EQ(port.uart.read(kEnable), 0x01);
  port.uart.write(kLineControl, 0x03);
  EXPECT_EQ(port.uart.read(kEnable), 0x00);
  EXPECT_EQ(port.sent, "");
}

TEST(Uart, InterruptEnableKeepsFourBits) {
  Port port;
  port.uart.write(kEnable, 0xff);
  EXPECT_EQ(port.uart.read(kEnable), 0x0f);
}

}  // namespace
}  // namespace hv::vmm::serial
