// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/wire/storvsc.hpp"
#include "host/backends/block_backend.hpp"
#include "host/scsi/sense.hpp"

namespace hv::host::scsi {

/// How a command ended.
struct Outcome {
  Status status = Status::Good;
  wire::storvsc::SrbStatus srb = wire::storvsc::SrbStatus::Success;
  bool has_sense = false;
  Sense sense{};
  uint32_t moved = 0;  ///< bytes really moved between guest and device
  uint32_t nt = 0;     ///< NTSTATUS; 0: the one that follows from `srb`
};

/// One SCSI command from its CDB to its outcome. The port fills in the first part, the logical unit
/// the rest. Its vectors keep their room from one command to the next, so that a command costs no
/// allocation. Concurrency: one thread, from start to outcome.
struct Task {
  // What the guest asked for.
  std::array<uint8_t, wire::storvsc::kCdbSize> cdb{};
  uint8_t cdb_size = 0;
  wire::storvsc::Direction direction = wire::storvsc::Direction::None;
  std::vector<iovec> guest;  ///< its memory, checked; it may change under us at any time
  uint64_t guest_bytes = 0;

  // Where it stands.
  enum class Step : uint8_t {
    Plain,     ///< flush, punch, zero: no data of the guest
    Transfer,  ///< between guest memory and the backend
    Pattern,   ///< one block of the guest, again and again
    Compare,   ///< medium read into `bounce`, then compared with the guest's bytes
  };
  struct Extent {
    uint64_t offset;
    uint64_t length;
  };
  Step step = Step::Plain;
  BlockIo io;                     ///< to be performed, when the last call said Progress::Io
  std::vector<Extent> extents;    ///< the bytes of the medium that are still to be done, in order
  size_t extent = 0;              ///< the one that `io` is about
  uint64_t done = 0;              ///< bytes of it that are done
  size_t first_part = 0;          ///< of `guest` or `parts`: those before it are done
  std::vector<iovec> parts;       ///< Pattern and Compare
  std::vector<std::byte> bounce;  ///< Pattern and Compare
  uint32_t taken = 0;             ///< bytes of data-out that count as moved when it succeeds

  Outcome outcome;

  /// Ready for a new command; keeps the room.
  void clear();

  /// Copies up to guest_bytes bytes from `source` to the guest, and no more than `allocation`: the
  /// outcome of every command that returns a few bytes.
  void answer(std::span<const uint8_t> source, uint64_t allocation);
  /// A private copy of the guest's first `count` bytes (it may send fewer).
  std::vector<uint8_t> fetch(uint64_t count) const;

  void succeed(uint32_t moved);
  void fail(const Sense& sense);  ///< CHECK CONDITION with sense data
  void fail(wire::storvsc::SrbStatus srb);

  bool data_in() const { return direction == wire::storvsc::Direction::Read; }
  bool data_out() const { return direction == wire::storvsc::Direction::Write; }
};

/// What a logical unit says after each step.
enum class [[nodiscard]] Progress : uint8_t{
    Done,  ///< task.outcome holds
    Io,    ///< perform task.io, then resume with its result
};

}  // namespace hv::host::scsi
