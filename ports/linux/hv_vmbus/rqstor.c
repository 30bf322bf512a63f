// SPDX-License-Identifier: GPL-2.0-only
/*
 * Request ids of a channel: what a driver knows a request by (an address) stays
 * with us, the host gets the number of a slot, and what it sends back is looked
 * up. Free slots are chained through the table; a bitmap says which are in use.
 */

#include "api_channel.h"

int hvb_rqstor_alloc(struct vmbus_channel *ch)
{
	struct vmbus_requestor *table = &ch->requestor;
	u32 size = ch->rqstor_size;
	u32 i;

	spin_lock_init(&table->req_lock);
	if (!size)
		return 0;

	table->req_arr = kvcalloc(size, sizeof(*table->req_arr), GFP_KERNEL);
	table->req_bitmap = bitmap_zalloc(size, GFP_KERNEL);
	if (!table->req_arr || !table->req_bitmap) {
		hvb_rqstor_free(ch);
		return -ENOMEM;
	}

	/* The last slot leads to size, which is none. */
	for (i = 0; i < size; i++)
		table->req_arr[i] = i + 1;
	table->next_request_id = 0;
	table->size = size;
	return 0;
}

void hvb_rqstor_free(struct vmbus_channel *ch)
{
	struct vmbus_requestor *table = &ch->requestor;

	table->size = 0;
	kvfree(table->req_arr);
	table->req_arr = NULL;
	bitmap_free(table->req_bitmap);
	table->req_bitmap = NULL;
}

/**
 * vmbus_next_request_id() - give a request an id
 * @channel: whose id
 * @rqst_addr: what to remember
 *
 * Return: the id, never 0, which marks what the host sends unasked;
 * VMBUS_RQST_ERROR when none is free, VMBUS_NO_RQSTOR when the channel has no ids.
 * Context: any.
 */
u64 vmbus_next_request_id(struct vmbus_channel *channel, u64 rqst_addr)
{
	struct vmbus_requestor *table = &channel->requestor;
	u64 id = VMBUS_RQST_ERROR;
	unsigned long flags;
	u64 slot;

	if (!channel->rqstor_size)
		return VMBUS_NO_RQSTOR;

	lock_requestor(channel, flags);
	slot = table->next_request_id;
	if (slot < table->size) {
		table->next_request_id = table->req_arr[slot];
		table->req_arr[slot] = rqst_addr;
		__set_bit(slot, table->req_bitmap);
		id = slot + 1;
	}
	unlock_requestor(channel, flags);
	return id;
}
EXPORT_SYMBOL_GPL(vmbus_next_request_id);

/**
 * __vmbus_request_addr_match() - vmbus_request_addr_match() with the lock held
 * @channel: whose id
 * @trans_id: what the host says
 * @rqst_addr: see there
 *
 * Return: see there.
 */
u64 __vmbus_request_addr_match(struct vmbus_channel *channel, u64 trans_id, u64 rqst_addr)
{
	struct vmbus_requestor *table = &channel->requestor;
	u64 slot = trans_id - 1;
	u64 remembered;

	if (!channel->rqstor_size)
		return VMBUS_NO_RQSTOR;
	/* Id 0 has wrapped to a slot that no table has. */
	if (slot >= table->size || !test_bit(slot, table->req_bitmap))
		return VMBUS_RQST_ERROR;

	remembered = table->req_arr[slot];
	if (rqst_addr == VMBUS_RQST_ADDR_ANY || rqst_addr == remembered) {
		__clear_bit(slot, table->req_bitmap);
		table->req_arr[slot] = table->next_request_id;
		table->next_request_id = slot;
	}
	return remembered;
}
EXPORT_SYMBOL_GPL(__vmbus_request_addr_match);

/**
 * vmbus_request_addr_match() - what an id stands for, and the end of the id if it is what was meant
 * @channel: whose id
 * @trans_id: what the host says
 * @rqst_addr: free the id only if it stands for this; VMBUS_RQST_ADDR_ANY: in any case
 *
 * Return: what was remembered; VMBUS_RQST_ERROR for an id that is not in use.
 * Context: any.
 */
u64 vmbus_request_addr_match(struct vmbus_channel *channel, u64 trans_id, u64 rqst_addr)
{
	unsigned long flags;
	u64 remembered;

	lock_requestor(channel, flags);
	remembered = __vmbus_request_addr_match(channel, trans_id, rqst_addr);
	unlock_requestor(channel, flags);
	return remembered;
}
EXPORT_SYMBOL_GPL(vmbus_request_addr_match);

/**
 * vmbus_request_addr() - what an id stands for, and its end
 * @channel: whose id
 * @trans_id: what the host says
 *
 * Return: see vmbus_request_addr_match().
 */
u64 vmbus_request_addr(struct vmbus_channel *channel, u64 trans_id)
{
	return vmbus_request_addr_match(channel, trans_id, VMBUS_RQST_ADDR_ANY);
}
EXPORT_SYMBOL_GPL(vmbus_request_addr);
