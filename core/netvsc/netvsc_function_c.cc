// SPDX-License-Identifier: GPL-2.0-only OR MIT
// The face for C of the virtual function: translation alone.
#include "core/netvsc/face.hpp"

using namespace hv::netvsc;
using namespace hv::netvsc::face;

namespace {

MacAddress mac_of(const uint8_t bytes[6]) {
  MacAddress mac;
  __builtin_memcpy(mac.data(), bytes, sizeof(mac));
  return mac;
}

static_assert(HV_NETVSC_NO_MATCH == static_cast<int>(FunctionMatch::None) &&
              HV_NETVSC_ADDRESS_MATCHES == static_cast<int>(FunctionMatch::Address));
static_assert(HV_NETVSC_SERIAL_MATCHES == static_cast<int>(FunctionMatch::Serial));

}  // namespace

extern "C" {

void hv_netvsc_function_create(hv_netvsc_function* function) { new (function) VirtualFunction(); }

void hv_netvsc_function_adopt(hv_netvsc_function* function, const uint8_t permanent[6]) {
  of(function).adopt(mac_of(permanent));
}

int hv_netvsc_function_match(const hv_netvsc_function* function,
                             const hv_netvsc_candidate* candidate) {
  const Candidate seen{
      .permanent = mac_of(candidate->permanent),
      .current = mac_of(candidate->address),
      .serial = candidate->has_serial ? std::optional(candidate->serial) : std::nullopt,
      .stand_in = candidate->stand_in != 0};
  return static_cast<int>(of(function).match(seen));
}

void hv_netvsc_function_opened(hv_netvsc_function* function, uint32_t version, int isolated) {
  of(function).opened(Dialect(static_cast<hv::wire::netvsc::Version>(version)), isolated != 0);
}

void hv_netvsc_function_closed(hv_netvsc_function* function) { of(function).closed(); }

void hv_netvsc_function_forget(hv_netvsc_function* function) { of(function).forget(); }

void hv_netvsc_function_associated(hv_netvsc_function* function, int allocated, uint32_t serial) {
  of(function).associated(allocated != 0, serial);
}

void hv_netvsc_function_joined(hv_netvsc_function* function) { of(function).joined(); }

void hv_netvsc_function_left(hv_netvsc_function* function) { of(function).left(); }

void hv_netvsc_function_up(hv_netvsc_function* function) { of(function).up(); }

void hv_netvsc_function_down(hv_netvsc_function* function) { of(function).down(); }

int hv_netvsc_function_begin(hv_netvsc_function* function, hv_netvsc_queue* queue) {
  const auto message = of(function).begin();
  if (!message) return 0;
  const auto sent = of(queue).sending().send_setup(*message);
  if (sent) return 1;
  of(function).unsent();
  return status_of(sent.error());
}

void hv_netvsc_function_answered(hv_netvsc_function* function) { of(function).answered(); }

void hv_netvsc_function_unanswered(hv_netvsc_function* function) { of(function).unanswered(); }

int hv_netvsc_function_carries(const hv_netvsc_function* function) {
  return of(function).carries();
}

int hv_netvsc_function_allocated(const hv_netvsc_function* function) {
  return of(function).allocated();
}

uint32_t hv_netvsc_function_serial(const hv_netvsc_function* function) {
  return of(function).serial();
}
}
