// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <span>
#include <utility>
#include <vector>

#include "core/wire/ring.hpp"
#include "host/machine.hpp"
#include "host/netvsp/session.hpp"

namespace hv::host::netvsp {

/// The pages of a GPADL, page by page: they need not be neighbours. The guest goes on writing to
/// them.
class SharedPages {
 public:
  /// Nothing when a page is not RAM or there is none.
  static std::optional<SharedPages> resolve(Machine& machine, std::span<const uint64_t> frames);

  uint64_t size() const { return uint64_t{pages_.size()} * wire::kPageSize; }
  /// Copies in or out. False, with nothing copied: not all within.
  bool write(uint64_t offset, std::span<const std::byte> from) const;
  bool read(uint64_t offset, std::span<std::byte> to) const;

 private:
  bool within(uint64_t offset, size_t count) const {
    return offset <= size() && count <= size() - offset;
  }
  std::vector<std::byte*> pages_;
};

/// The receive and the send buffer of one NIC. They are used under the shared lock and changed
/// under the exclusive one, so that nothing of them is in use when `drop` returns.
class Buffers {
 public:
  struct Receive {
    SharedPages pages;
    Sections sections;
    uint16_t id;          ///< in transfer-page packets
    uint16_t shares;      ///< channels that the sections are shared out among
    uint64_t generation;  ///< tells this buffer from earlier ones
  };

  void put_receive(uint32_t gpadl_id, SharedPages pages, Sections sections, uint16_t id,
                   uint16_t shares) {
    const std::unique_lock lock(mutex_);
    receive_.emplace(Receive{std::move(pages), sections, id, shares, ++generation_});
    receive_gpadl_ = gpadl_id;
  }
  void put_send(uint32_t gpadl_id, SharedPages pages) {
    const std::unique_lock lock(mutex_);
    send_.emplace(std::move(pages));
    send_gpadl_ = gpadl_id;
  }
  void drop(Buffer which) {
    const std::unique_lock lock(mutex_);
    which == Buffer::Receive ? receive_.reset() : send_.reset();
  }
  void drop_gpadl(uint32_t gpadl_id) {
    const std::unique_lock lock(mutex_);
    if (receive_gpadl_ == gpadl_id) receive_.reset();
    if (send_gpadl_ == gpadl_id) send_.reset();
  }

  /// Calls `use(const Receive*)`, nullptr: there is none.
  template <typename Use>
  auto with_receive(Use&& use) const {
    const std::shared_lock lock(mutex_);
    return use(receive_ ? &*receive_ : nullptr);
  }
  /// Copies the first `to.size()` bytes of a section of the send buffer out. False: no such
  /// section, or it is shorter.
  bool read_section(uint32_t section, std::span<std::byte> to) const;

 private:
  mutable std::shared_mutex mutex_;
  std::optional<Receive> receive_;
  std::optional<SharedPages> send_;
  uint32_t receive_gpadl_ = 0;
  uint32_t send_gpadl_ = 0;
  uint64_t generation_ = 0;
};

}  // namespace hv::host::netvsp
