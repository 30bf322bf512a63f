// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "vmm/lost_interrupts.hpp"

#include <algorithm>

namespace hv::vmm {

/// Of `what` that which stands there `now`, too.
void LostInterrupts::keep_common(Synic::Standing& what, const Synic::Standing& now) {
  what.message = what.message && now.message;
  std::erase_if(what.flags, [&](uint32_t flag) {
    return std::ranges::find(now.flags, flag) == now.flags.end();
  });
}

void LostInterrupts::settle(const Watch& watch, bool taken, std::vector<Report>& reports) const {
  if (watch.looks < kLooks) return;
  const std::optional<VcpuLook> seen = watch.look ? watch.look : looker_.look(watch.what.vp);
  bool lost = false;
  if (seen) {
    const VcpuLook& look = *seen;
    // Flags are taken by the interrupt's handler, a message by a softirq, which a vCPU that is busy
    // may leave for later.
    const bool would_be_taken = look.halted || !watch.what.message;
    lost =
        would_be_taken && look.interrupts_on && !look.masked && !look.pending && !look.in_service;
  }
  // Being looked at takes a vCPU out of the guest, and may end what it was caught in.
  const bool needed = taken && lost;
  if (watch.looks > kLooks || needed)
    reports.push_back({watch.what, watch.repeats, taken, needed, seen});
}

void LostInterrupts::advance(Watch& watch) {
  const auto [vp, sint] = std::pair(watch.what.vp, watch.what.sint);
  watch.looks++;
  if (watch.looks == kLooks) looker_.ask_for_look(vp, sint);
  if (watch.looks <= kLooks) return;
  if (!watch.look) watch.look = looker_.look(vp);
  if (!repeat_ || (watch.looks - 1) % kLooks != 0 || watch.repeats == kRepeats) return;
  watch.repeats++;
  watch.what.interrupts = synic_.interrupt_again(vp, sint);
}

std::vector<LostInterrupts::Report> LostInterrupts::step() {
  std::vector<Report> reports;
  std::map<std::pair<uint32_t, uint32_t>, Watch> next;
  for (Synic::Standing& now : synic_.standing()) {
    const auto key = std::pair(now.vp, now.sint);
    const auto known = watches_.find(key);
    if (known != watches_.end()) {
      Watch& watch = known->second;
      Synic::Standing common = watch.what;
      keep_common(common, now);
      const bool stands = common.message || !common.flags.empty();
      const bool changed = now.changes != watch.what.changes;
      if (stands && !changed && now.interrupts == watch.what.interrupts) {
        watch.what = std::move(common);
        advance(watch);
        next.emplace(key, std::move(watch));
        watches_.erase(known);
        continue;
      }
      settle(watch, !stands && !changed, reports);
      watches_.erase(known);
    }
    next.emplace(key, Watch{.what = std::move(now), .look = {}});
  }
  for (const auto& [key, watch] : watches_)
    settle(watch, synic_.changes(key.first) == watch.what.changes, reports);
  watches_ = std::move(next);
  return reports;
}

std::vector<LostInterrupts::Report> LostInterrupts::finish() {
  std::vector<Report> reports;
  for (const auto& [key, watch] : watches_) settle(watch, false, reports);
  watches_.clear();
  return reports;
}

}  // namespace hv::vmm
