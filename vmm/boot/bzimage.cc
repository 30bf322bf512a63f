// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "vmm/boot/bzimage.hpp"

#include <cstring>
#include <string>

#include "vmm/failure.hpp"

namespace hv::vmm::boot {

namespace {

constexpr uint16_t kBootFlag = 0xaa55;
constexpr uint32_t kHeaderMagic = 0x53726448;  // "HdrS"
constexpr uint16_t kLeastProtocol = 0x020c;  // the first that says whether there is a 64-bit entry
constexpr uint16_t kXlfKernel64 = 1;
constexpr uint8_t kLoadedHigh = 1;
constexpr size_t kSector = 512;

template <typename T>
T field(std::span<const std::byte> image, size_t offset) {
  T value;
  std::memcpy(&value, image.data() + offset, sizeof value);
  return value;
}

[[noreturn]] void refuse(const std::string& why) {
  throw Failure("is not a Linux kernel this host can boot: " + why);
}

}  // namespace

BzImage parse_bzimage(std::span<const std::byte> image) {
  constexpr size_t kHeaderEnd = 0x268;
  if (image.size() < kHeaderEnd) refuse("too short for a bzImage header");
  if (field<uint16_t>(image, 0x1fe) != kBootFlag || field<uint32_t>(image, 0x202) != kHeaderMagic) {
    refuse("no bzImage header (boot flag or HdrS missing)");
  }
  if (field<uint16_t>(image, 0x206) < kLeastProtocol) refuse("boot protocol older than 2.12");
  if ((field<uint16_t>(image, 0x236) & kXlfKernel64) == 0) refuse("no 64-bit entry point");
  if ((field<uint8_t>(image, 0x211) & kLoadedHigh) == 0) refuse("a zImage, not a bzImage");

  const uint8_t sectors = field<uint8_t>(image, 0x1f1);
  const size_t payload_offset = (size_t{sectors == 0 ? uint8_t{4} : sectors} + 1) * kSector;
  if (image.size() <= payload_offset + kEntry64Offset) refuse("cut off before the kernel proper");
  const size_t declared = size_t{field<uint32_t>(image, 0x1f4)} * 16;
  const auto payload = image.subspan(payload_offset);
  if (payload.size() < declared)
    refuse("cut off: " + std::to_string(declared - payload.size()) + " bytes are missing");

  // The header's end is told by the jump at 0x200: the byte after the short jump plus its distance.
  const size_t header_end = 0x202 + size_t{field<uint8_t>(image, 0x201)};
  if (header_end < kHeaderEnd - 4 || header_end > payload_offset || header_end > 0x290)
    refuse("impossible header size");

  return BzImage{
      .setup_header = image.subspan(kSetupHeaderOffset, header_end - kSetupHeaderOffset),
      .payload = payload,
      .load_address = field<uint64_t>(image, 0x258),
      .init_size = field<uint32_t>(image, 0x260),
      .initrd_highest = field<uint32_t>(image, 0x22c),
      .command_line_most = field<uint32_t>(image, 0x238),
  };
}

}  // namespace hv::vmm::boot
