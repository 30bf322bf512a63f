// SPDX-License-Identifier: GPL-2.0-only
/* What is asked and answered one by one: NVSP's set-up, and RNDIS requests. */
#include <linux/delay.h>
#include <linux/dma-mapping.h>

#include "netvsc_device.h"

/* Whether the ring was full, and what found no room in it is to be tried again now. */
static bool netvsc_try_again(struct netvsc_adapter *adapter, int status, struct hv_patience *wait)
{
	if (status != HV_RING_FULL || hv_client_hopeless(&adapter->net->client) ||
	    hv_wait_over(wait))
		return false;
	usleep_range(100, 1000);
	return true;
}

/* From the channel: the bytes last until the next event. */
void netvsc_take_answer(struct netvsc_adapter *adapter, const struct hv_netvsc_event *event)
{
	hv_answer_take(&adapter->setup, event->bytes, event->length);
}

static int netvsc_cancel_setup(void *context)
{
	struct netvsc_queue *queue = context;

	return hv_netvsc_cancel(queue->core, hv_netvsc_setup_slot(queue->core));
}

/* The answer to the NVSP message that was sent. */
static int netvsc_await_setup(struct netvsc_adapter *adapter)
{
	return hv_client_await(&adapter->net->client, &adapter->setup.done,
			       HV_NETVSC_ANSWER_SECONDS, netvsc_cancel_setup, adapter->queues[0]);
}

/* One message of the opening, and its answer when it has one. */
static int netvsc_open_step(struct netvsc_adapter *adapter, struct hv_netvsc_opening *opening)
{
	struct netvsc_queue *queue = adapter->queues[0];
	unsigned long flags;
	int answered = 0;
	int ret;

	hv_answer_expect(&adapter->setup);
	spin_lock_irqsave(&queue->lock, flags);
	ret = hv_netvsc_opening_send(opening, queue->core, &answered);
	spin_unlock_irqrestore(&queue->lock, flags);
	if (ret)
		return hv_status_errno(ret);
	hv_client_signal(queue->vmbus, netvsc_publish(queue));
	if (!answered)
		return 0;
	ret = netvsc_await_setup(adapter);
	if (ret)
		return ret;
	return hv_status_errno(hv_netvsc_opening_answer(opening, adapter->setup.bytes,
							adapter->setup.length));
}

/* The buffer that the next message tells the host of. */
static int netvsc_give_buffer(struct netvsc_adapter *adapter, struct hv_netvsc_opening *opening)
{
	struct netvsc_net *net = adapter->net;
	bool receive = hv_netvsc_opening_state(opening) == HV_NETVSC_AT_RECEIVE_BUFFER;
	struct netvsc_buffer *buffer = receive ? &adapter->receive : &adapter->send;
	u32 bytes = receive ? net->config.receive_bytes : net->config.send_bytes;
	int ret;

	hv_netvsc_opening_result(opening, &adapter->opened);
	if (receive)
		bytes = min(bytes, adapter->opened.most_receive_buffer);
	ret = netvsc_share_buffer(net, buffer, bytes);
	if (ret && !receive)
		/* Frames go by pages alone, then. */
		return hv_status_errno(hv_netvsc_opening_skip(opening));
	if (ret)
		return ret;
	return hv_status_errno(hv_netvsc_opening_give(opening, buffer->gpadl.gpadl_handle,
						      buffer->bytes));
}

static int netvsc_converse_nvsp(struct netvsc_adapter *adapter, struct hv_netvsc_opening *opening)
{
	struct hv_netvsc_wishes wishes = {
		.mtu = adapter->net->dev->mtu,
		.virtual_function = true,
		.isolated = netvsc_must_map(),
	};
	int state, ret;

	hv_netvsc_opening_create(opening, &wishes);
	for (;;) {
		state = hv_netvsc_opening_state(opening);
		if (state == HV_NETVSC_AT_RECEIVE_BUFFER || state == HV_NETVSC_AT_SEND_BUFFER) {
			ret = netvsc_give_buffer(adapter, opening);
			if (ret)
				return ret;
		}
		if (hv_netvsc_opening_state(opening) == HV_NETVSC_OPENED)
			break;
		ret = netvsc_open_step(adapter, opening);
		if (ret)
			return ret;
	}
	hv_netvsc_opening_result(opening, &adapter->opened);
	return 0;
}

/* Asks for more channels: how many will come, or an error. */
int netvsc_ask_sub_channels(struct netvsc_adapter *adapter, u32 count)
{
	struct netvsc_queue *queue = adapter->queues[0];
	unsigned long flags;
	int ret;

	hv_answer_expect(&adapter->setup);
	spin_lock_irqsave(&queue->lock, flags);
	ret = hv_netvsc_send_sub_channels(queue->core, count);
	spin_unlock_irqrestore(&queue->lock, flags);
	if (ret)
		return hv_status_errno(ret);
	hv_client_signal(queue->vmbus, netvsc_publish(queue));
	ret = netvsc_await_setup(adapter);
	if (ret)
		return ret;
	ret = hv_netvsc_sub_channels_granted(adapter->setup.bytes, adapter->setup.length, count);
	return ret < 0 ? hv_status_errno(ret) : ret;
}

/* Tells the host of the data path. 1: it has answered; 0: there was nothing to tell. */
int netvsc_switch_path(struct netvsc_adapter *adapter)
{
	struct hv_netvsc_function *function = &adapter->net->function;
	struct netvsc_queue *queue = adapter->queues[0];
	struct hv_patience wait;
	unsigned long flags;
	int ret;

	hv_wait_begin(&wait, HV_NETVSC_DRAIN_SECONDS);
	hv_answer_expect(&adapter->setup);
	do {
		spin_lock_irqsave(&queue->lock, flags);
		ret = hv_netvsc_function_begin(function, queue->core);
		spin_unlock_irqrestore(&queue->lock, flags);
		hv_client_signal(queue->vmbus, netvsc_publish(queue));
	} while (netvsc_try_again(adapter, ret, &wait));
	if (ret <= 0)
		return hv_status_errno(ret);
	ret = netvsc_await_setup(adapter);
	if (ret) {
		hv_netvsc_function_unanswered(function);
		return ret;
	}
	hv_netvsc_function_answered(function);
	return 1;
}

void netvsc_unmap_page(struct netvsc_adapter *adapter)
{
	if (adapter->page_mapped)
		dma_unmap_single(&adapter->net->client.hv->device, adapter->page_mapped, PAGE_SIZE,
				 DMA_TO_DEVICE);
	adapter->page_mapped = 0;
}

static int netvsc_map_page(struct netvsc_adapter *adapter, u64 *address)
{
	struct device *device = &adapter->net->client.hv->device;
	dma_addr_t mapped;

	*address = virt_to_phys(adapter->page);
	if (!netvsc_must_map())
		return 0;
	mapped = dma_map_single(device, adapter->page, PAGE_SIZE, DMA_TO_DEVICE);
	if (dma_mapping_error(device, mapped))
		return -ENOMEM;
	adapter->page_mapped = mapped;
	*address = mapped;
	return 0;
}

/* The host reads the page until it says that it has. A page that it still has is not written to. */
static int netvsc_page_is_ours(struct netvsc_adapter *adapter)
{
	struct netvsc_queue *queue = adapter->queues[0];
	u32 slot = hv_netvsc_control_slot(queue->core);
	struct hv_patience wait;

	hv_wait_begin(&wait, HV_NETVSC_DRAIN_SECONDS);
	while (hv_netvsc_alive(queue->core, slot)) {
		if (hv_client_hopeless(&adapter->net->client))
			return hv_client_why_hopeless(&adapter->net->client);
		if (hv_wait_over(&wait))
			return -EBUSY;
		usleep_range(100, 1000);
	}
	netvsc_unmap_page(adapter);
	return 0;
}

/* Sends the request of so many bytes (or passes an error on) that is in the page. */
static int netvsc_send_page(struct netvsc_adapter *adapter, int bytes)
{
	struct netvsc_queue *queue = adapter->queues[0];
	struct hv_patience wait;
	unsigned long flags;
	u64 address;
	int ret;

	if (bytes < 0)
		return hv_status_errno(bytes);
	ret = netvsc_map_page(adapter, &address);
	if (ret)
		return ret;
	hv_wait_begin(&wait, HV_NETVSC_DRAIN_SECONDS);
	do {
		spin_lock_irqsave(&queue->lock, flags);
		ret = hv_netvsc_send_control(queue->core, address, bytes);
		spin_unlock_irqrestore(&queue->lock, flags);
		hv_client_signal(queue->vmbus, netvsc_publish(queue));
	} while (netvsc_try_again(adapter, ret, &wait));
	if (ret)
		netvsc_unmap_page(adapter);
	return hv_status_errno(ret);
}

static int netvsc_cancel_request(void *context)
{
	struct netvsc_adapter *adapter = context;

	return hv_netvsc_conversation_cancel(&adapter->conversation) ? HV_OK : HV_BAD_ID;
}

/* Under request_lock, behind netvsc_begin_request(). The answer is in the conversation. */
static int netvsc_request(struct netvsc_adapter *adapter, int bytes)
{
	int ret = netvsc_send_page(adapter, bytes);

	if (ret) {
		hv_netvsc_conversation_cancel(&adapter->conversation);
		return ret;
	}
	return hv_client_await(&adapter->net->client, &adapter->request_done,
			       HV_NETVSC_ANSWER_SECONDS, netvsc_cancel_request, adapter);
}

static int netvsc_begin_request(struct netvsc_adapter *adapter)
{
	int ret;

	mutex_lock(&adapter->request_lock);
	ret = netvsc_page_is_ours(adapter);
	if (ret)
		mutex_unlock(&adapter->request_lock);
	else
		reinit_completion(&adapter->request_done);
	return ret;
}

/* Ends what netvsc_begin_request() began: sends what was written, and judges the answer. */
static int netvsc_finish_set(struct netvsc_adapter *adapter, int bytes)
{
	int ret = netvsc_request(adapter, bytes);

	if (!ret)
		ret = hv_status_errno(hv_netvsc_set_done(&adapter->conversation));
	mutex_unlock(&adapter->request_lock);
	return ret;
}

static int netvsc_converse_rndis(struct netvsc_adapter *adapter,
				 const struct hv_netvsc_opening *opening)
{
	bool rsc = adapter->net->dev->features & NETIF_F_LRO;
	struct hv_netvsc_discovery discovery;
	int ret;

	hv_netvsc_discovery_create(&discovery, opening, rsc);
	while (!hv_netvsc_discovery_done(&discovery)) {
		ret = netvsc_begin_request(adapter);
		if (ret)
			return ret;
		ret = hv_netvsc_discovery_write(&discovery, &adapter->conversation, adapter->page,
						HV_NETVSC_MOST_CONTROL);
		ret = netvsc_request(adapter, ret);
		if (!ret)
			ret = hv_status_errno(hv_netvsc_discovery_answer(&discovery,
									 &adapter->conversation));
		mutex_unlock(&adapter->request_lock);
		if (ret)
			return ret;
	}
	hv_netvsc_discovery_facts(&discovery, &adapter->facts);
	return 0;
}

/* The dialogue that opens an adapter, NVSP's and then RNDIS's. */
int netvsc_converse(struct netvsc_adapter *adapter)
{
	struct netvsc_queue *queue = adapter->queues[0];
	struct hv_netvsc_opening opening;
	int ret;

	ret = netvsc_converse_nvsp(adapter, &opening);
	if (ret)
		return ret;

	/* What the poll looks at changes while it does not run. */
	napi_disable(&queue->napi);
	hv_netvsc_share_receive(queue->core, adapter->receive.memory,
				adapter->opened.receive_sections *
				adapter->opened.receive_section_size, adapter->opened.version);
	napi_enable(&queue->napi);
	/* What has come meanwhile gives no further signal. */
	local_bh_disable();
	napi_schedule(&queue->napi);
	local_bh_enable();

	return netvsc_converse_rndis(adapter, &opening);
}

int netvsc_set_filter(struct netvsc_adapter *adapter, u32 filter)
{
	int ret;

	if (adapter->filter == filter)
		return 0;
	ret = netvsc_begin_request(adapter);
	if (ret)
		return ret;
	ret = hv_netvsc_write_filter(&adapter->conversation, adapter->page, HV_NETVSC_MOST_CONTROL,
				     filter);
	ret = netvsc_finish_set(adapter, ret);
	if (!ret)
		adapter->filter = filter;
	return ret;
}

int netvsc_set_mac(struct netvsc_adapter *adapter, const u8 *mac)
{
	int ret = netvsc_begin_request(adapter);

	if (ret)
		return ret;
	ret = hv_netvsc_write_mac(&adapter->conversation, adapter->page, HV_NETVSC_MOST_CONTROL,
				  mac);
	return netvsc_finish_set(adapter, ret);
}

int netvsc_set_offloads(struct netvsc_adapter *adapter, bool rsc)
{
	int ret = netvsc_begin_request(adapter);

	if (ret)
		return ret;
	ret = hv_netvsc_write_offloads(&adapter->conversation, adapter->page,
				       HV_NETVSC_MOST_CONTROL, adapter->opened.version,
				       &adapter->facts.capabilities, rsc);
	return netvsc_finish_set(adapter, ret);
}

int netvsc_set_rss_once(struct netvsc_adapter *adapter, bool off)
{
	struct netvsc_net *net = adapter->net;
	int ret = netvsc_begin_request(adapter);

	if (ret)
		return ret;
	ret = hv_netvsc_write_rss(&adapter->conversation, adapter->page, HV_NETVSC_MOST_CONTROL,
				  net->rss_table, adapter->facts.rss_entries, net->rss_key, off);
	return netvsc_finish_set(adapter, ret);
}

/* Tells the host that the adapter is not used any more; it says nothing to that. */
void netvsc_halt(struct netvsc_adapter *adapter)
{
	int ret = netvsc_begin_request(adapter);

	if (ret)
		return;
	ret = hv_netvsc_write_halt(&adapter->conversation, adapter->page, HV_NETVSC_MOST_CONTROL);
	netvsc_send_page(adapter, ret);
	mutex_unlock(&adapter->request_lock);
}

/* Answers the host's "are you alive"; it says nothing to that. */
void netvsc_keep_alive(struct netvsc_adapter *adapter, u32 id)
{
	int ret = netvsc_begin_request(adapter);

	if (ret)
		return;
	ret = hv_netvsc_write_keep_alive_complete(adapter->page, HV_NETVSC_MOST_CONTROL, id);
	netvsc_send_page(adapter, ret);
	mutex_unlock(&adapter->request_lock);
}

/* Takes the buffers away from the host; it says nothing to that. */
void netvsc_revoke(struct netvsc_adapter *adapter)
{
	struct netvsc_queue *queue = adapter->queues[0];
	unsigned long flags;

	spin_lock_irqsave(&queue->lock, flags);
	hv_netvsc_send_revoke_receive(queue->core);
	if (adapter->send.memory)
		hv_netvsc_send_revoke_send(queue->core);
	spin_unlock_irqrestore(&queue->lock, flags);
	hv_client_signal(queue->vmbus, netvsc_publish(queue));
}

/* From the channel: the bytes last until the next event. */
void netvsc_take_control(struct netvsc_adapter *adapter, const struct hv_netvsc_event *event)
{
	u32 value = 0;
	int told = hv_netvsc_control(&adapter->conversation, event->bytes, event->length, &value);

	switch (told) {
	case HV_NETVSC_TOLD_NOTHING:
		break;
	case HV_NETVSC_TOLD_KEEP_ALIVE:
		WRITE_ONCE(adapter->net->alive_id, value);
		schedule_delayed_work(&adapter->net->alive_work, 0);
		break;
	case HV_NETVSC_TOLD_ANSWER:
		complete(&adapter->request_done);
		break;
	case HV_NETVSC_TOLD_NONSENSE:
		if (net_ratelimit())
			netdev_warn(adapter->net->dev, "a control message makes no sense\n");
		break;
	default:
		netvsc_link_told(adapter->net, told, value);
		break;
	}
}
