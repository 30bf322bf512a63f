// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <cstring>

#include "core/base/mutant.hpp"
#include "ports/sim/driver.hpp"
#include "ports/sim/kernel.hpp"

// Requests and completions: what goes into the ring comes back once, with the same bytes.
namespace hv::sim {

using hv::vmbus::Signal;

namespace {
void fill(std::vector<std::byte>& bytes, uint64_t number, uint32_t length) {
  bytes.resize(length);
  std::memcpy(bytes.data(), &number, sizeof(number));
  for (uint32_t i = 8; i < length; i++) bytes[i] = static_cast<std::byte>(number + i);
}
}  // namespace

void Driver::submit() {
  size_t slot = 0;
  while (slot < flight_.size() && flight_[slot].active) slot++;
  if (slot == flight_.size()) fail("a driver submits without a free slot");
  const uint64_t number = (uint64_t{channel_.relid()} << 32) | submitted_;
  const uint32_t length = 8 * (2 + kernel_.rng().below(220));
  std::vector<std::byte> bytes;
  fill(bytes, number, length);
  const auto id = table_.arm(slot);
  if (!id) fail("request ids ran out: a failed submit kept its own");
  const auto staged = out_->stage(hv::wire::PacketType::DataInBand,
                                  hv::wire::kPacketCompletionRequested, id.value(), {}, bytes);
  if (!staged) {
    // All that was taken goes back.
    if (!HV_MUTANT(22)) (void)table_.cancel(slot);
    if (staged.error() == Error::RingFull) {
      auto room = out_->wait_for_space(
          static_cast<uint32_t>(hv::vmbus::RingWriter::packet_size(0, length)));
      if (!room) {
        broken_ = true;
      } else {
        blocked_ = !room.value();
      }
    } else {
      if (!kernel_.profile().hostile) fail("the guest cannot write to its ring");
      broken_ = true;
    }
    return;
  }
  flight_[slot] = {number, length, true};
  in_flight_++;
  submitted_++;
  kernel_.log()("relid %u submits %u bytes", channel_.relid(), length);
  const Signal signal = out_->commit();
  // The bug decides by what it has in flight: "the host must be awake then".
  if (HV_MUTANT(2) ? in_flight_ == 1 : signal == Signal::Yes) signal_pending_ = true;
}

void Driver::signal() {
  signal_pending_ = false;
  kernel_.log()("relid %u signals the host", channel_.relid());
  kernel_.host().signalled(channel_.offer().connection_id);
}

/// The channel's event flag was set.
void Driver::callback() {
  if (!callback_set_ && !HV_MUTANT(5)) return;
  if (!callback_set_) fail("a channel callback called that is not there");
  if (HV_MUTANT(4)) in_->mask();  // the bug: the mask belongs to whoever reads
  blocked_ = false;
  tasklet_ = true;
}

void Driver::tasklet() {
  if (sleeping_) {
    if (HV_MUTANT(4)) {
      auto readable = in_->readable();
      if (readable && readable.value() == 0) {
        tasklet_ = false;
        return;
      }
    }
    in_->mask();
    sleeping_ = false;
  }
  for (uint32_t most = 1 + kernel_.rng().below(4); most > 0; most--) {
    auto packet = in_->read(packet_buffer_);
    if (packet) {
      complete(packet.value());
      continue;
    }
    if (packet.error() == Error::BadLength || packet.error() == Error::BadValue) {
      if (!kernel_.profile().hostile) fail("a packet that cannot be");
      continue;
    }
    if (in_->commit() == Signal::Yes) signal_pending_ = true;
    auto more = packet.error() == Error::RingEmpty ? in_->unmask() : Result<bool>(packet.error());
    if (!more) {
      if (!kernel_.profile().hostile) fail("the guest cannot read its ring");
      broken_ = true;
    }
    sleeping_ = true;
    tasklet_ = more && more.value();
    return;
  }
  if (in_->commit() == Signal::Yes) signal_pending_ = true;
}

void Driver::complete(const hv::vmbus::Packet& packet) {
  auto taken = HV_MUTANT(21)
                   ? Result<size_t>(static_cast<uint32_t>(packet.transaction_id) - size_t{1})
                   : table_.take(packet.transaction_id);
  if (taken && taken.value() >= flight_.size())
    fail("an id of the host's used as an index, out of bounds");
  if (!taken) {
    // Unasked (id 0), or forged: there is no such request.
    if (packet.transaction_id != 0 && !kernel_.profile().hostile) fail("a completion for nothing");
    return;
  }
  InFlight& request = flight_[taken.value()];
  if (!request.active) fail("a request completed twice");
  if (!kernel_.profile().hostile) {
    std::vector<std::byte> expected;
    fill(expected, request.number, request.length);
    if (packet.payload.size() != expected.size() ||
        std::memcmp(packet.payload.data(), expected.data(), expected.size()) != 0) {
      fail("a completion with other bytes than its request");
    }
  }
  request.active = false;
  in_flight_--;
  completed_++;
  kernel_.log()("relid %u completed %u of %u", channel_.relid(), completed_, wanted_);
}

/// What the host did not complete ends here; nothing is taken from the ring after it.
void Driver::fail_requests() {
  callback_set_ = tasklet_ = false;
  if (in_flight_ && kernel_.profile().strict() && !channel_.rescinded())
    fail("requests were never completed");
  for (size_t slot = 0; slot < flight_.size(); slot++) {
    if (!flight_[slot].active) continue;
    (void)table_.cancel(slot);
    flight_[slot].active = false;
    in_flight_--;
    completed_++;
  }
}

}  // namespace hv::sim
