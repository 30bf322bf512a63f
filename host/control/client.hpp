// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <iosfwd>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace hv::host::control {

/// The parameters that words of a command line say: one JSON object or array, or key=value words (a
/// value is JSON if it reads as a number, true, false, null, an array, an object or a quoted
/// string; else it is text; a word alone is key=true). Where the method's `parameters`, as `help`
/// lists them, want a string, a value is text unless it is a quoted string. Throws
/// std::invalid_argument naming the word.
nlohmann::json parse_params(const std::vector<std::string>& words,
                            const nlohmann::json& parameters = nlohmann::json::array());

/// A result for people: tables for lists of objects, lines for the rest.
std::string table(const nlohmann::json& result);

struct ClientOptions {
  std::string socket;
  std::vector<std::string> words;  ///< the method, then its parameters
  bool people = false;             ///< a table instead of JSON
};

/// `enlighten-host ctl`. Exit status: 0, 1 (the host cannot be reached or the method failed), 2 (a
/// wrong command line).
int run_client(const ClientOptions& options, std::ostream& out, std::ostream& err);

}  // namespace hv::host::control
