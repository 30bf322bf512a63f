// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "core/netvsc/offload.hpp"

namespace hv::netvsc {

namespace {

bool host_sums(const Capabilities& host, const Undone& undone) {
  if (undone.protocol == Undone::kTcp) return undone.ipv6 ? host.tcp6_checksum : host.tcp4_checksum;
  if (undone.protocol == Undone::kUdp) return undone.ipv6 ? host.udp6_checksum : host.udp4_checksum;
  return false;
}

}  // namespace

Doer share_out(const Capabilities& host, const Undone& undone, SendFrame& frame) {
  if (!undone.sum && undone.segment == 0) return Doer::Nobody;
  const bool reachable = undone.transport_offset <= wire::rndis::kMostTransportOffset;
  frame.ipv6 = undone.ipv6;
  frame.transport_offset = static_cast<uint16_t>(reachable ? undone.transport_offset : 0);
  if (undone.segment != 0) {
    frame.offload = SendFrame::Offload::LargeSend;
    frame.segment = undone.segment;
    return reachable ? Doer::Host : Doer::Neither;
  }
  if (!reachable || !host_sums(host, undone)) return Doer::Guest;
  frame.offload = SendFrame::Offload::Checksum;
  frame.udp = undone.protocol == Undone::kUdp;
  return Doer::Host;
}

}  // namespace hv::netvsc
