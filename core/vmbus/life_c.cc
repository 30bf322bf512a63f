// SPDX-License-Identifier: GPL-2.0-only OR MIT
// The face for C of a device's life: translation alone.
#include <new>

#include "core/vmbus/face.hpp"
#include "core/vmbus/lifecycle.hpp"
#include "core/vmbus/vmbus.h"

using hv::face::object;
using hv::vmbus::Lifecycle;

namespace {

Lifecycle& of(hv_life* life) { return object<Lifecycle>(life); }
const Lifecycle& of(const hv_life* life) { return object<Lifecycle>(life); }

static_assert(HV_LIFE_CLOSED == static_cast<int>(Lifecycle::State::Closed) &&
              HV_LIFE_OPENING == static_cast<int>(Lifecycle::State::Opening) &&
              HV_LIFE_RUNNING == static_cast<int>(Lifecycle::State::Running) &&
              HV_LIFE_BROKEN == static_cast<int>(Lifecycle::State::Broken) &&
              HV_LIFE_WAITING == static_cast<int>(Lifecycle::State::Waiting) &&
              HV_LIFE_SUSPENDED == static_cast<int>(Lifecycle::State::Suspended) &&
              HV_LIFE_GONE == static_cast<int>(Lifecycle::State::Gone));
static_assert(HV_LIFE_NEVER == Lifecycle::kNever);

}  // namespace

extern "C" {

void hv_life_create(hv_life* life) { new (life) Lifecycle(); }

enum hv_life_state hv_life_state(const hv_life* life) {
  return static_cast<enum hv_life_state>(of(life).state());
}

int hv_life_open(hv_life* life, uint64_t now) { return of(life).open(now); }
int hv_life_opened(hv_life* life, uint64_t now) { return of(life).opened(now); }
void hv_life_failed(hv_life* life, uint64_t now, int let_go) { of(life).failed(now, let_go != 0); }
int hv_life_broke(hv_life* life, uint64_t now) { return of(life).broke(now); }
int hv_life_broken(const hv_life* life) { return of(life).broken(); }
int hv_life_in_time(const hv_life* life, uint64_t now) { return of(life).in_time(now); }
void hv_life_closed(hv_life* life, uint64_t now, int let_go) { of(life).closed(now, let_go != 0); }
uint32_t hv_life_due(const hv_life* life, uint64_t now) { return of(life).due(now); }
void hv_life_suspended(hv_life* life) { of(life).suspended(); }
void hv_life_leave(hv_life* life) { of(life).leave(); }
}
