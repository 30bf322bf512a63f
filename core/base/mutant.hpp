// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

/// HV_MUTANT(n) brings known bug number n back, so that the simulator can prove that it would be
/// caught. False, and gone, in every build but the simulator's (HV_MUTANTS).
#ifdef HV_MUTANTS
extern "C" int hv_mutant;
#define HV_MUTANT(n) (hv_mutant == (n))
/// A turn of a loop that a mutant makes endless: the simulator counts them.
extern "C" void hv_mutant_turn(void);
#define HV_MUTANT_TURN() hv_mutant_turn()
#else
#define HV_MUTANT(n) false
#define HV_MUTANT_TURN() static_cast<void>(0)
#endif
