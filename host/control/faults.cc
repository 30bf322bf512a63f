// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/control/faults.hpp"

namespace hv::host::control {
namespace {

using nlohmann::json;

json status_of(const Fault& fault) {
  const Fault::Status status = fault.status();
  json out = {{"name", fault.name()},
              {"what", fault.help()},
              {"values", meaning(fault.unit())},
              {"value", status.value},
              {"struck", status.struck}};
  if (!status.device.empty()) out["device"] = status.device;
  return out;
}

}  // namespace

void add_fault_methods(Methods& methods, Faults& faults) {
  methods.add("fault.set", "something that real hosts do wrong happens from now on, or no more",
              {{"name", ParameterType::String, true, "as fault.list says"},
               {"value", ParameterType::Integer, true, "0: off; else as fault.list says"},
               {"device", ParameterType::String, false,
                "only with the devices whose name begins so; default: with all"}},
              [&faults](const json& params) {
                const auto name = params.at("name").get<std::string>();
                const std::string wrong = faults.set(name, params.at("value").get<int64_t>(),
                                                     params.value("device", std::string()));
                if (!wrong.empty()) throw RpcFailure(wrong);
                return status_of(*faults.find(name));
              });
  methods.add("fault.list", "the faults of this host, and how often each has struck", {},
              [&faults](const json&) {
                json out = json::array();
                for (const Fault* fault : faults.all()) out.push_back(status_of(*fault));
                return out;
              });
}

}  // namespace hv::host::control
