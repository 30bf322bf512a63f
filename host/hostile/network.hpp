// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "host/hostile/dice.hpp"
#include "host/hostile/packets.hpp"

/// Lies of a network adapter: NVSP messages and completions in packets, RNDIS messages in the
/// receive buffer. Bytes and dice in, bytes out.
namespace hv::host::hostile {

/// Bytes of the receive buffer that an RNDIS message's headers and per-packet information are in.
inline constexpr size_t kRndisHead = 256;

/// A field of NVSP in the packet, or of the transfer pages that it names.
void spoil_nvsp(Dice& dice, Packet& packet);
/// Something that no honest host says, or not now: send tables, virtual functions, answers, counts
/// of channels, revocations.
std::vector<std::byte> forge_nvsp(Dice& dice);

/// A field of the RNDIS message whose first bytes these are.
void spoil_rndis(Dice& dice, std::span<std::byte> head);
/// An RNDIS message for the guest: a frame with all sorts of per-packet information, parts of
/// joined frames, the link's state, an answer that nobody waits for, "are you alive". At most
/// kRndisHead bytes.
std::vector<std::byte> forge_rndis(Dice& dice);
/// The packet that names it, `length` bytes at `offset` of the receive buffer, once or more often.
Packet transfer_of(Dice& dice, uint64_t transaction_id, uint32_t offset, uint32_t length);

}  // namespace hv::host::hostile
