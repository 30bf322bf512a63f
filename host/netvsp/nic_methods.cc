// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/netvsp/nic_methods.hpp"

#include <functional>
#include <utility>

namespace hv::host::netvsp {
namespace {

using control::ParameterType;
using nlohmann::json;

/// What goes wrong with a NIC is an answer, with its text.
control::Handler guarded(std::function<json(const json&)> handler) {
  return [handler = std::move(handler)](const json& params) {
    try {
      return handler(params);
    } catch (const NicError& error) {
      throw control::RpcFailure(error.what());
    } catch (const NetError& error) {
      throw control::RpcFailure(error.what());
    }
  };
}

}  // namespace

void add_nic_methods(control::Methods& methods, NicManager& nics) {
  methods.add("nic.list", "the network adapters, with counters (sent: by the guest)", {},
              guarded([&nics](const json&) { return nics.list(); }));
  methods.add("nic.add", "adds a network adapter while the guest runs",
              {{"net", ParameterType::String, true,
                "user, tap=INTERFACE, null or echo; more as on the command line: user,queues=2"},
               {"name", ParameterType::String, false, "for the other methods; default nicN"},
               {"forward", ParameterType::String, false, "with user: tcp:127.0.0.1:2222-:22"}},
              guarded([&nics](const json& params) {
                NicSpec spec = parse_nic(params.at("net").get<std::string>());
                if (const auto name = params.find("name"); name != params.end())
                  spec.name = name->get<std::string>();
                if (const auto forward = params.find("forward"); forward != params.end())
                  spec.forwards.push_back(parse_forward(forward->get<std::string>()));
                return json{{"name", nics.add(spec)}};
              }));
  methods.add("nic.remove", "takes a network adapter away",
              {{"name", ParameterType::String, true, "as nic.list says"}},
              guarded([&nics](const json& params) {
                nics.remove(params.at("name").get<std::string>());
                return json::object();
              }));
  methods.add("nic.link", "pulls the cable of a network adapter, or puts it in again",
              {{"name", ParameterType::String, true, "as nic.list says"},
               {"up", ParameterType::Boolean, true, "true or false"}},
              guarded([&nics](const json& params) {
                nics.set_link(params.at("name").get<std::string>(), params.at("up").get<bool>());
                return json::object();
              }));
  methods.add("nic.vf",
              "tells the guest of a virtual function of a network adapter (the function itself is "
              "not offered here), or that it is gone",
              {{"name", ParameterType::String, true, "as nic.list says"},
               {"present", ParameterType::Boolean, true, "true or false"},
               {"serial", ParameterType::Integer, false, "of its slot; default 1"}},
              guarded([&nics](const json& params) {
                const int64_t serial = params.value("serial", int64_t{1});
                if (serial < 0 || serial > 0xffffffff)
                  throw NicError("serial: give a number of 32 bits");
                nics.set_function(params.at("name").get<std::string>(),
                                  params.at("present").get<bool>()
                                      ? std::optional(static_cast<uint32_t>(serial))
                                      : std::nullopt);
                return json::object();
              }));
}

}  // namespace hv::host::netvsp
