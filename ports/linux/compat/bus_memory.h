/* SPDX-License-Identifier: GPL-2.0-only */
/* As bus.h, of mapping memory that the host sees. */
#ifndef HV_VMBUS_COMPAT_MEMORY_H
#define HV_VMBUS_COMPAT_MEMORY_H

#include <linux/io.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "compat/bus.h"

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)

static inline void *hvb_map_synic_page(u64 gpa)
{
	gpa &= ~ms_hyperv.shared_gpa_boundary;
	return (void __force *)ioremap_cache(gpa, HV_HYP_PAGE_SIZE);
}

static inline void hvb_unmap_synic_page(void *page)
{
	iounmap((void __iomem __force *)page);
}

static inline void *hvb_vmap(struct page **pages, u32 count)
{
	return vmap(pages, count, VM_MAP, pgprot_decrypted(PAGE_KERNEL));
}

#else /* 6.1 */

static inline void *hvb_map_synic_page(u64 gpa)
{
	return memremap(gpa, HV_HYP_PAGE_SIZE, MEMREMAP_WB);
}

static inline void hvb_unmap_synic_page(void *page)
{
	memunmap(page);
}

/* Of an SEV-SNP machine the host sees what lies above the boundary. */
static inline void *hvb_vmap(struct page **pages, u32 count)
{
	unsigned long *frames;
	void *memory;
	u32 i;

	if (!hv_isolation_type_snp())
		return vmap(pages, count, VM_MAP, PAGE_KERNEL);

	frames = kvmalloc_array(count, sizeof(*frames), GFP_KERNEL);
	if (!frames)
		return NULL;
	for (i = 0; i < count; i++)
		frames[i] = page_to_pfn(pages[i]) + PFN_DOWN(ms_hyperv.shared_gpa_boundary);
	memory = vmap_pfn(frames, count, PAGE_KERNEL);
	kvfree(frames);
	return memory;
}

#endif

#endif
