// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "vmm/vcpu_stats.hpp"

#include <fmt/format.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <string_view>
#include <vector>

#include "vmm/fd.hpp"

namespace hv::vmm {

namespace {

/// kvm_stats_desc without its name, which follows: in C++ the kernel's own has another size.
struct Descriptor {
  uint32_t flags;
  int16_t exponent;
  uint16_t size;
  uint32_t offset;
  uint32_t bucket_size;
};
static_assert(sizeof(Descriptor) == 16);

bool read_at(int fd, void* into, size_t bytes, uint64_t offset) {
  return ::pread(fd, into, bytes, static_cast<off_t>(offset)) == static_cast<ssize_t>(bytes);
}

}  // namespace

std::string vcpu_stats(int vcpu) {
  const Fd fd(::ioctl(vcpu, KVM_GET_STATS_FD, nullptr));
  kvm_stats_header header{};
  if (!fd || !read_at(fd.get(), &header, sizeof header, 0)) return {};
  const size_t stride = sizeof(Descriptor) + header.name_size;
  constexpr size_t kDescriptorsMost = 1000, kNameMost = 1000;
  if (header.num_desc > kDescriptorsMost || header.name_size > kNameMost) return {};
  std::vector<char> descriptors(header.num_desc * stride);
  if (!read_at(fd.get(), descriptors.data(), descriptors.size(), header.desc_offset)) return {};

  std::string text;
  for (size_t at = 0; at < descriptors.size(); at += stride) {
    Descriptor descriptor;
    __builtin_memcpy(&descriptor, descriptors.data() + at, sizeof descriptor);
    uint64_t value = 0;
    const bool histogram = descriptor.size != 1;
    if (histogram ||
        !read_at(fd.get(), &value, sizeof value, header.data_offset + descriptor.offset) ||
        value == 0)
      continue;
    const std::string_view name(descriptors.data() + at + sizeof descriptor, header.name_size);
    text += fmt::format("{}{} {}", text.empty() ? "" : " ", name.substr(0, name.find('\0')), value);
  }
  return text;
}

}  // namespace hv::vmm
