// SPDX-License-Identifier: GPL-2.0-only OR MIT
// What the ring costs above the copying itself: one thread writes packets and reads them back, against memcpy of the same bytes into the same
// memory and out of it.
#include <array>
#include <cstring>
#include <memory>
#include <vector>

#include "bench/support/compare.hpp"
#include "core/vmbus/ring.hpp"
#include "tests/support/ring_pages.hpp"

namespace {

using namespace hv;
using namespace hv::vmbus;

constexpr size_t kRingData = 512 * 1024;

struct Bed {
  explicit Bed(size_t size) : payload(size, std::byte{7}), buffer(size + 64) {}

  void through_ring(unsigned count, unsigned batch) {
    const std::array<std::span<const std::byte>, 1> parts{payload};
    for (unsigned done = 0; done < count; done += batch) {
      for (unsigned i = 0; i < batch; i++) writer.stage(wire::PacketType::DataInBand, 0, i, {}, parts).take();
      bench::keep(writer.commit());
      for (unsigned i = 0; i < batch; i++) bench::keep(reader.read(buffer).take());
      bench::keep(reader.commit());
    }
  }

  void by_memcpy(unsigned count, unsigned batch) {
    // The places move on as those of packets do.
    const size_t step = RingWriter::packet_size(0, payload.size());
    for (unsigned done = 0; done < count; done += batch) {
      size_t at = place;
      for (unsigned i = 0; i < batch; i++) {
        std::memcpy(pages.data().data() + at, payload.data(), payload.size());
        bench::keep(pages);
        at = next(at, step);
      }
      at = place;
      for (unsigned i = 0; i < batch; i++) {
        std::memcpy(buffer.data(), pages.data().data() + at, payload.size());
        bench::keep(buffer);
        at = next(at, step);
      }
      place = at;
    }
  }

  size_t next(size_t at, size_t step) const { return at + 2 * step < kRingData ? at + step : 0; }

  test::RingPages pages{kRingData, true};
  RingWriter writer = pages.writer();
  RingReader reader = pages.reader();
  std::vector<std::byte> payload;
  std::vector<std::byte> buffer;
  size_t place = 0;
};

}  // namespace

int main(int argc, char** argv) {
  std::vector<bench::Case> cases;
  for (const unsigned batch : {1u, 32u}) {
    for (const size_t size : {16u, 64u, 256u, 1024u, 4096u, 8192u}) {
      const auto bed = std::make_shared<Bed>(size);
      cases.push_back({std::to_string(size) + " bytes, batch " + std::to_string(batch), "packet",
                       [bed, batch](unsigned count) { bed->through_ring(count, batch); },
                       [bed, batch](unsigned count) { bed->by_memcpy(count, batch); }});
    }
  }
  return bench::run(argc, argv, "ring: write and read of one packet", "the ring, one publication and one giving back per batch",
                    "memcpy of the payload in and out", cases);
}
