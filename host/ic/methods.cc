// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/ic/methods.hpp"

#include <fmt/format.h>

namespace hv::host::ic {
namespace {

using nlohmann::json;

std::string text(wire::ic::Version version) {
  return fmt::format("{}.{}", +version.major, +version.minor);
}

}  // namespace

void add_ic_methods(control::Methods& methods, const Heartbeat& heartbeat) {
  methods.add("heartbeat",
              "whether the guest answers: ok, lost, negotiating, refused (it speaks none of our "
              "versions), no contact",
              {}, [&heartbeat](const json&) {
                const HeartbeatStatus status = heartbeat.status();
                return json{
                    {"state", name(status.state)},     {"framework", text(status.framework)},
                    {"version", text(status.version)}, {"answered", status.answered},
                    {"missed", status.missed},         {"application", status.application}};
              });
}

}  // namespace hv::host::ic
