// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "bench/support/copies.hpp"

#include <cstring>

#include "bench/support/compare.hpp"

namespace hv::bench {

Copies::Copies(std::span<std::byte> shared, size_t bytes, size_t step)
    : shared_(shared), step_(step), payload_(bytes, std::byte{7}), buffer_(bytes) {}

void Copies::in_and_out(unsigned count, unsigned burst) {
  for (unsigned done = 0; done < count; done += burst) {
    size_t at = place_;
    for (unsigned i = 0; i < burst; i++, at = next(at)) {
      std::memcpy(shared_.data() + at, payload_.data(), payload_.size());
      keep(shared_);
    }
    at = place_;
    for (unsigned i = 0; i < burst; i++, at = next(at)) {
      std::memcpy(buffer_.data(), shared_.data() + at, buffer_.size());
      keep(buffer_);
    }
    place_ = at;
  }
}

void Copies::out(unsigned count) {
  for (unsigned done = 0; done < count; done++, place_ = next(place_)) {
    std::memcpy(buffer_.data(), shared_.data() + place_, buffer_.size());
    keep(buffer_);
  }
}

}  // namespace hv::bench
