// SPDX-License-Identifier: GPL-2.0-only OR MIT
// A guest's control messages in any order, with devices coming and going: the tables stay sound and
// every action is one that the port may perform.
#include <cstdint>
#include <map>
#include <set>

#include "host/vmbus/control.hpp"
#include "host/vmbus/versions.hpp"

namespace {

using namespace hv;
using namespace hv::host::vmbus;
namespace proto = hv::wire::vmbus;

[[noreturn]] void broken() { __builtin_trap(); }

/// What the port would know: which channels it has open, which devices it holds.
class Port {
 public:
  explicit Port(ControlMachine& machine) : machine_(machine) {}

  void perform(Actions& actions, bool opens) {
    for (size_t i = 0; i < actions.size(); i++) {
      const Action action = actions[i];
      if (const auto* post = std::get_if<PostMessage>(&action)) {
        if (post->vp >= 4 || post->sint != 2 ||
            post->message.bytes().size() > proto::kMaxMessageSize)
          broken();
        if (post->message.bytes().size() < sizeof(proto::MessageHeader)) broken();
      } else if (std::holds_alternative<ShareMonitorPage>(action)) {
        if (i + 1 == actions.size() || shared_) broken();
        shared_ = opens;
        machine_.monitor_page_shared(opens, actions);
      } else if (std::holds_alternative<ReleaseMonitorPage>(action)) {
        if (!monitors_.empty()) broken();
        shared_ = false;
      } else if (const auto* published = std::get_if<PublishMonitor>(&action)) {
        if (!shared_ || published->monitor >= proto::kMonitors) broken();
        if (!monitors_.insert(published->monitor).second) broken();
      } else if (const auto* withdrawn = std::get_if<WithdrawMonitor>(&action)) {
        if (monitors_.erase(withdrawn->monitor) != 1) broken();
      } else if (const auto* rings = std::get_if<OpenRings>(&action)) {
        if (i + 1 != actions.size()) broken();
        if (!devices_.contains(rings->primary) || open_.contains(rings->channel)) broken();
        if (rings->incoming.size() < 2 || rings->outgoing.size() < 2) broken();
        if (rings->relid == 0 || rings->relid >= proto::kMaxChannels) broken();
        if (rings->monitor != proto::kNoMonitor && !monitors_.contains(rings->monitor)) broken();
        if (opens) open_[rings->channel] = rings->primary;
        machine_.opened(rings->channel, opens, actions);
      } else if (const auto* closing = std::get_if<CloseRings>(&action)) {
        if (open_.erase(closing->channel) != 1) broken();
      } else if (const auto* taken = std::get_if<TakeGpadl>(&action)) {
        if (!open_.contains(taken->channel)) broken();
      } else if (const auto* retarget = std::get_if<Retarget>(&action)) {
        if (!open_.contains(retarget->channel) || retarget->vp >= 4) broken();
      } else if (const auto* gone = std::get_if<Gone>(&action)) {
        if (devices_.erase(gone->primary) != 1) broken();
        for (const auto& [channel, primary] : open_) {
          if (primary == gone->primary) broken();
        }
      }
    }
    actions.clear();
    // It looks at every relid: often enough, but not each time, or the fuzzer would do nothing
    // else.
    if (++performed_ % 16 == 0) check();
    if (!machine_.version() && !open_.empty()) broken();
    if (machine_.channels().size() > 3 * proto::kMaxChannels) broken();
  }
  void check() const {
    if (machine_.broken_invariant() != nullptr) broken();
  }
  void holds(ChannelKey key) { devices_.insert(key); }
  std::set<ChannelKey>& devices() { return devices_; }
  bool idle() const { return open_.empty(); }

 private:
  ControlMachine& machine_;
  unsigned performed_ = 0;
  std::set<ChannelKey> devices_;
  std::map<ChannelKey, ChannelKey> open_;
  bool shared_ = false;
  std::set<uint8_t> monitors_;
};

ChannelKey some(const std::set<ChannelKey>& keys, uint8_t which) {
  if (keys.empty()) return 0;
  return *std::next(keys.begin(), which % keys.size());
}

OfferInfo info(uint8_t number) {
  OfferInfo out{};
  out.instance_id.bytes[0] = number % 8;
  return out;
}

}  // namespace

/// Each step: a byte that says what happens, a byte for it, and for messages a length and that many
/// bytes.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ByteReader reader(std::as_bytes(std::span(data, size)));
  const auto limit = reader.take<uint8_t>();
  if (!limit) return 0;
  ControlMachine machine({.max_version = kVersions[*limit % kVersions.size()],
                          .vp_count = 4,
                          .max_sub_channels = 6,
                          .monitor = (*limit & 0x80) != 0,
                          .gpadls = {.count = 16, .words = 512}});
  Port port(machine);
  Actions actions;
  const auto offer = [&](uint8_t number) {
    if (auto key = machine.offer(info(number), actions)) port.holds(*key);
    port.perform(actions, true);
  };
  offer(0);
  offer(1);
  while (reader.remaining() >= 2) {
    const uint8_t what = reader.take<uint8_t>().take();
    const uint8_t which = reader.take<uint8_t>().take();
    switch (what % 16) {
      case 0:
        offer(which);
        continue;
      case 1:
        (void)machine.rescind(some(port.devices(), which), actions).ok();
        break;
      case 2:
        (void)machine.force(some(port.devices(), which), actions).ok();
        break;
      case 3:
        (void)machine.offer_sub_channels(some(port.devices(), which), which % 8, actions).ok();
        break;
      case 4:
        if (which == 0) machine.reset(actions);
        break;
      default: {
        const size_t length =
            std::min<size_t>(which, std::min<size_t>(reader.remaining(), proto::kMaxMessageSize));
        const auto bytes = reader.take_bytes(length).take();
        machine.message(what & 0x10 ? 1 : 4, bytes, actions);
        break;
      }
    }
    port.perform(actions, (what & 0x20) == 0);
  }
  port.check();
  machine.reset(actions);
  port.perform(actions, true);
  port.check();
  if (!port.idle() || machine.gpadls().count() != 0) broken();
  return 0;
}
