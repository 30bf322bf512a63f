// SPDX-License-Identifier: GPL-2.0-only OR MIT
// What a packet costs in the ring: one thread writes packets and reads them back, against the same
// code without its checks, against the same protocol in plain C that checks nothing, and against
// memcpy of the same bytes into the same memory and out of it.
#include <memory>
#include <vector>

#include "bench/support/compare.hpp"
#include "bench/support/copies.hpp"
#include "bench/support/plain_ring.h"
#include "bench/support/trusting_ring.hpp"
#include "core/vmbus/ring.hpp"
#include "tests/support/ring_pages.hpp"

namespace {

using namespace hv;
using namespace hv::vmbus;

constexpr size_t kRingData = 512 * 1024;

struct Bed {
  explicit Bed(size_t size) : payload(size, std::byte{7}), buffer(size + 64) {
    plain_ring_init(&plain_writer, plain_pages.bytes().data(), plain_pages.bytes().size());
    plain_ring_init(&plain_reader, plain_pages.bytes().data(), plain_pages.bytes().size());
  }

  void through_ring(unsigned count, unsigned batch) {
    for (unsigned done = 0; done < count; done += batch) {
      for (unsigned i = 0; i < batch; i++)
        writer.stage(wire::PacketType::DataInBand, 0, i, {}, payload).take();
      bench::keep(writer.commit());
      for (unsigned i = 0; i < batch; i++) bench::keep(reader.read(buffer).take());
      bench::keep(reader.commit());
    }
  }

  void through_trusting_ring(unsigned count, unsigned batch) {
    for (unsigned done = 0; done < count; done += batch) {
      for (unsigned i = 0; i < batch; i++)
        TrustingRing::stage(writer, wire::PacketType::DataInBand, 0, i, {}, payload).take();
      bench::keep(writer.commit());
      for (unsigned i = 0; i < batch; i++) bench::keep(TrustingRing::read(reader, buffer).take());
      bench::keep(reader.commit());
    }
  }

  void through_plain_ring(unsigned count, unsigned batch) {
    if (!plain_ring_through(&plain_writer, &plain_reader,
                            static_cast<uint16_t>(wire::PacketType::DataInBand), payload.data(),
                            static_cast<uint32_t>(payload.size()), buffer.data(), count, batch))
      __builtin_trap();
  }

  test::RingPages pages{kRingData, true};
  RingWriter writer = pages.writer();
  RingReader reader = pages.reader();
  test::RingPages plain_pages{kRingData, true};
  plain_ring plain_writer, plain_reader;
  std::vector<std::byte> payload;
  std::vector<std::byte> buffer;
  // The places move on as those of packets do.
  bench::Copies copies{pages.data().first(kRingData), payload.size(),
                       RingWriter::packet_size(0, payload.size())};
};

}  // namespace

int main(int argc, char** argv) {
  std::vector<bench::Case> cases;
  for (const unsigned batch : {1u, 32u}) {
    for (const size_t size : {16u, 64u, 256u, 1024u, 4096u, 8192u}) {
      const auto bed = std::make_shared<Bed>(size);
      const auto name = std::to_string(size) + " bytes, batch " + std::to_string(batch);
      const auto ours = [bed, batch](unsigned count) { bed->through_ring(count, batch); };
      cases.push_back({name, "packet", "ours without checks", ours,
                       [bed, batch](unsigned count) { bed->through_trusting_ring(count, batch); }});
      cases.push_back({name, "packet", "plain C, best without checks", ours,
                       [bed, batch](unsigned count) { bed->through_plain_ring(count, batch); }});
      cases.push_back({name, "packet", "memcpy in and out", ours,
                       [bed, batch](unsigned count) { bed->copies.in_and_out(count, batch); }});
    }
  }
  return bench::run(argc, argv, "vmbus: write and read of one packet",
                    "the ring of core/vmbus, one publication and one giving back per batch", cases);
}
