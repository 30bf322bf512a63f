// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <algorithm>
#include <map>

#include "host/control/client.hpp"

namespace hv::host::control {
namespace {

using nlohmann::json;
using Row = std::map<std::string, std::string>;

bool list_of_objects(const json& value) {
  return value.is_array() && !value.empty() &&
         std::ranges::all_of(value, [](const json& entry) { return entry.is_object(); });
}

std::string scalar(const json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_null()) return "-";
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  return value.dump();
}

class Table {
 public:
  void add(const json& object) {
    Row own;
    const json* nested = nullptr;
    for (const auto& [key, value] : object.items()) {
      if (list_of_objects(value) && nested == nullptr) {
        nested = &value;
      } else if (!value.is_array() || !value.empty()) {
        cell(own, key, value);
      }
    }
    if (nested == nullptr) return rows_.push_back(own);
    // What an object holds stands beside it, a line each.
    for (const auto& inner : *nested) {
      for (const auto& [key, value] : inner.items()) cell(own, key, value);
      rows_.push_back(own);
      own.clear();
    }
  }

  std::string text() const {
    std::string out;
    line(
        out, [](const std::string& column, const Row*) { return column; }, nullptr);
    for (const auto& row : rows_) {
      line(
          out,
          [](const std::string& column, const Row* cells) {
            const auto at = cells->find(column);
            return at == cells->end() ? std::string() : at->second;
          },
          &row);
    }
    return out;
  }

 private:
  void cell(Row& row, const std::string& key, const json& value) {
    if (std::ranges::find(columns_, key) == columns_.end()) columns_.push_back(key);
    row[key] = scalar(value);
    size_t& width = width_[key];
    width = std::max({width, key.size(), row[key].size()});
  }
  template <typename Text>
  void line(std::string& out, Text text, const Row* row) const {
    std::string one;
    for (const auto& column : columns_) {
      std::string word = text(column, row);
      word.resize(std::max(word.size(), width_.at(column)), ' ');
      one += word + "  ";
    }
    one.erase(one.find_last_not_of(' ') + 1);
    out += one + "\n";
  }

  std::vector<std::string> columns_;
  std::map<std::string, size_t> width_;
  std::vector<Row> rows_;
};

std::string rows(const json& list) {
  Table table;
  for (const auto& entry : list) table.add(entry);
  return table.text();
}

}  // namespace

std::string table(const json& result) {
  if (list_of_objects(result)) return rows(result);
  if (!result.is_object()) return scalar(result) + "\n";
  std::string lines;
  std::string lists;
  for (const auto& [key, value] : result.items()) {
    if (list_of_objects(value)) {
      lists += "\n" + rows(value);
    } else {
      lines += key + ": " + scalar(value) + "\n";
    }
  }
  if (lines.empty() && !lists.empty()) lists.erase(0, 1);
  return lines + lists;
}

}  // namespace hv::host::control
