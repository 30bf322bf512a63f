// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include "core/storvsc/dialect.hpp"
#include "core/vmbus/lifecycle.hpp"

namespace hv::storvsc {

/// The life of a controller. Commands wait for it no longer than for an answer. The host writes
/// into the memory of commands: one that has not let go of it is never spoken to again.
inline constexpr vmbus::Lifecycle::Policy kLife{
    .patience = kRequestSeconds * 1000, .most_breaks = 8, .must_let_go = true};

}  // namespace hv::storvsc
