// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "vmm/boot/bzimage.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "vmm/failure.hpp"

namespace hv::vmm::boot {
namespace {

template <typename T>
void put(std::vector<std::byte>& image, size_t offset, T value) {
  std::memcpy(image.data() + offset, &value, sizeof value);
}

/// A small image with a right header: 2 setup sectors, 8 KiB of kernel.
std::vector<std::byte> good_image() {
  std::vector<std::byte> image(3 * 512 + 8192);
  put<uint8_t>(image, 0x1f1, 2);
  put<uint32_t>(image, 0x1f4, 8192 / 16);
  put<uint16_t>(image, 0x1fe, 0xaa55);
  put<uint8_t>(image, 0x200, 0xeb);
  put<uint8_t>(image, 0x201, 0x6a);
  put<uint32_t>(image, 0x202, 0x53726448);
  put<uint16_t>(image, 0x206, 0x020f);
  put<uint8_t>(image, 0x211, 1);
  put<uint32_t>(image, 0x22c, 0x7fffffff);
  put<uint16_t>(image, 0x236, 0x7f);
  put<uint32_t>(image, 0x238, 2047);
  put<uint64_t>(image, 0x258, 0x1000000);
  put<uint32_t>(image, 0x260, 0x200000);
  return image;
}

TEST(BzImage, ReadsTheHeader) {
  const auto image = good_image();
  const BzImage parsed = parse_bzimage(image);
  EXPECT_EQ(parsed.payload.size(), 8192u);
  EXPECT_EQ(parsed.payload.data(), image.data() + 3 * 512);
  EXPECT_EQ(parsed.load_address, 0x1000000u);
  EXPECT_EQ(parsed.init_size, 0x200000u);
  EXPECT_EQ(parsed.initrd_highest, 0x7fffffffu);
  EXPECT_EQ(parsed.command_line_most, 2047u);
  EXPECT_EQ(parsed.setup_header.size(), 0x26cu - 0x1f1u);
}

TEST(BzImage, NoSetupSectorsMeansFour) {
  auto image = good_image();
  put<uint8_t>(image, 0x1f1, 0);
  put<uint32_t>(image, 0x1f4, 16);
  EXPECT_EQ(parse_bzimage(image).payload.data(), image.data() + 5 * 512);
}

TEST(BzImage, RefusesWhatIsNoKernelOrTooOld) {
  const std::vector<std::function<void(std::vector<std::byte>&)>> spoil{
      [](auto& image) { image.resize(100); },
      [](auto& image) { image.clear(); },
      [](auto& image) { put<uint16_t>(image, 0x1fe, 0); },
      [](auto& image) { put<uint32_t>(image, 0x202, 0x46464646); },
      [](auto& image) { put<uint16_t>(image, 0x206, 0x020b); },
      [](auto& image) { put<uint16_t>(image, 0x236, 0x7e); },
      [](auto& image) { put<uint8_t>(image, 0x211, 0); },
      [](auto& image) { image.resize(image.size() - 1); },
      [](auto& image) { image.resize(3 * 512 + 10); },
      [](auto& image) { put<uint8_t>(image, 0x201, 0x00); },
      [](auto& image) { put<uint8_t>(image, 0x201, 0xff); },
      [](auto& image) { put<uint8_t>(image, 0x1f1, 255); },
  };
  for (size_t i = 0; i < spoil.size(); ++i) {
    auto image = good_image();
    spoil[i](image);
    EXPECT_THROW(parse_bzimage(image), Failure) << i;
  }
}

TEST(BzImage, RandomHeadersNeverReachPastTheImage) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 5000; ++round) {
    auto image = good_image();
    for (int i = 0; i < 3; ++i)
      put<uint8_t>(image, 0x1f1 + random() % 0x80, static_cast<uint8_t>(random()));
    image.resize(random() % (image.size() + 1));
    try {
      const BzImage parsed = parse_bzimage(image);
      EXPECT_LE(parsed.payload.data() + parsed.payload.size(), image.data() + image.size());
      EXPECT_LE(parsed.setup_header.data() + parsed.setup_header.size(),
                image.data() + image.size());
    } catch (const Failure&) {
    }
  }
}

}  // namespace
}  // namespace hv::vmm::boot
