// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "core/vmbus/ring.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <string_view>
#include <vector>

#include "core/vmbus/vmbus.h"

namespace hv::vmbus::test {
namespace {

/// A ring as the module maps it: the control page, the data, and the data again.
class Ring {
 public:
  static constexpr size_t kData = 4096;

  Ring() {
    fd_ = memfd_create("ring", 0);
    EXPECT_EQ(ftruncate(fd_, kSize), 0);
    base_ = static_cast<std::byte*>(
        mmap(nullptr, kSize + kData, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    mmap(base_, kSize, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd_, 0);
    mmap(base_ + kSize, kData, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd_, 4096);
  }
  ~Ring() {
    munmap(base_, kSize + kData);
    close(fd_);
  }
  std::byte* memory() const { return base_; }
  size_t size() const { return kSize; }
  wire::RingControl& control() const { return *reinterpret_cast<wire::RingControl*>(base_); }
  RingMemory shared() const { return RingMemory::create(std::span(base_, kSize), true).take(); }

 private:
  static constexpr size_t kSize = 4096 + kData;
  int fd_;
  std::byte* base_;
};

/// What the module writes, and the host reads.
class Outbound : public testing::Test {
 protected:
  Outbound() {
    EXPECT_EQ(hv_vmbus_writer_create(&writer_, ring_.memory(), ring_.size()), HV_OK);
    host_.emplace_back(RingReader::create(ring_.shared()).take());
  }
  hv_vmbus_packet packet(std::string_view payload) {
    return {.type = 6,
            .flags = 1,
            .extra = nullptr,
            .extra_size = 0,
            .payload = payload.data(),
            .payload_size = payload.size()};
  }
  int stage(const hv_vmbus_packet& packet) { return hv_vmbus_stage(&writer_, &packet, &staged_); }
  bool publish(uint64_t id) {
    hv_vmbus_set_id(&staged_, id);
    return hv_vmbus_publish(&writer_) == HV_SIGNAL;
  }
  Ring ring_;
  hv_vmbus_staged staged_;
  hv_vmbus_writer writer_;
  std::vector<RingReader> host_;
  std::array<std::byte, 4096> buffer_;
};

TEST_F(Outbound, PutsTheIdIntoThePacketWhenItIsPublished) {
  // Round the ring more than once, so that the descriptor lies at every place.
  for (uint64_t id = 1; id < 300; id++) {
    const hv_vmbus_packet p = packet("twelve bytes");
    ASSERT_EQ(stage(p), HV_OK);
    EXPECT_EQ(host_[0].read(buffer_).error(), Error::RingEmpty);
    EXPECT_TRUE(publish(id));
    auto read = host_[0].read(buffer_);
    ASSERT_TRUE(read.ok());
    EXPECT_EQ(read->transaction_id, id);
    EXPECT_EQ(read->payload.size(), 16u);
    EXPECT_EQ(std::memcmp(read->payload.data(), "twelve bytes\0\0\0\0", 16), 0);
    (void)host_[0].commit();
  }
}

TEST_F(Outbound, LeavesNoTraceOfAPacketThatIsUnstaged) {
  const hv_vmbus_packet first = packet("not to be sent, as there is no id for it");
  ASSERT_EQ(stage(first), HV_OK);
  hv_vmbus_unstage(&writer_);
  const hv_vmbus_packet second = packet("sent");
  ASSERT_EQ(stage(second), HV_OK);
  EXPECT_TRUE(publish(7));
  auto read = host_[0].read(buffer_);
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->transaction_id, 7u);
  EXPECT_EQ(std::memcmp(read->payload.data(), "sent", 4), 0);
  EXPECT_EQ(host_[0].read(buffer_).error(), Error::RingEmpty);
}

TEST_F(Outbound, SaysFullAndLoosesNothingByIt) {
  const std::vector<char> big(1000);
  int sent = 0;
  for (;; sent++) {
    const hv_vmbus_packet p = packet({big.data(), big.size()});
    const int error = stage(p);
    if (error == HV_RING_FULL) break;
    ASSERT_EQ(error, HV_OK);
    (void)publish(static_cast<uint64_t>(sent));
  }
  EXPECT_EQ(sent, 3);
  for (int i = 0; i < sent; i++) {
    auto read = host_[0].read(buffer_);
    ASSERT_TRUE(read.ok());
    EXPECT_EQ(read->transaction_id, static_cast<uint64_t>(i));
  }
}

TEST_F(Outbound, RefusesAReadIndexThatCannotBe) {
  ring_.control().read_index = 4096;
  const std::vector<char> big(3000);
  const hv_vmbus_packet p = packet({big.data(), big.size()});
  ASSERT_EQ(stage(p), HV_OK);  // there is room by what is known
  (void)publish(1);
  EXPECT_EQ(stage(p), HV_RING_CORRUPT);
  EXPECT_EQ(stage(p), HV_RING_CORRUPT);
}

/// What the host writes, and the module reads.
class Inbound : public testing::Test {
 protected:
  Inbound() {
    EXPECT_EQ(hv_vmbus_reader_create(&reader_, ring_.memory(), ring_.size()), HV_OK);
    host_.emplace_back(RingWriter::create(ring_.shared()).take());
  }
  Signal send(uint64_t id, std::string_view payload) {
    EXPECT_TRUE(
        host_[0]
            .stage(wire::PacketType::DataInBand, 0, id, {}, std::as_bytes(std::span(payload)))
            .ok());
    return host_[0].commit();
  }
  int peek() { return hv_vmbus_peek(&reader_, buffer_.data(), buffer_.size()); }
  wire::PacketDescriptor descriptor() const {
    wire::PacketDescriptor d;
    std::memcpy(&d, buffer_.data(), sizeof(d));
    return d;
  }
  Ring ring_;
  hv_vmbus_reader reader_;
  std::vector<RingWriter> host_;
  alignas(8) std::array<std::byte, 256> buffer_;
};

TEST_F(Inbound, GivesThePacketWithItsDescriptor) {
  (void)send(42, "twelve bytes");
  ASSERT_EQ(peek(), HV_OK);
  EXPECT_EQ(descriptor().transaction_id, 42u);
  EXPECT_EQ(descriptor().data_offset8, 2);
  EXPECT_EQ(descriptor().length8, 4);
  EXPECT_EQ(std::memcmp(buffer_.data() + 16, "twelve bytes", 12), 0);
}

TEST_F(Inbound, StaysBeforeAPacketUntilItIsSteppedOver) {
  (void)send(1, "one");
  (void)send(2, "two");
  ASSERT_EQ(peek(), HV_OK);
  ASSERT_EQ(peek(), HV_OK);
  EXPECT_EQ(descriptor().transaction_id, 1u);
  hv_vmbus_step(&reader_);
  ASSERT_EQ(peek(), HV_OK);
  EXPECT_EQ(descriptor().transaction_id, 2u);
}

TEST_F(Inbound, GivesBackOnlyWhatWasSteppedOver) {
  (void)send(1, "one");
  (void)send(2, "two");
  ASSERT_EQ(peek(), HV_OK);
  hv_vmbus_step(&reader_);
  ASSERT_EQ(peek(), HV_OK);  // looked at, and left where it is
  (void)hv_vmbus_give_back(&reader_);
  EXPECT_EQ(ring_.control().read_index, ring_.control().write_index / 2);
  ASSERT_EQ(peek(), HV_OK);
  EXPECT_EQ(descriptor().transaction_id, 2u);
  hv_vmbus_step(&reader_);
  EXPECT_EQ(peek(), HV_RING_EMPTY);
  (void)hv_vmbus_give_back(&reader_);
  EXPECT_EQ(ring_.control().read_index, ring_.control().write_index);
}

TEST_F(Inbound, SignalsAHostThatWaitsForRoomOnce) {
  const std::vector<char> big(1200);
  int sent = 0;
  // The host's own writer takes a packet of this size three times.
  for (; sent < 3; sent++) (void)send(static_cast<uint64_t>(sent), {big.data(), 200});
  ASSERT_TRUE(host_[0].wait_for_space(4000).ok());
  ASSERT_EQ(peek(), HV_OK);
  hv_vmbus_step(&reader_);
  EXPECT_FALSE(hv_vmbus_give_back(&reader_));
  ASSERT_EQ(peek(), HV_OK);
  hv_vmbus_step(&reader_);
  ASSERT_EQ(peek(), HV_OK);
  hv_vmbus_step(&reader_);
  EXPECT_TRUE(hv_vmbus_give_back(&reader_));
  EXPECT_FALSE(hv_vmbus_give_back(&reader_));
}

TEST_F(Inbound, StepsOverWhatDoesNotFit) {
  const std::vector<char> big(300);
  (void)send(1, {big.data(), big.size()});
  (void)send(2, "small");
  EXPECT_EQ(peek(), HV_BAD_LENGTH);
  ASSERT_EQ(peek(), HV_OK);
  EXPECT_EQ(descriptor().transaction_id, 2u);
}

TEST_F(Inbound, RefusesAWriteIndexThatCannotBe) {
  ring_.control().write_index = 4097;
  EXPECT_EQ(peek(), HV_RING_CORRUPT);  // and hv_vmbus does not look again: see hvb_ring_broken()
}

}  // namespace
}  // namespace hv::vmbus::test
