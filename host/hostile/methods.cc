// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/hostile/methods.hpp"

namespace hv::host::hostile {
namespace {

using control::ParameterType;
using nlohmann::json;

json status(const Intent& intent) {
  json out = {{"evil", intent.evil()}, {"seed", intent.seed()}, {"rate", intent.rate()}};
  for (size_t i = 0; i < static_cast<size_t>(Deed::Count); i++) {
    const auto deed = static_cast<Deed>(i);
    out[name(deed)] = intent.deeds(deed);
  }
  return out;
}

}  // namespace

void add_hostile_methods(control::Methods& methods, Intent& intent, const Plan& plan) {
  methods.add("hostile.start", "from now on the host lies to the guest",
              {{"seed", ParameterType::Integer, false, "default: that of --hostile"},
               {"rate", ParameterType::Integer, false,
                "per mille of what passes by; default: that of --hostile"}},
              [&intent, plan](const json& params) {
                const auto seed = params.value("seed", static_cast<int64_t>(plan.seed));
                const auto rate = params.value("rate", int64_t{plan.rate});
                if (rate < 0 || rate > 1000)
                  throw control::RpcFailure("rate: give 0 to 1000 per mille");
                intent.start(static_cast<uint64_t>(seed), static_cast<uint32_t>(rate));
                return status(intent);
              });
  methods.add("hostile.stop", "the host is honest again", {}, [&intent](const json&) {
    intent.stop();
    return status(intent);
  });
  methods.add("hostile.status", "whether the host lies, and what it has done", {},
              [&intent](const json&) { return status(intent); });
}

}  // namespace hv::host::hostile
