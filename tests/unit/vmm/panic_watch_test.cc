// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "vmm/panic_watch.hpp"

#include <gtest/gtest.h>

#include <string_view>

namespace hv::vmm {
namespace {

std::string watch(std::string_view text) {
  PanicWatch panic;
  for (const char& byte : text) panic.receive(std::as_bytes(std::span(&byte, 1)));
  EXPECT_EQ(panic.seen(), !panic.line().empty());
  return panic.line();
}

TEST(PanicWatch, FindsTheKernelsLine) {
  EXPECT_EQ(watch("hello\r\n[    2.104118] Kernel panic - not syncing: VFS: Unable to mount root "
                  "fs\r\n[    2.2] CPU: 0\r\n"),
            "Kernel panic - not syncing: VFS: Unable to mount root fs");
  EXPECT_EQ(watch("Kernel panic - not syncing: early\n"), "Kernel panic - not syncing: early");
}

TEST(PanicWatch, KeepsTheFirst) {
  EXPECT_EQ(watch("Kernel panic - not syncing: one\nKernel panic - not syncing: two\n"),
            "Kernel panic - not syncing: one");
}

TEST(PanicWatch, IgnoresTheWordsElsewhere) {
  EXPECT_EQ(watch("echo Kernel panic - not syncing: no\n"), "");
  EXPECT_EQ(watch("[    1.0] ---[ end Kernel panic - not syncing: x ]---\n"), "");
  EXPECT_EQ(watch("Kernel panic - not syncing: unfinished"), "");
  EXPECT_EQ(watch(std::string(100000, 'x') + "\n"), "");
}

}  // namespace
}  // namespace hv::vmm
