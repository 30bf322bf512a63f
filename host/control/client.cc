// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/control/client.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ostream>
#include <stdexcept>

#include "host/control/address.hpp"

namespace hv::host::control {
namespace {

using nlohmann::json;

class Connection {
 public:
  explicit Connection(const std::string& path) {
    const auto address = socket_address(path);
    if (!address) throw std::runtime_error("the path is empty or longer than 107 bytes");
    fd_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd_ < 0) throw std::runtime_error(std::strerror(errno));
    if (::connect(fd_, reinterpret_cast<const sockaddr*>(&*address), sizeof(*address)) != 0) {
      const int error = errno;
      ::close(fd_);
      if (error == ENOENT)
        throw std::runtime_error("there is no such socket: is the host running with --control?");
      if (error == ECONNREFUSED) throw std::runtime_error("nobody serves it: the host has ended");
      throw std::runtime_error(std::strerror(error));
    }
  }
  ~Connection() { ::close(fd_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  std::string ask(std::string request) {
    request += '\n';
    for (size_t sent = 0; sent < request.size();) {
      const ssize_t count = ::send(fd_, request.data() + sent, request.size() - sent, MSG_NOSIGNAL);
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) throw std::runtime_error(std::strerror(errno));
      sent += static_cast<size_t>(count);
    }
    std::string answer;
    char buffer[65536];
    while (answer.find('\n') == std::string::npos) {
      const ssize_t count = ::recv(fd_, buffer, sizeof(buffer), 0);
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) throw std::runtime_error(std::strerror(errno));
      if (count == 0) {
        if (!answer.empty()) break;
        throw std::runtime_error("the host ended before it answered");
      }
      answer.append(buffer, static_cast<size_t>(count));
    }
    return answer;
  }

 private:
  int fd_ = -1;
};

/// A word on the command line is JSON where it can be, else text; and text where text is wanted: a
/// disk may have the name null, or 1e3.
json value_of(const std::string& text, bool wants_text) {
  const json value = json::parse(text, nullptr, false);
  if (value.is_discarded()) return text;
  return wants_text && !value.is_string() ? json(text) : value;
}

bool wants_text(const json& parameters, const std::string& key) {
  return std::any_of(parameters.begin(), parameters.end(), [&key](const json& parameter) {
    return parameter.is_object() && parameter.value("name", json()) == key &&
           parameter.value("type", json()) == "string";
  });
}

/// What `help` says of the method's parameters: a list of objects with name and type.
json parameters_of(const json& help, const std::string& method) {
  if (!help.is_object() || !help.contains("result")) return json::array();
  for (const json& one : help["result"]) {
    if (one.is_object() && one.value("method", json()) == method)
      return one.value("parameters", json::array());
  }
  return json::array();
}

}  // namespace

json parse_params(const std::vector<std::string>& words, const json& parameters) {
  if (words.size() == 1 && (words[0].starts_with('{') || words[0].starts_with('['))) {
    json whole = json::parse(words[0], nullptr, false);
    if (whole.is_discarded()) throw std::invalid_argument("'" + words[0] + "' is not JSON");
    return whole;
  }
  json params = json::object();
  for (const auto& word : words) {
    const size_t equals = word.find('=');
    const std::string key = word.substr(0, equals);
    if (key.empty()) throw std::invalid_argument("'" + word + "': give key=value");
    if (params.contains(key)) throw std::invalid_argument("'" + key + "' is given twice");
    params[key] = equals == std::string::npos
                      ? json(true)
                      : value_of(word.substr(equals + 1), wants_text(parameters, key));
  }
  return params;
}

int run_client(const ClientOptions& options, std::ostream& out, std::ostream& err) {
  const auto complain = [&err](const std::string& what) {
    err << "enlighten-host ctl: " << what << "\n";
  };
  if (options.words.empty()) {
    complain("give a method; 'help' lists them");
    return 2;
  }
  const std::string& method = options.words[0];
  const std::vector<std::string> words(options.words.begin() + 1, options.words.end());
  json request = {{"jsonrpc", "2.0"}, {"id", 1}, {"method", method}};
  try {
    request["params"] = parse_params(words);
    (void)request.dump();
  } catch (const std::invalid_argument& error) {
    complain(error.what());
    return 2;
  } catch (const json::exception&) {
    complain("the words must be UTF-8");
    return 2;
  }
  json answer;
  try {
    Connection connection(options.socket);
    if (request["params"].is_object() && !request["params"].empty()) {
      const json help = {{"jsonrpc", "2.0"}, {"id", 0}, {"method", "help"}};
      request["params"] = parse_params(
          words, parameters_of(json::parse(connection.ask(help.dump()), nullptr, false), method));
    }
    answer = json::parse(connection.ask(request.dump()), nullptr, false);
  } catch (const std::runtime_error& error) {
    complain("control socket " + options.socket + ": " + error.what());
    return 1;
  }
  if (answer.is_object() && answer.contains("error") && answer["error"].is_object()) {
    const json& error = answer["error"];
    complain(error.contains("message") && error["message"].is_string()
                 ? error["message"].get<std::string>()
                 : error.dump());
    return 1;
  }
  if (!answer.is_object() || !answer.contains("result")) {
    complain("control socket " + options.socket + ": what answers there does not speak JSON-RPC");
    return 1;
  }
  out << (options.people ? table(answer["result"]) : answer["result"].dump(2) + "\n");
  return 0;
}

}  // namespace hv::host::control
