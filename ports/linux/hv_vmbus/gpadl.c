// SPDX-License-Identifier: GPL-2.0-only
/* GPADLs: guest memory made known to the host, and taken back. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "api_channel.h"

/* All that the host knows, and those it did not let go of; under hvb_lock. */
static LIST_HEAD(gpadls);

/* Call with hvb_lock. */
static struct hvb_gpadl *find_gpadl(u32 handle)
{
	struct hvb_gpadl *g;

	list_for_each_entry(g, &gpadls, node)
		if (handle && g->handle == handle && !g->abandoned)
			return g;
	return NULL;
}

struct hvb_gpadl *hvb_gpadl_find(u32 handle)
{
	unsigned long flags = hvb_lock();
	struct hvb_gpadl *g = find_gpadl(handle);

	hvb_unlock(flags);
	return g;
}

/* Call with hvb_lock. */
void hvb_gpadl_released(struct hvb_gpadl *g)
{
	if (!g->abandoned)
		return;
	list_del(&g->node);
	kfree(g);
}

/*
 * Ends g if the host is done with it. False: it is not, or nobody knows. g then
 * waits for the host, and the memory is lost to us.
 */
static bool end_gpadl(struct hvb_gpadl *g)
{
	unsigned long flags = hvb_lock();
	bool done = !hv_vmbus_gpadl_in_use(&hvb_bus, &g->core);

	if (done)
		list_del(&g->node);
	else
		g->abandoned = true;
	hvb_unlock(flags);
	if (done)
		kfree(g);
	return done;
}

void hvb_gpadl_forget_all(void)
{
	struct hvb_gpadl *g, *next;

	list_for_each_entry_safe(g, next, &gpadls, node) {
		list_del(&g->node);
		kfree(g);
	}
}

/* Whether the host got to know it or not: *ours says whether the memory is still ours alone. */
static int tell_host(struct vmbus_channel *ch, struct hvb_gpadl *g, const u64 *frames, u32 count,
		     u32 size, u32 *handle, bool *ours)
{
	struct hvb_request request;
	unsigned long flags;
	int status, ret;

	*ours = true;
	hvb_request_init(&request);
	flags = hvb_lock();
	status = hv_vmbus_create_gpadl(&hvb_bus, &hvb_channel_of(ch)->core, &g->core, g, frames,
				       count, size, &request.core, &request, hvb_now());
	if (!status) {
		g->handle = hv_vmbus_gpadl_id(&g->core);
		list_add(&g->node, &gpadls);
	}
	hvb_unlock(flags);
	if (status) {
		kfree(g);
		return hvb_errno(status);
	}

	ret = hvb_request_wait(&request, -EDQUOT);
	if (ret) {
		if (ret != -ENODEV) /* it was rescinded meanwhile */
			pr_err_ratelimited("Failed to establish GPADL: err = 0x%x (%d)\n",
					   request.host_status, ret);
		*ours = end_gpadl(g);
	} else {
		*handle = g->handle;
		*ours = false;
	}
	return ret;
}

/**
 * vmbus_establish_gpadl() - make memory known to the host
 * @channel: which will use it
 * @kbuffer: page-aligned, from kmalloc(), vmalloc() or alloc_pages()
 * @size: bytes, whole pages
 * @gpadl: filled in; if .decrypted is true afterwards, the memory must never be freed
 *
 * Return: 0, -ENODEV (rescinded), -EDQUOT (refused by the host), -ETIMEDOUT, ...
 * Context: process.
 */
int vmbus_establish_gpadl(struct vmbus_channel *channel, void *kbuffer, u32 size,
			  struct vmbus_gpadl *gpadl)
{
	u32 count = size >> HV_HYP_PAGE_SHIFT;
	struct hvb_gpadl *g;
	u64 *frames;
	bool ours;
	u32 i;
	int ret;

	gpadl->decrypted = false;
	if (!count || !IS_ALIGNED(size, HV_HYP_PAGE_SIZE))
		return -EINVAL;

	frames = kvmalloc_array(count, sizeof(*frames), GFP_KERNEL);
	g = kzalloc(sizeof(*g), GFP_KERNEL);
	if (!frames || !g) {
		kvfree(frames);
		kfree(g);
		return -ENOMEM;
	}
	for (i = 0; i < count; i++)
		frames[i] = virt_to_hvpfn(kbuffer + (size_t)i * HV_HYP_PAGE_SIZE);

	/* Nobody knows whether half of it is decrypted when this fails: it is lost. */
	gpadl->decrypted = true;
	ret = set_memory_decrypted((unsigned long)kbuffer, PFN_UP(size));
	if (ret) {
		pr_warn("channel %u: cannot show memory to the host: %d\n",
			channel->offermsg.child_relid, ret);
		kvfree(frames);
		kfree(g);
		return ret;
	}

	ret = tell_host(channel, g, frames, count, size, &gpadl->gpadl_handle, &ours);
	kvfree(frames);
	if (!ret) {
		gpadl->buffer = kbuffer;
		gpadl->size = size;
		return 0;
	}

	if (ours && !set_memory_encrypted((unsigned long)kbuffer, PFN_UP(size)))
		gpadl->decrypted = false;
	return ret;
}
EXPORT_SYMBOL_GPL(vmbus_establish_gpadl);

/**
 * vmbus_teardown_gpadl() - take memory back from the host
 * @channel: as at its establishment
 * @gpadl: what was established; .decrypted says afterwards whether the memory may be freed
 *
 * Return: 0; -EINVAL: no such GPADL; any error: the memory must not be freed.
 * Context: process.
 */
int vmbus_teardown_gpadl(struct vmbus_channel *channel, struct vmbus_gpadl *gpadl)
{
	struct hvb_request request;
	struct hvb_gpadl *g;
	unsigned long flags;
	int ret = 0;
	int status;

	hvb_request_init(&request);
	flags = hvb_lock();
	g = find_gpadl(gpadl->gpadl_handle);
	status = HV_BAD_ID;
	if (g)
		status = hv_vmbus_teardown_gpadl(&hvb_bus, &g->core, &request.core, &request,
						 hvb_now());
	hvb_unlock(flags);

	if (!g)
		return -EINVAL;
	if (!status)
		ret = hvb_request_wait(&request, -EIO);
	if (!end_gpadl(g)) {
		pr_err_ratelimited("the host keeps GPADL 0x%x (%d)\n", gpadl->gpadl_handle,
				   ret ? ret : hvb_errno(status));
		gpadl->decrypted = true;
		return ret ? ret : -EIO;
	}
	gpadl->gpadl_handle = 0;

	ret = set_memory_encrypted((unsigned long)gpadl->buffer, PFN_UP(gpadl->size));
	if (ret)
		pr_warn("Fail to set mem host visibility in GPADL teardown %d.\n", ret);
	gpadl->decrypted = ret;
	return ret;
}
EXPORT_SYMBOL_GPL(vmbus_teardown_gpadl);
