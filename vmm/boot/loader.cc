// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "vmm/boot/loader.hpp"

#include <asm/bootparam.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <span>

#include "vmm/boot/bzimage.hpp"
#include "vmm/boot/e820.hpp"
#include "vmm/failure.hpp"
#include "vmm/fd.hpp"

namespace hv::vmm::boot {

namespace {

constexpr uint64_t kZeroPageAddress = 0x7000;
constexpr uint64_t kCommandLineAddress = 0x20000;
constexpr uint64_t kCommandLineRoom = 0x10000;
constexpr uint8_t kLoaderUndefined = 0xff;

/// A file as bytes, mapped read-only.
class MappedFile {
 public:
  explicit MappedFile(const std::string& path, const char* what) {
    const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) fail_errno(std::string(what) + " " + path);
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0) fail_errno(std::string(what) + " " + path);
    if (!S_ISREG(status.st_mode))
      throw Failure(std::string(what) + " " + path + ": not a regular file");
    size_ = static_cast<size_t>(status.st_size);
    if (size_ == 0) throw Failure(std::string(what) + " " + path + ": empty file");
    data_ = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, fd.get(), 0);
    if (data_ == MAP_FAILED) fail_errno(std::string(what) + " " + path);
  }
  ~MappedFile() {
    if (data_ != MAP_FAILED) ::munmap(data_, size_);
  }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const std::byte> bytes() const { return {static_cast<const std::byte*>(data_), size_}; }

 private:
  void* data_ = MAP_FAILED;
  size_t size_ = 0;
};

BzImage parse_kernel(const MappedFile& file, const std::string& path) {
  try {
    return parse_bzimage(file.bytes());
  } catch (const Failure& failure) {
    throw Failure("kernel " + path + " " + failure.what());
  }
}

uint64_t place_initrd(const GuestMemory& memory, std::span<const std::byte> initrd,
                      const BzImage& kernel, uint64_t kernel_end, const std::string& path) {
  const uint64_t end = std::min(memory.regions()[0].size, kernel.initrd_highest + 1);
  const uint64_t start = initrd.size() > end ? 0 : (end - initrd.size()) & ~(kPage - 1);
  if (start < kernel_end) {
    throw Failure("initrd " + path + ": " + std::to_string(initrd.size() / kMiB) +
                  " MiB do not fit into the guest's memory beside the kernel");
  }
  memory.write(start, initrd);
  return start;
}

}  // namespace

void check_files(const BootFiles& files) {
  parse_kernel(MappedFile(files.kernel, "kernel"), files.kernel);
  if (!files.initrd.empty()) MappedFile(files.initrd, "initrd");
}

EntryState load_linux(const BootFiles& files, uint64_t rsdp, const GuestMemory& memory) {
  const MappedFile kernel_file(files.kernel, "kernel");
  const BzImage kernel = parse_kernel(kernel_file, files.kernel);

  const uint64_t ram_end = memory.regions()[0].size;
  const uint64_t needed = std::max<uint64_t>(kernel.init_size, kernel.payload.size());
  if (kernel.load_address < kHighRamStart || kernel.load_address > ram_end ||
      needed > ram_end - kernel.load_address) {
    throw Failure("kernel " + files.kernel + ": does not fit into the guest's memory");
  }
  memory.write(kernel.load_address, kernel.payload);

  boot_params zero_page{};
  auto* const header = reinterpret_cast<std::byte*>(&zero_page) + kSetupHeaderOffset;
  std::memcpy(header, kernel.setup_header.data(),
              std::min(kernel.setup_header.size(), sizeof zero_page.hdr));
  zero_page.hdr.type_of_loader = kLoaderUndefined;
  zero_page.hdr.vid_mode = 0xffff;
  zero_page.acpi_rsdp_addr = rsdp;

  if (files.command_line.size() >
      std::min<uint64_t>(kernel.command_line_most, kCommandLineRoom - 1)) {
    throw UsageFailure("--append: the kernel takes at most " +
                       std::to_string(kernel.command_line_most) + " bytes of command line");
  }
  memory.write(kCommandLineAddress,
               std::as_bytes(std::span(files.command_line.c_str(), files.command_line.size() + 1)));
  zero_page.hdr.cmd_line_ptr = static_cast<uint32_t>(kCommandLineAddress);

  if (!files.initrd.empty()) {
    const MappedFile initrd(files.initrd, "initrd");
    const uint64_t start =
        place_initrd(memory, initrd.bytes(), kernel, kernel.load_address + needed, files.initrd);
    zero_page.hdr.ramdisk_image = static_cast<uint32_t>(start);
    zero_page.hdr.ramdisk_size = static_cast<uint32_t>(initrd.bytes().size());
  }

  for (const E820Entry& entry : make_e820(memory.size())) {
    zero_page.e820_table[zero_page.e820_entries++] = {
        .addr = entry.start, .size = entry.size, .type = entry.type};
  }
  memory.write(kZeroPageAddress, std::as_bytes(std::span(&zero_page, 1)));
  return enter_long_mode(memory, kernel.load_address + kEntry64Offset, kZeroPageAddress);
}

}  // namespace hv::vmm::boot
