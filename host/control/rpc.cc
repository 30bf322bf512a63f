// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/control/rpc.hpp"

#include <algorithm>
#include <cstdint>

namespace hv::host::control {
namespace {

using nlohmann::json;

class BadParams : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

json error_object(int code, const std::string& message, json id) {
  return {
      {"jsonrpc", "2.0"}, {"error", {{"code", code}, {"message", message}}}, {"id", std::move(id)}};
}

std::string dump(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

/// Whether arrays and objects are nested deeper than any request needs: copying a value recurses.
bool nested_too_deeply(std::string_view text) {
  constexpr int kDepthLimit = 64;
  int depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); i++) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') i++;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > kDepthLimit) return true;
    } else if (c == ']' || c == '}') {
      depth--;
    }
  }
  return false;
}

const char* type_name(ParameterType type) {
  switch (type) {
    case ParameterType::String:
      return "string";
    case ParameterType::Integer:
      return "integer";
    case ParameterType::Boolean:
      return "boolean";
    case ParameterType::Any:
      return "any";
  }
  return "any";
}

/// `value` as the type declared: what stands on a command line as 7 may be meant as the name "7".
json fit(const Parameter& parameter, const json& value) {
  switch (parameter.type) {
    case ParameterType::String:
      if (value.is_string()) return value;
      if (value.is_number() || value.is_boolean()) return value.dump();
      break;
    case ParameterType::Integer:
      if (value.is_number_unsigned() && value.get<uint64_t>() > static_cast<uint64_t>(INT64_MAX))
        break;
      if (value.is_number_integer()) return value;
      break;
    case ParameterType::Boolean:
      if (value.is_boolean()) return value;
      if (value.is_number_integer() && (value == 0 || value == 1)) return value == 1;
      break;
    case ParameterType::Any:
      return value;
  }
  throw BadParams("'" + parameter.name + "' must be of type " + type_name(parameter.type));
}

json check_params(const std::vector<Parameter>& parameters, const json& given) {
  json params = json::object();
  if (given.is_array()) {
    if (given.size() > parameters.size()) throw BadParams("too many parameters");
    for (size_t i = 0; i < given.size(); i++)
      params[parameters[i].name] = fit(parameters[i], given[i]);
  } else if (given.is_object()) {
    for (const auto& [name, value] : given.items()) {
      const auto at = std::ranges::find(parameters, name, &Parameter::name);
      if (at == parameters.end()) throw BadParams("there is no parameter '" + name + "'");
      params[name] = fit(*at, value);
    }
  } else if (!given.is_null()) {
    throw BadParams("parameters must be an object or an array");
  }
  for (const auto& parameter : parameters) {
    if (parameter.required && !params.contains(parameter.name))
      throw BadParams("'" + parameter.name + "' is missing");
  }
  return params;
}

}  // namespace

std::string error_answer(int code, const std::string& message) {
  return dump(error_object(code, message, nullptr));
}

Methods::Methods() {
  for (const char* name : {"help", "rpc.help"}) {
    add(name, "lists the methods", {}, [this](const json&) { return list(); });
  }
}

void Methods::add(const std::string& name, std::string help, std::vector<Parameter> parameters,
                  Handler handler) {
  methods_[name] = {std::move(help), std::move(parameters), std::move(handler)};
}

json Methods::list() const {
  json all = json::array();
  for (const auto& [name, method] : methods_) {
    if (name == "rpc.help") continue;
    json parameters = json::array();
    for (const auto& parameter : method.parameters) {
      parameters.push_back({{"name", parameter.name},
                            {"type", type_name(parameter.type)},
                            {"required", parameter.required},
                            {"about", parameter.help}});
    }
    all.push_back({{"method", name}, {"help", method.help}, {"parameters", std::move(parameters)}});
  }
  return all;
}

/// Null for a notification.
json Methods::answer_one(const json& request) {
  if (!request.is_object())
    return error_object(kInvalidRequest, "a request must be an object", nullptr);
  const bool notification = !request.contains("id");
  json id = notification ? json() : request["id"];
  if (!id.is_null() && !id.is_string() && !id.is_number()) {
    return error_object(kInvalidRequest, "the id must be a string or a number", nullptr);
  }
  const auto version = request.find("jsonrpc");
  if (version == request.end() || *version != "2.0")
    return error_object(kInvalidRequest, "\"jsonrpc\" must be \"2.0\"", id);
  const auto name = request.find("method");
  if (name == request.end() || !name->is_string())
    return error_object(kInvalidRequest, "\"method\" must be a string", id);

  const auto refuse = [&](int code, const std::string& message) {
    return notification ? json() : error_object(code, message, id);
  };
  const auto method = methods_.find(name->get<std::string>());
  if (method == methods_.end()) {
    return refuse(kMethodNotFound,
                  "there is no method '" + name->get<std::string>() + "': 'help' lists them");
  }
  try {
    const json params = check_params(method->second.parameters, request.value("params", json()));
    json result = method->second.handler(params);
    if (notification) return {};
    return {{"jsonrpc", "2.0"}, {"result", std::move(result)}, {"id", std::move(id)}};
  } catch (const BadParams& error) {
    return refuse(kInvalidParams, method->first + ": " + error.what());
  } catch (const RpcFailure& error) {
    return refuse(kMethodFailed, error.what());
  } catch (const std::exception& error) {
    return refuse(kInternalError, method->first + ": " + error.what());
  }
}

std::string Methods::answer(std::string_view text) {
  if (nested_too_deeply(text)) return error_answer(kParseError, "nested too deeply");
  const json request = json::parse(text, nullptr, false);
  if (request.is_discarded()) return error_answer(kParseError, "this is not JSON");
  if (!request.is_array()) {
    const json one = answer_one(request);
    return one.is_null() ? std::string() : dump(one);
  }
  if (request.empty()) return error_answer(kInvalidRequest, "an empty batch");
  json answers = json::array();
  for (const auto& single : request) {
    if (json one = answer_one(single); !one.is_null()) answers.push_back(std::move(one));
  }
  return answers.empty() ? std::string() : dump(answers);
}

}  // namespace hv::host::control
