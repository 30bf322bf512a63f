// SPDX-License-Identifier: GPL-2.0-only OR MIT
// A ring between two threads that sleep when there is nothing to do: every packet arrives, in order
// and whole, and no wake-up is lost.
#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "core/vmbus/ring.hpp"
#include "tests/support/doorbell.hpp"
#include "tests/support/ring_pages.hpp"
#include "tests/support/seed.hpp"

namespace hv::vmbus {
namespace {

using test::Doorbell;

struct Setting {
  const char* name;
  size_t data_size;
  bool mirrored;
  bool masks;            ///< the consumer masks while it works
  unsigned most_staged;  ///< packets behind one publication
  unsigned most_read;    ///< packets behind one giving back
  size_t most_payload;
  unsigned packets;
};

void PrintTo(const Setting& setting, std::ostream* out) { *out << setting.name; }

/// What the packet number `sequence` holds.
void fill(std::span<std::byte> payload, uint64_t sequence) {
  uint64_t word = sequence * 0x9e3779b97f4a7c15;
  for (size_t i = 0; i < payload.size(); i++)
    payload[i] = static_cast<std::byte>(word >> (i % 8 * 8) ^ i / 8);
}

class RingLoop : public testing::TestWithParam<Setting> {
 protected:
  void produce(std::mt19937_64 random) {
    const auto& setting = GetParam();
    auto writer = pages_.writer();
    std::vector<std::byte> payload(setting.most_payload);
    uint64_t sequence = 0;
    while (sequence < setting.packets) {
      const uint64_t batch =
          std::min<uint64_t>(1 + random() % setting.most_staged, setting.packets - sequence);
      for (uint64_t i = 0; i < batch; i++, sequence++) {
        const std::span<std::byte> view =
            std::span(payload).first(8 + random() % (setting.most_payload - 7));
        fill(view, sequence);
        while (true) {
          const auto staged =
              writer.stage(wire::PacketType::DataInBand, 0, sequence << 16 | view.size(), {}, view);
          if (staged) break;
          ASSERT_EQ(staged.error(), Error::RingFull);
          publish(writer);
          auto room =
              writer.wait_for_space(static_cast<uint32_t>(RingWriter::packet_size(0, view.size())));
          ASSERT_TRUE(room);
          if (*room) continue;
          full_++;
          ASSERT_TRUE(room_.wait()) << "nobody told of the room: packet " << sequence;
        }
      }
      publish(writer);
    }
  }

  void consume(std::mt19937_64 random) {
    const auto& setting = GetParam();
    auto reader = pages_.reader();
    std::vector<std::byte> buffer(setting.most_payload + 8);
    std::vector<std::byte> expected(setting.most_payload);
    uint64_t sequence = 0;
    while (sequence < setting.packets) {
      if (setting.masks) reader.mask();
      while (true) {
        const uint64_t batch = 1 + random() % setting.most_read;
        bool empty = false;
        for (uint64_t i = 0; i < batch && !empty; i++) {
          auto packet = reader.read(buffer);
          if (!packet) {
            ASSERT_EQ(packet.error(), Error::RingEmpty);
            empty = true;
            break;
          }
          const size_t size = packet->transaction_id & 0xffff;
          ASSERT_EQ(packet->transaction_id >> 16, sequence);
          ASSERT_EQ(packet->payload.size(), align_up(size, 8));
          fill(std::span(expected).first(size), sequence);
          ASSERT_EQ(std::memcmp(packet->payload.data(), expected.data(), size), 0)
              << "packet " << sequence;
          sequence++;
        }
        if (reader.commit() == Signal::Yes) {
          room_signals_++;
          room_.ring();
        }
        if (empty) break;
      }
      auto more = reader.unmask();
      ASSERT_TRUE(more);
      if (*more || sequence == setting.packets) continue;
      slept_++;
      ASSERT_TRUE(data_.wait()) << "nobody told of the data: packet " << sequence;
    }
  }

  void publish(RingWriter& writer) {
    if (writer.commit() != Signal::Yes) return;
    data_signals_++;
    data_.ring();
  }

  test::RingPages pages_{GetParam().data_size, GetParam().mirrored};
  Doorbell data_, room_;
  uint64_t data_signals_ = 0, room_signals_ = 0, slept_ = 0, full_ = 0;
};

TEST_P(RingLoop, BringsEveryPacketAndLosesNoWakeUp) {
  auto random = test::seeded();
  const auto first = random(), second = random();
  std::thread producer([&] { produce(std::mt19937_64(first)); });
  consume(std::mt19937_64(second));
  producer.join();
  std::printf(
      "%s: %u packets; the consumer slept %llu times and was signalled %llu; the producer found it "
      "full %llu and was signalled %llu\n",
      GetParam().name, GetParam().packets, static_cast<unsigned long long>(slept_),
      static_cast<unsigned long long>(data_signals_), static_cast<unsigned long long>(full_),
      static_cast<unsigned long long>(room_signals_));
  // A producer that is asleep needs one signal, and one that is awake may be told at most once per
  // wish.
  EXPECT_LE(data_signals_, GetParam().packets);
}

INSTANTIATE_TEST_SUITE_P(
    Settings, RingLoop,
    testing::Values(Setting{"OneByOne", 4096, false, false, 1, 1, 64, 60000},           //
                    Setting{"OneByOneMasked", 4096, false, true, 1, 1, 64, 60000},      //
                    Setting{"LargeInSmallRing", 4096, false, true, 1, 1, 3000, 30000},  //
                    Setting{"BatchesInSmallRing", 4096, false, true, 16, 16, 500, 60000},
                    Setting{"BatchesMirrored", 8192, true, true, 16, 16, 2000, 60000},
                    Setting{"BatchesUnmasked", 8192, false, false, 32, 8, 300, 60000},
                    Setting{"AsAStorageChannel", 128 * 1024, true, true, 32, 64, 120, 120000}),
    [](const auto& setting) { return setting.param.name; });

}  // namespace
}  // namespace hv::vmbus
