// SPDX-License-Identifier: GPL-2.0-only
/* Memory that is shared with the host while an adapter is open. */
#include <linux/mm.h>
#include <linux/vmalloc.h>
#include <asm/mshyperv.h>

#include "netvsc_device.h"

/* In a confidential machine the host sees a page only while it is mapped. */
bool netvsc_must_map(void)
{
	return hv_is_isolation_supported();
}

static bool netvsc_needs_view(void)
{
#ifdef HV_SNP_NEEDS_VIEW
	return hv_isolation_type_snp();
#else
	return false;
#endif
}

int netvsc_share_buffer(struct netvsc_net *net, struct netvsc_buffer *buffer, u32 bytes)
{
	int ret;

	if (netvsc_needs_view())
		return -EOPNOTSUPP;
	bytes = round_up(bytes, PAGE_SIZE);
	buffer->memory = vzalloc(bytes);
	if (!buffer->memory)
		return -ENOMEM;
	buffer->bytes = bytes;
	ret = vmbus_establish_gpadl(net->client.hv->channel, buffer->memory, bytes, &buffer->gpadl);
	if (ret)
		netvsc_unshare_buffer(net, buffer);
	return ret;
}

/* The host is to let go of it; the memory is still there. Does nothing the second time. */
void netvsc_take_back(struct netvsc_net *net, struct netvsc_buffer *buffer)
{
	struct vmbus_channel *channel = net->client.hv->channel;

	if (buffer->gpadl.gpadl_handle && vmbus_teardown_gpadl(channel, &buffer->gpadl))
		buffer->lost = true;
	buffer->gpadl.gpadl_handle = 0;
}

/*
 * Memory that the host has not let go of is lost: it may write there. So are pages that could not
 * be made private again.
 */
void netvsc_unshare_buffer(struct netvsc_net *net, struct netvsc_buffer *buffer)
{
	netvsc_take_back(net, buffer);
	if (buffer->lost || buffer->gpadl.decrypted)
		dev_err(&net->client.hv->device, "%u bytes are lost to the host\n", buffer->bytes);
	else
		vfree(buffer->memory);
	memset(buffer, 0, sizeof(*buffer));
}
