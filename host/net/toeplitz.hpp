// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace hv::host::net {

using RssKey = std::array<std::byte, 40>;

/// The Toeplitz hash of receive-side scaling over `input`, of at most 36 bytes.
uint32_t toeplitz(const RssKey& key, std::span<const std::byte> input);

/// That of a frame: over addresses and ports of TCP, addresses of any other IP; nothing when it is
/// no IP.
std::optional<uint32_t> flow_hash(const RssKey& key, std::span<const std::byte> frame);

}  // namespace hv::host::net
