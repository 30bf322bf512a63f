// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include "core/wire/messages.hpp"

namespace hv::test {

/// `table` without the rows of a message.
template <typename Row, size_t N>
constexpr std::array<Row, N> without(std::array<Row, N> table, wire::Sender sender,
                                     typename Row::Type type) {
  for (Row& row : table) {
    if (row.sender == sender && row.type == type) row = {};
  }
  return table;
}

}  // namespace hv::test
