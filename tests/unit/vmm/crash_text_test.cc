// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "vmm/crash_text.hpp"

#include <gtest/gtest.h>

namespace hv::vmm {
namespace {

TEST(CrashLine, TakesTheLineThatSaysPanic) {
  EXPECT_EQ(crash_line("<6>[ 1.0] hello\n<0>[ 2.0] Kernel panic - not syncing: sysrq triggered "
                       "crash\n<4>[ 2.1] CPU: 0\n"),
            "Kernel panic - not syncing: sysrq triggered crash");
}

TEST(CrashLine, TakesTheLastLineOtherwise) {
  EXPECT_EQ(crash_line("first\nlast\n"), "last");
  EXPECT_EQ(crash_line("only"), "only");
  EXPECT_EQ(crash_line(""), "");
}

TEST(CrashLine, IsPrintableAndShort) {
  const std::string line = crash_line("Kernel panic \x1b[2J" + std::string(5000, 'x'));
  EXPECT_EQ(line.find('\x1b'), std::string::npos);
  EXPECT_LE(line.size(), 300u);
}

TEST(CrashText, AnAddressThatIsNotRamGivesNothing) {
  const GuestMemory memory(GuestMemory::kLeast);
  EXPECT_EQ(crash_text(memory, GuestMemory::kLeast - 10, 4096), "");
  EXPECT_EQ(crash_text(memory, ~uint64_t{0} - 5, ~uint64_t{0}), "");
  const std::string_view log = "Kernel panic - test\n";
  memory.write(0x5000, std::as_bytes(std::span(log)));
  EXPECT_EQ(crash_text(memory, 0x5000, log.size()), "Kernel panic - test");
}

}  // namespace
}  // namespace hv::vmm
