// SPDX-License-Identifier: GPL-2.0-only
/* Packets as drivers send and receive them: descriptor, and then payload. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "api_channel.h"

/* Writes one packet and signals the host if it has to be. trans_id may be NULL. */
static HV_HOT int send(struct vmbus_channel *ch, const struct hv_vmbus_packet *packet,
		       u64 requestid, u64 *trans_id)
{
	struct hvb_channel *bc = hvb_channel_of(ch);
	struct hv_vmbus_staged staged;
	u64 id = requestid;
	bool own_id = false;
	int status = HV_GONE;
	unsigned long flags;
	int signal;

	if (READ_ONCE(ch->rescind))
		return -ENODEV;

	spin_lock_irqsave(&ch->outbound.ring_lock, flags);
	if (bc->out_broken)
		status = HV_RING_CORRUPT;
	else if (bc->out_map)
		status = hv_vmbus_stage(&bc->writer, packet, &staged);

	if (status == HV_RING_FULL) {
		++ch->out_full_total;
		if (!ch->out_full_flag)
			++ch->out_full_first;
		ch->out_full_flag = true;
	}
	if (status) {
		spin_unlock_irqrestore(&ch->outbound.ring_lock, flags);
		if (status == HV_RING_CORRUPT)
			hvb_ring_broken(ch, &ch->outbound, "read index");
		return hvb_errno(status);
	}
	ch->out_full_flag = false;

	/*
	 * The id comes last: from then on a forged completion finds the request and
	 * has it freed, and all of it is copied by now.
	 */
	if (packet->flags == VMBUS_DATA_PACKET_FLAG_COMPLETION_REQUESTED &&
	    ch->next_request_id_callback) {
		id = ch->next_request_id_callback(ch, requestid);
		if (id == VMBUS_RQST_ERROR) {
			hv_vmbus_unstage(&bc->writer);
			spin_unlock_irqrestore(&ch->outbound.ring_lock, flags);
			return -EAGAIN;
		}
		own_id = id != VMBUS_NO_RQSTOR;
		if (!own_id)
			id = requestid;
	}
	if (trans_id)
		*trans_id = id;
	hv_vmbus_set_id(&staged, id);
	signal = hv_vmbus_publish(&bc->writer);
	spin_unlock_irqrestore(&ch->outbound.ring_lock, flags);

	if (signal == HV_SIGNAL) {
		++ch->intr_out_empty;
		vmbus_setevent(ch);
	}

	/* Nobody will answer: what was taken for the request is given back. */
	if (READ_ONCE(ch->rescind)) {
		if (own_id && ch->request_addr_callback)
			ch->request_addr_callback(ch, id);
		return -ENODEV;
	}
	return 0;
}

/**
 * vmbus_sendpacket_getid() - send a packet, and learn its id
 * @channel: open
 * @buffer: the payload
 * @bufferlen: bytes of it
 * @requestid: what the driver knows the request by
 * @trans_id: the id that the host sees, if it was sent; may be NULL
 * @type: of the packet
 * @flags: 0 or VMBUS_DATA_PACKET_FLAG_COMPLETION_REQUESTED
 *
 * Return: 0, -EAGAIN (no room, no id), -ENODEV (rescinded), -EIO (the ring is broken).
 * Context: any.
 */
int vmbus_sendpacket_getid(struct vmbus_channel *channel, void *buffer,
			   u32 bufferlen, u64 requestid, u64 *trans_id,
			   enum vmbus_packet_type type, u32 flags)
{
	struct hv_vmbus_packet packet = {
		.type = type,
		.flags = flags,
		.payload = buffer,
		.payload_size = bufferlen,
	};

	return send(channel, &packet, requestid, trans_id);
}
EXPORT_SYMBOL(vmbus_sendpacket_getid);

/**
 * vmbus_sendpacket() - send a packet
 * @channel: see vmbus_sendpacket_getid()
 * @buffer: see there
 * @bufferlen: see there
 * @requestid: see there
 * @type: see there
 * @flags: see there
 *
 * Return: see there.
 */
int vmbus_sendpacket(struct vmbus_channel *channel, void *buffer,
		     u32 bufferlen, u64 requestid,
		     enum vmbus_packet_type type, u32 flags)
{
	return vmbus_sendpacket_getid(channel, buffer, bufferlen, requestid, NULL, type, flags);
}
EXPORT_SYMBOL(vmbus_sendpacket);

/**
 * vmbus_sendpacket_mpb_desc() - send a packet that refers to guest memory
 * @channel: open
 * @desc: room for the packet descriptor, then the ranges; rangecount is set
 * @desc_size: bytes of it, a multiple of 8
 * @buffer: the payload
 * @bufferlen: bytes of it
 * @requestid: what the driver knows the request by
 *
 * Return: see vmbus_sendpacket_getid(); -EINVAL: impossible sizes.
 * Context: any.
 */
int vmbus_sendpacket_mpb_desc(struct vmbus_channel *channel,
			      struct vmbus_packet_mpb_array *desc,
			      u32 desc_size,
			      void *buffer, u32 bufferlen, u64 requestid)
{
	struct hv_vmbus_packet packet = {
		.type = VM_PKT_DATA_USING_GPA_DIRECT,
		.flags = VMBUS_DATA_PACKET_FLAG_COMPLETION_REQUESTED,
		.payload = buffer,
		.payload_size = bufferlen,
	};

	if (desc_size < sizeof(struct vmpacket_descriptor) + 2 * sizeof(u32))
		return -EINVAL;
	desc->reserved = 0;
	packet.extra = (const void *)desc + sizeof(struct vmpacket_descriptor);
	packet.extra_size = desc_size - sizeof(struct vmpacket_descriptor);
	return send(channel, &packet, requestid, NULL);
}
EXPORT_SYMBOL_GPL(vmbus_sendpacket_mpb_desc);

static HV_HOT int receive(struct vmbus_channel *ch, void *buffer, u32 bufferlen, u32 *actual,
			  u64 *requestid, bool raw)
{
	struct hvb_channel *bc = hvb_channel_of(ch);
	struct vmpacket_descriptor *desc;

	*actual = 0;
	*requestid = 0;
	if (!bufferlen)
		return -EINVAL;

	/* No packet is no error: its length is 0. */
	desc = hv_pkt_iter_first(ch);
	if (!desc) {
		/* What was dropped has to leave the ring, too: else there is always more. */
		hv_pkt_iter_close(ch);
		return 0;
	}

	*actual = raw ? hv_pkt_len(desc) : hv_pkt_datalen(desc);
	*requestid = desc->trans_id;
	/* The packet stays, for a caller who comes back with more room. */
	if (*actual > bufferlen)
		return -ENOBUFS;

	memcpy(buffer, raw ? (void *)desc : hv_pkt_data(desc), *actual);
	hv_vmbus_step(&bc->reader);
	hv_pkt_iter_close(ch);
	return 0;
}

/**
 * vmbus_recvpacket() - take the payload of the next packet
 * @channel: open
 * @buffer: where it goes
 * @bufferlen: room there
 * @buffer_actual_len: its bytes; 0: there was no packet
 * @requestid: the id it bears, as the host says
 *
 * Return: 0; -ENOBUFS: more room is needed, the packet stays; -EINVAL.
 * Context: any; one caller at a time.
 */
int vmbus_recvpacket(struct vmbus_channel *channel, void *buffer,
		     u32 bufferlen, u32 *buffer_actual_len,
		     u64 *requestid)
{
	return receive(channel, buffer, bufferlen, buffer_actual_len, requestid, false);
}
EXPORT_SYMBOL(vmbus_recvpacket);

/**
 * vmbus_recvpacket_raw() - take the next packet, its descriptor included
 * @channel: see vmbus_recvpacket()
 * @buffer: see there
 * @bufferlen: see there
 * @buffer_actual_len: see there
 * @requestid: see there
 *
 * Return: see there.
 */
int vmbus_recvpacket_raw(struct vmbus_channel *channel, void *buffer,
			 u32 bufferlen, u32 *buffer_actual_len,
			 u64 *requestid)
{
	return receive(channel, buffer, bufferlen, buffer_actual_len, requestid, true);
}
EXPORT_SYMBOL_GPL(vmbus_recvpacket_raw);
