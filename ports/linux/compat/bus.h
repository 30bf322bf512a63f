/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What differs between the kernels we build for (6.1 and 6.12), and nothing else.
 * Every file sees this, so it includes little: each header more may change CRCs.
 */
#ifndef HV_VMBUS_COMPAT_H
#define HV_VMBUS_COMPAT_H

#include <linux/version.h>
#include <linux/device.h>
#include <linux/hyperv.h>
#include <asm/mshyperv.h>

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)

/* The driver core keeps driver_override itself, and takes const pointers. */
#define HVB_CORE_DRIVER_OVERRIDE 1
#define HVB_HAVE_RING_SYSFS 1
/* A passed-through device may be used in a confidential machine. */
#define HVB_PCIE_IN_ISOLATION true
#define HVB_CONST const

/* In an interrupt: tells lockdep that with PREEMPT_RT a thread does that. */
#define hvb_as_if_threaded(call) do { \
	static DEFINE_WAIT_OVERRIDE_MAP(hvb_threaded, LD_WAIT_CONFIG); \
	lock_map_acquire_try(&hvb_threaded); \
	call; \
	lock_map_release(&hvb_threaded); \
} while (0)

static inline u64 hvb_get_msr(unsigned int reg)
{
	return hv_get_msr(reg);
}

static inline void hvb_set_msr(unsigned int reg, u64 value)
{
	hv_set_msr(reg, value);
}

#define HVB_MSR_SIMP HV_MSR_SIMP
#define HVB_MSR_SIEFP HV_MSR_SIEFP
#define HVB_MSR_SCONTROL HV_MSR_SCONTROL
#define HVB_MSR_SINT0 HV_MSR_SINT0
#define HVB_MSR_EOM HV_MSR_EOM
#define HVB_MSR_STIMER0_CONFIG HV_MSR_STIMER0_CONFIG
#define HVB_MSR_STIMER0_COUNT HV_MSR_STIMER0_COUNT

/* True when a paravisor owns the SynIC pages. */
static inline bool hvb_paravisor(void)
{
	return ms_hyperv.paravisor_present || hv_root_partition;
}

static inline bool hvb_tdx_paravisor(void)
{
	return ms_hyperv.paravisor_present && hv_isolation_type_tdx();
}

/* Encrypted memory, and no paravisor to hide that. */
static inline bool hvb_bare_isolation(void)
{
	return !ms_hyperv.paravisor_present &&
	       (hv_isolation_type_snp() || hv_isolation_type_tdx());
}

static inline bool hvb_unwanted_root(void)
{
	return hv_root_partition && !hv_nested;
}

static inline u8 hvb_vtl(void)
{
	return ms_hyperv.vtl;
}

static inline u64 hvb_tdx_call(u64 control, u64 a, u64 b)
{
	return hv_tdx_hypercall(control, a, b);
}

#else /* 6.1 */

#define HVB_CONST
#define hvb_as_if_threaded(call) do { \
	lockdep_hardirq_threaded(); \
	call; \
} while (0)
#define HVB_PCIE_IN_ISOLATION false

static inline u64 hvb_get_msr(unsigned int reg)
{
	return hv_get_register(reg);
}

static inline void hvb_set_msr(unsigned int reg, u64 value)
{
	hv_set_register(reg, value);
}

#define HVB_MSR_SIMP HV_REGISTER_SIMP
#define HVB_MSR_SIEFP HV_REGISTER_SIEFP
#define HVB_MSR_SCONTROL HV_REGISTER_SCONTROL
#define HVB_MSR_SINT0 HV_REGISTER_SINT0
#define HVB_MSR_EOM HV_REGISTER_EOM
#define HVB_MSR_STIMER0_CONFIG HV_REGISTER_STIMER0_CONFIG
#define HVB_MSR_STIMER0_COUNT HV_REGISTER_STIMER0_COUNT

static inline bool hvb_paravisor(void)
{
	return hv_isolation_type_snp();
}

static inline bool hvb_tdx_paravisor(void)
{
	return false;
}

static inline bool hvb_bare_isolation(void)
{
	return false;
}

static inline bool hvb_unwanted_root(void)
{
	return hv_root_partition;
}

static inline u8 hvb_vtl(void)
{
	return 0;
}

static inline u64 hvb_tdx_call(u64 control, u64 a, u64 b)
{
	return HV_STATUS_INVALID_PARAMETER;
}

#endif

#endif
