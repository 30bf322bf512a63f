// SPDX-License-Identifier: GPL-2.0-only OR MIT
// A hostile host is asked who its disk is: whatever it answers, the questions end, each is one that
// fits into its memory, and nothing is read beyond what came.
#include "core/storvsc/recognition.hpp"
#include "fuzz/support/input.hpp"

using namespace hv;
using storvsc::Recognition;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  const uint64_t bytes = input.number(1) * 512 * 2048;
  const auto known = std::as_bytes(input.bytes(input.number(252)));
  Recognition recognition({.address = {}, .port = 0, .bytes = bytes, .identity = known});
  for (int questions = 0; !recognition.done(); questions++) {
    if (questions == 2 * Recognition::kTries) __builtin_trap();
    const auto request = recognition.request();
    if (request.length > Recognition::kMostBytes || request.cdb.empty()) __builtin_trap();
    const auto packet = std::as_bytes(input.bytes(input.number(64)));
    const auto memory = std::as_bytes(input.bytes(input.number(Recognition::kMostBytes)));
    recognition.heard(packet, memory);
  }
  return 0;
}
