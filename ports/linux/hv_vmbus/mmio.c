// SPDX-License-Identifier: GPL-2.0-only
/*
 * The windows of memory-mapped I/O that ACPI gives to the bus, and their
 * allocation to PCI pass-through and video.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "api_drv.h"

/* Windows below are for old hardware. */
#define LOWEST_END SZ_1M
/* A window may be said to reach over the virtual TPM; it does not. */
#define VTPM_BASE 0xfed40000
#define LEAST_FRAMEBUFFER SZ_1M
#define EFI_LEAST_FRAMEBUFFER SZ_8M
#define MOST_FRAMEBUFFER SZ_128M

/* The windows, by address, chained by ->sibling; what is taken of one hangs below it. */
static struct resource *windows;
static struct resource *framebuffer;
static DEFINE_MUTEX(mmio_mutex);

/*
 * Puts a window into its place, or makes a neighbour larger. What is there already
 * stays. 0 or -ENOMEM.
 */
static int add_window(resource_size_t start, resource_size_t end)
{
	struct resource **place = &windows;
	struct resource *window;

	while (*place && (*place)->end < start && (*place)->end + 1 != start)
		place = &(*place)->sibling;

	if (*place && (*place)->start <= end && (*place)->end >= start)
		return 0;
	if (*place && (*place)->end + 1 == start) {
		(*place)->end = end;
		return 0;
	}
	if (*place && end + 1 == (*place)->start) {
		(*place)->start = start;
		return 0;
	}

	window = kzalloc(sizeof(*window), GFP_KERNEL);
	if (!window)
		return -ENOMEM;
	window->name = "hyperv mmio";
	window->flags = IORESOURCE_MEM;
	window->start = start;
	window->end = end;
	window->sibling = *place;
	*place = window;
	return 0;
}

/* Address descriptors are windows; memory descriptors are registers, and not for us. */
static acpi_status walk_resource(struct acpi_resource *res, void *context)
{
	resource_size_t start;
	resource_size_t end;

	switch (res->type) {
	case ACPI_RESOURCE_TYPE_ADDRESS32:
		start = res->data.address32.address.minimum;
		end = res->data.address32.address.maximum;
		break;
	case ACPI_RESOURCE_TYPE_ADDRESS64:
		start = res->data.address64.address.minimum;
		end = res->data.address64.address.maximum;
		break;
	default:
		return AE_OK;
	}
	if (end < LOWEST_END || end < start)
		return AE_OK;
	if (start < VTPM_BASE && end >= VTPM_BASE)
		end = VTPM_BASE - 1;
	return add_window(start, end) ? AE_NO_MEMORY : AE_OK;
}

/* Where the framebuffer is, and how much to keep free there at most. 0: unknown. */
static resource_size_t find_framebuffer(resource_size_t *size)
{
	resource_size_t start = 0;
	struct pci_dev *video;

	if (efi_enabled(EFI_BOOT)) {
		resource_size_t lowest = windows->start;

		start = screen_info.lfb_base;
		*size = max_t(resource_size_t, screen_info.lfb_size, EFI_LEAST_FRAMEBUFFER);
		if (!lowest || upper_32_bits(lowest) || (start && start < lowest)) {
			pr_warn("Unexpected low mmio base %pa\n", &lowest);
			return start;
		}
		/*
		 * After a kexec, and in confidential machines, nobody says where: then at the
		 * bottom.
		 */
		if (!start)
			start = lowest;
		/* Half of what is left below 4 GB, for the resolutions to come. */
		if (start < SZ_4G)
			*size = min_t(resource_size_t, (SZ_4G - start) / 2, MOST_FRAMEBUFFER);
		return start;
	}

	video = pci_get_device(PCI_VENDOR_ID_MICROSOFT, PCI_DEVICE_ID_HYPERV_VIDEO, NULL);
	if (!video)
		return 0;
	if (pci_resource_flags(video, 0) & IORESOURCE_MEM) {
		start = pci_resource_start(video, 0);
		*size = pci_resource_len(video, 0);
	}
	pci_dev_put(video);
	if (!start)
		pr_warn("Unexpected framebuffer mmio base of zero\n");
	return start;
}

/* Keeps the framebuffer's place for it. Its size is only guessed: as much of it as is free. */
static void reserve_framebuffer(void)
{
	resource_size_t size = 0;
	resource_size_t start = find_framebuffer(&size);

	if (!start)
		return;
	for (; !framebuffer && size >= LEAST_FRAMEBUFFER; size >>= 1)
		framebuffer = __request_region(windows, start, size, "fb_range", 0);
	pr_info("hv_mmio=%pR,%pR fb=%pR\n", windows, windows->sibling, framebuffer);
}

/* The windows are on the device, and on the nearest one above it that has any. */
int hvb_mmio_init(struct acpi_device *device)
{
	acpi_handle handle = device->handle;
	struct acpi_device *above;

	if (ACPI_FAILURE(acpi_walk_resources(handle, METHOD_NAME__CRS, walk_resource, NULL)))
		pr_debug("no resources on the bus device itself\n");

	for (above = acpi_dev_parent(device);
	     above && above->handle != ACPI_ROOT_OBJECT; above = acpi_dev_parent(above)) {
		acpi_walk_resources(above->handle, METHOD_NAME__CRS, walk_resource, NULL);
		if (windows) {
			reserve_framebuffer();
			break;
		}
	}
	return 0;
}

void hvb_mmio_exit(void)
{
	struct resource *next;

	if (framebuffer)
		__release_region(windows, framebuffer->start, resource_size(framebuffer));
	framebuffer = NULL;
	for (; windows; windows = next) {
		next = windows->sibling;
		kfree(windows);
	}
}

static bool overlaps_framebuffer(resource_size_t start, resource_size_t end)
{
	return framebuffer && start <= framebuffer->end && end >= framebuffer->start;
}

/* The first aligned place in [low, high] that claim() gets; false when none is left. */
static bool find_place(resource_size_t low, resource_size_t high, resource_size_t size,
		       resource_size_t align,
		       bool (*claim)(resource_size_t start, void *context), void *context)
{
	resource_size_t start = ALIGN(low, align);

	for (; start >= low && start + size - 1 >= start && start + size - 1 <= high;
	     start += align)
		if (claim(start, context))
			return true;
	return false;
}

struct wish {
	struct resource *window;
	resource_size_t size;
	bool spare_framebuffer;
	const char *name;
	struct resource *got;
};

static bool claim_in_framebuffer(resource_size_t start, void *context)
{
	struct wish *wish = context;

	/* The place is taken in the window already, for just this. */
	wish->got = request_mem_region_exclusive(start, wish->size, wish->name);
	return wish->got;
}

static bool claim_in_window(resource_size_t start, void *context)
{
	struct wish *wish = context;
	struct resource *shadow;

	if (wish->spare_framebuffer && overlaps_framebuffer(start, start + wish->size - 1))
		return false;
	shadow = __request_region(wish->window, start, wish->size, NULL, IORESOURCE_BUSY);
	if (!shadow)
		return false;
	wish->got = request_mem_region_exclusive(start, wish->size, wish->name);
	if (!wish->got) {
		__release_region(wish->window, start, wish->size);
		return false;
	}
	shadow->name = (char *)wish->got;
	return true;
}

/**
 * vmbus_allocate_mmio() - find room for a device's registers or memory
 * @new: what was found
 * @device_obj: for whom
 * @min: lowest address that will do
 * @max: highest address that will do
 * @size: bytes
 * @align: of the start, a power of two
 * @fb_overlap_ok: it is the framebuffer itself, and may lie where that is kept free
 *
 * Return: 0 or -ENXIO.
 * Context: process.
 */
int vmbus_allocate_mmio(struct resource **new, struct hv_device *device_obj,
			resource_size_t min, resource_size_t max,
			resource_size_t size, resource_size_t align,
			bool fb_overlap_ok)
{
	struct wish wish = {
		.size = size,
		.spare_framebuffer = !fb_overlap_ok,
		.name = dev_name(&device_obj->device),
	};

	if (!size || !is_power_of_2(align))
		return -ENXIO;

	mutex_lock(&mmio_mutex);
	if (fb_overlap_ok && framebuffer && min <= framebuffer->end && max >= framebuffer->start)
		find_place(framebuffer->start, framebuffer->end, size, align,
			   claim_in_framebuffer, &wish);
	for (wish.window = windows; wish.window && !wish.got; wish.window = wish.window->sibling)
		if (wish.window->start < max && wish.window->end > min)
			find_place(wish.window->start, wish.window->end, size, align,
				   claim_in_window, &wish);
	mutex_unlock(&mmio_mutex);

	if (!wish.got)
		return -ENXIO;
	*new = wish.got;
	return 0;
}
EXPORT_SYMBOL_GPL(vmbus_allocate_mmio);

/**
 * vmbus_free_mmio() - give back what vmbus_allocate_mmio() found
 * @start: its start
 * @size: its bytes
 *
 * Context: process.
 */
void vmbus_free_mmio(resource_size_t start, resource_size_t size)
{
	resource_size_t end = start + size - 1;
	struct resource *window;

	mutex_lock(&mmio_mutex);
	/* Within the framebuffer's place nothing was taken in the window. */
	if (!framebuffer || start < framebuffer->start || end > framebuffer->end)
		for (window = windows; window; window = window->sibling)
			if (window->start <= end && window->end > start)
				__release_region(window, start, size);
	release_mem_region(start, size);
	mutex_unlock(&mmio_mutex);
}
EXPORT_SYMBOL_GPL(vmbus_free_mmio);
