// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace hv::host::control {

/// A method failed; `what` goes to the caller as it is. Methods throw it.
class RpcFailure : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

enum class ParameterType { String, Integer, Boolean, Any };

struct Parameter {
  std::string name;
  ParameterType type;
  bool required;
  std::string help;
};

/// Gets an object that holds only declared parameters, of their types, and all required ones.
using Handler = std::function<nlohmann::json(const nlohmann::json& params)>;

/// JSON-RPC 2.0 methods by name; `help` (also `rpc.help`) lists them. Used by one thread at a time.
class Methods {
 public:
  Methods();
  void add(const std::string& name, std::string help, std::vector<Parameter> parameters,
           Handler handler);

  /// Answers one request or batch, a JSON text. Empty: nothing to answer (notifications). Never
  /// throws because of `text`.
  std::string answer(std::string_view text);

 private:
  struct Method {
    std::string help;
    std::vector<Parameter> parameters;
    Handler handler;
  };
  nlohmann::json answer_one(const nlohmann::json& request);
  nlohmann::json list() const;

  std::map<std::string, Method> methods_;
};

/// An error answer without an id, for what was not even a request. Codes as JSON-RPC 2.0 says.
std::string error_answer(int code, const std::string& message);
inline constexpr int kParseError = -32700;
inline constexpr int kInvalidRequest = -32600;
inline constexpr int kMethodNotFound = -32601;
inline constexpr int kInvalidParams = -32602;
inline constexpr int kInternalError = -32603;
inline constexpr int kMethodFailed = -32000;

}  // namespace hv::host::control
