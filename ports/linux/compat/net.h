/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ENLIGHTEN_COMPAT_NET_H
#define ENLIGHTEN_COMPAT_NET_H

/* Where the network stack differs between the kernels that hv_netvsc is built for. */
#include "compat/driver.h"

/* RSS is asked for and set by one structure. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 8, 0)
#define HV_RXFH_PARAM
#endif

/* Interfaces say what XDP they can do. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
#define HV_XDP_FEATURES
#endif

/* An interface without addresses of its own says so; before, each slave was one. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
#define HV_NO_ADDRCONF IFF_NO_ADDRCONF
#else
#define HV_NO_ADDRCONF 0
#endif

/* The bus does not give the memory that it shares with a host in a confidential machine a view. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 6, 0)
#define HV_SNP_NEEDS_VIEW
#endif

#endif
