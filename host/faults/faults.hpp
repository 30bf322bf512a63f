// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>

#include "host/faults/fault.hpp"

namespace hv::host {

/// All faults of one host. To add one: a member here, its address in `all_`, and the question
/// (`strikes` or `delay`) where it happens. The command line (--fault), the control socket
/// (fault.set, fault.list) and their help know it then.
class Faults {
 public:
  Fault modify_delay{"modify-delay", Fault::Unit::Seconds,
                     "a channel moves to another vCPU, and the guest is answered, so late"};
  Fault refuse_open{"refuse-open", Fault::Unit::Next, "an opened channel is refused"};
  Fault break_ring{"break-ring", Fault::Unit::Next,
                   "a channel's ring to the guest makes no sense any more, once it was answered"};
  Fault read_error{"read-error", Fault::Unit::Every,
                   "a read of a disk fails by a medium error, with sense data 03/11"};
  Fault read_error_silent{"read-error-silent", Fault::Unit::Every,
                          "a read of a disk fails, and no sense data say why"};
  Fault rsc_stale_sum{"rsc-stale-sum", Fault::Unit::Switch,
                      "joined IPv4 frames (RSC) bear a stale header checksum, and say so"};

  std::span<Fault* const> all() const { return all_; }
  /// nullptr: there is none of that name.
  Fault* find(std::string_view name) const;

  /// Sets by a text, "NAME=VALUE[,device=NAME]". Returns what is wrong with it; empty: nothing.
  std::string set(std::string_view text);
  /// The same in parts.
  std::string set(std::string_view name, int64_t value, std::string_view device);
  /// For people: a line for each fault, with its name and what its value means.
  std::string help() const;

 private:
  const std::array<Fault*, 6> all_{&modify_delay, &refuse_open,       &break_ring,
                                   &read_error,   &read_error_silent, &rsc_stale_sum};
};

/// What a value of that unit is, as "N: ...".
const char* meaning(Fault::Unit unit);

}  // namespace hv::host
