// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/backends/file_backend.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "host/backends/io_queue.hpp"
#include "host/scsi/disk.hpp"
#include "tests/unit/scsi/unit.hpp"

namespace hv::host {
namespace {

class FileBackendTest : public ::testing::Test {
 protected:
  FileBackendTest() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "enlighten-disk-XXXXXX").string();
    const int fd = ::mkstemp(pattern.data());
    EXPECT_GE(fd, 0);
    EXPECT_EQ(::ftruncate(fd, kSize), 0);
    ::close(fd);
    path = pattern;
  }
  ~FileBackendTest() override { ::unlink(path.c_str()); }

  std::string refusal(const std::string& file, bool read_only = false) {
    try {
      FileBackend::open(file, {.read_only = read_only});
    } catch (const BackendError& error) {
      return error.what();
    }
    return {};
  }
  static uint64_t allocated(const std::string& file) {
    struct stat status {};
    EXPECT_EQ(::stat(file.c_str(), &status), 0);
    return static_cast<uint64_t>(status.st_blocks) * 512;
  }

  static constexpr off_t kSize = 8 << 20;
  std::string path;
};

TEST_F(FileBackendTest, RefusalsNameTheFile) {
  EXPECT_NE(refusal("/nowhere/disk.img").find("/nowhere/disk.img: no such file"),
            std::string::npos);
  EXPECT_NE(refusal("/tmp").find("/tmp"), std::string::npos);
  ASSERT_EQ(::truncate(path.c_str(), 1000), 0);
  EXPECT_NE(refusal(path).find("no multiple of 512"), std::string::npos);
  EXPECT_NE(refusal(path).find(path), std::string::npos);
  ASSERT_EQ(::truncate(path.c_str(), 0), 0);
  EXPECT_NE(refusal(path).find("is empty"), std::string::npos);
}

TEST_F(FileBackendTest, TwoWritersAreKeptApartAndReadersAreNot) {
  const auto first = FileBackend::open(path, {});
  EXPECT_NE(refusal(path).find("in use"), std::string::npos);
  EXPECT_NE(refusal(path, true).find("in use"), std::string::npos);
  ASSERT_EQ(refusal("/nowhere"), refusal("/nowhere"));
}

TEST_F(FileBackendTest, ReadersShare) {
  const auto first = FileBackend::open(path, {.read_only = true});
  EXPECT_EQ(refusal(path, true), "");
  EXPECT_NE(refusal(path).find("in use"), std::string::npos);
}

TEST_F(FileBackendTest, UnmapMakesHoles) {
  scsi::Disk disk(FileBackend::open(path, {}), {});
  scsi::Initiator guest(disk);
  const std::vector<uint8_t> bytes(128 * 512, 0x77);
  for (uint32_t lba = 0; lba < 2048; lba += 128)
    ASSERT_EQ(guest.out(scsi::Initiator::write10(lba, 128), bytes).moved, bytes.size());
  ASSERT_EQ(guest.none(scsi::Initiator::rw10(0x35, 0, 0)).status, scsi::Status::Good);
  const uint64_t before = allocated(path);
  ASSERT_GE(before, 1u << 20);
  ASSERT_EQ(guest.unmap({{0, 512}, {1024, 512}}).status, scsi::Status::Good);
  EXPECT_LE(allocated(path) + (512u << 10), before);
  const int fd = ::open(path.c_str(), O_RDONLY);
  EXPECT_EQ(::lseek(fd, 0, SEEK_HOLE), 0);
  EXPECT_EQ(::lseek(fd, 0, SEEK_DATA), 512 * 512);
  EXPECT_EQ(::lseek(fd, 512 * 512, SEEK_HOLE), 1024 * 512);
  ::close(fd);
  // GET LBA STATUS tells the same.
  scsi::Initiator::Cdb cdb(16);
  cdb[0] = 0x9e;
  cdb[1] = 0x12;
  cdb[13] = 8 + 2 * 16;
  ASSERT_EQ(guest.in(cdb, 40).moved, 40u);
  EXPECT_EQ(scsi::load_be<4>(guest.data, 16), 512u);
  EXPECT_EQ(guest.data[20], 1);
  EXPECT_EQ(scsi::load_be<8>(guest.data, 24), 512u);
  EXPECT_EQ(guest.data[36], 0);
}

TEST_F(FileBackendTest, WriteSameWithUnmapMakesAHoleAndWithoutItZeros) {
  scsi::Disk disk(FileBackend::open(path, {}), {});
  scsi::Initiator guest(disk);
  const std::vector<uint8_t> bytes(1024 * 512, 0x77);
  ASSERT_EQ(guest.out(scsi::Initiator::write10(0, 1024), bytes).moved, bytes.size());
  const uint64_t before = allocated(path);
  ASSERT_EQ(guest.none(scsi::Initiator::rw16(0x93, 0, 512, 0x09)).status, scsi::Status::Good);
  EXPECT_LT(allocated(path), before);
  ASSERT_EQ(guest.none(scsi::Initiator::rw16(0x93, 512, 512, 0x01)).status, scsi::Status::Good);
  ASSERT_EQ(guest.in(scsi::Initiator::read10(0, 1024), bytes.size()).moved, bytes.size());
  EXPECT_EQ(std::count(guest.data.begin(), guest.data.end(), 0),
            static_cast<ptrdiff_t>(bytes.size()));
}

TEST_F(FileBackendTest, ResizesAndNotices) {
  const auto backend = FileBackend::open(path, {});
  EXPECT_FALSE(backend->resize(2 * kSize).has_value());
  EXPECT_EQ(backend->size(), 2u * kSize);
  EXPECT_TRUE(backend->resize(1000).has_value());
  ASSERT_EQ(::truncate(path.c_str(), 3 * kSize), 0);
  EXPECT_EQ(backend->size(), 2u * kSize);
  EXPECT_FALSE(backend->refresh().has_value());
  EXPECT_EQ(backend->size(), 3u * kSize);
}

class IoQueueTest : public FileBackendTest, public ::testing::WithParamInterface<bool> {};

INSTANTIATE_TEST_SUITE_P(WithAndWithoutUring, IoQueueTest, ::testing::Bool());

TEST_P(IoQueueTest, CompletesWhatWasSubmittedInOneGo) {
  const auto backend = FileBackend::open(path, {});
  IoQueue queue(GetParam());
  std::vector<uint8_t> out(4096, 0x5a), in(4096);
  iovec from{out.data(), out.size()};
  queue.submit(
      *backend,
      {.kind = BlockIo::Kind::Write, .offset = 8192, .length = 4096, .buffers = {&from, 1}}, 7);
  size_t seen = 0;
  while (seen < 1) {
    for (const auto& event : queue.wait()) {
      EXPECT_EQ(event.token, 7u);
      EXPECT_EQ(event.result, 4096);
      seen++;
    }
  }
  iovec halves[] = {{in.data(), 1000}, {in.data() + 1000, 3096}};
  queue.submit(*backend,
               {.kind = BlockIo::Kind::Read, .offset = 8192, .length = 4096, .buffers = halves}, 8);
  queue.submit(*backend, {.kind = BlockIo::Kind::Flush}, 9);
  seen = 0;
  while (seen < 2) {
    for (const auto& event : queue.wait()) {
      EXPECT_EQ(event.result, event.token == 8 ? 4096 : 0);
      seen++;
    }
  }
  EXPECT_EQ(in, out);
}

TEST_P(IoQueueTest, WatchedEventsComeWithTheirCount) {
  IoQueue queue(GetParam());
  const int fd = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  queue.watch(fd, 99);
  EXPECT_TRUE(queue.poll().empty());
  for (int round = 1; round < 4; round++) {
    ::eventfd_write(fd, static_cast<eventfd_t>(round));
    const auto events = queue.wait();
    ASSERT_EQ(events.size(), 1u);
    EXPECT_EQ(events[0].token, 99u);
    EXPECT_EQ(events[0].result, round);
  }
  ::close(fd);
}

}  // namespace
}  // namespace hv::host
