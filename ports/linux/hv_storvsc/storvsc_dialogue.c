// SPDX-License-Identifier: GPL-2.0-only
/* What is asked and answered one by one: the opening dialogue, and resets. */
#include <linux/dma-mapping.h>

#include "storvsc_device.h"

/* What is being asked from a control slot. */
struct storvsc_question {
	struct storvsc_device *dev;
	enum hv_storvsc_control control;
};

static int storvsc_cancel(void *context)
{
	const struct storvsc_question *question = context;
	struct hv_storvsc *core = &question->dev->core;

	return hv_storvsc_cancel(core, hv_storvsc_control_slot(core, question->control));
}

static int storvsc_await(struct storvsc_device *dev, enum hv_storvsc_control control)
{
	struct storvsc_question question = { dev, control };

	return hv_client_await(&dev->client, &dev->answers[control].done, HV_STORVSC_ANSWER_SECONDS,
			       storvsc_cancel, &question);
}

/* What was staged with `status` is shown to the host, and its answer awaited. */
static int storvsc_ask(struct storvsc_channel *chan, enum hv_storvsc_control control, int status)
{
	if (status)
		return hv_status_errno(status);
	storvsc_publish(chan);
	return storvsc_await(chan->dev, control);
}

/* One packet of the dialogue and its answer. */
static int storvsc_ask_handshake(struct storvsc_device *dev,
				 struct hv_storvsc_handshake *handshake,
				 struct storvsc_channel *chan)
{
	struct hv_answer *answer = &dev->answers[HV_STORVSC_DIALOGUE];
	unsigned long flags;
	int ret;

	hv_answer_expect(answer);
	spin_lock_irqsave(&chan->lock, flags);
	ret = hv_storvsc_handshake_send(handshake, &dev->core, &chan->rings);
	spin_unlock_irqrestore(&chan->lock, flags);
	ret = storvsc_ask(chan, HV_STORVSC_DIALOGUE, ret);
	if (ret)
		return ret;
	ret = hv_storvsc_handshake_answer(handshake, answer->bytes, answer->length);
	return hv_status_errno(ret);
}

/* One command of the recognition and its answer. Under the lock: nobody closes the channels. */
int storvsc_ask_recognition(struct storvsc_device *dev,
			    struct hv_storvsc_recognition *recognition)
{
	struct hv_answer *answer = &dev->answers[HV_STORVSC_RECOGNITION];
	struct storvsc_channel *chan = dev->channels[0];
	u64 frame = dev->recognition.address >> HV_HYP_PAGE_SHIFT;
	struct device *device = &dev->client.hv->device;
	u64 range[HV_STORVSC_RANGE_WORDS + 1];
	unsigned long flags;
	int ret;

	hv_answer_expect(answer);
	spin_lock_irqsave(&chan->lock, flags);
	ret = hv_storvsc_recognition_send(recognition, &dev->core, &chan->rings, frame, range);
	spin_unlock_irqrestore(&chan->lock, flags);
	ret = storvsc_ask(chan, HV_STORVSC_RECOGNITION, ret);
	if (ret)
		return ret;
	dma_sync_single_for_cpu(device, dev->recognition.address, HV_HYP_PAGE_SIZE,
				DMA_FROM_DEVICE);
	hv_storvsc_recognition_answer(recognition, answer->bytes, answer->length,
				      dev->recognition.page);
	dma_sync_single_for_device(device, dev->recognition.address, HV_HYP_PAGE_SIZE,
				   DMA_FROM_DEVICE);
	return 0;
}

/* The dialogue that opens a controller, up to where I/O may begin. */
int storvsc_converse(struct storvsc_device *dev, struct hv_storvsc_handshake *handshake)
{
	/* Hosts may have more channels than there are CPUs to use them, offline ones included. */
	u16 sub_channels = dev->is_ide ? 0 : min_t(unsigned int, num_present_cpus() - 1, U16_MAX);
	int ret;

	hv_storvsc_handshake_create(handshake, dev->is_fc, sub_channels);
	while (!hv_storvsc_handshake_done(handshake) &&
	       !hv_storvsc_handshake_at_sub_channels(handshake)) {
		ret = storvsc_ask_handshake(dev, handshake, dev->opened);
		if (ret)
			return ret;
	}
	hv_storvsc_adopt(&dev->core, handshake, &dev->properties);
	return 0;
}

/* The end of it: more channels. The primary one is in use. */
int storvsc_ask_sub_channels(struct storvsc_device *dev, struct hv_storvsc_handshake *handshake)
{
	int ret;

	if (hv_storvsc_handshake_done(handshake))
		return 0;
	hv_client_take_channels(&dev->client);
	ret = storvsc_ask_handshake(dev, handshake, dev->channels[0]);
	/* With one channel, too, the controller works. */
	if (ret && !hv_client_hopeless(&dev->client)) {
		dev_warn(&dev->client.hv->device, "no sub-channels: error %d\n", ret);
		ret = 0;
	}
	return ret;
}

/* The channels are closed: who waits for the answer to a reset is told so by an empty one. */
void storvsc_forget_reset(struct storvsc_device *dev)
{
	struct storvsc_question question = { dev, HV_STORVSC_RESET };

	if (storvsc_cancel(&question) == HV_OK)
		hv_answer_take(&dev->answers[HV_STORVSC_RESET], "", 0);
}

/* Has the host end all that is in flight, and waits until it is. */
int storvsc_reset_bus(struct storvsc_device *dev)
{
	struct storvsc_channel *chan;
	unsigned long flags;
	int ret = -ENODEV;

	hv_answer_expect(&dev->answers[HV_STORVSC_RESET]);
	rcu_read_lock();
	if (hv_life_state(&dev->client.life) == HV_LIFE_RUNNING && storvsc_channel_count(dev)) {
		chan = dev->channels[0];
		spin_lock_irqsave(&chan->lock, flags);
		ret = hv_status_errno(hv_storvsc_submit_reset(&dev->core, &chan->rings, 0));
		spin_unlock_irqrestore(&chan->lock, flags);
		storvsc_publish_all(dev);
	}
	rcu_read_unlock();
	if (ret)
		return ret;

	ret = storvsc_await(dev, HV_STORVSC_RESET);
	if (ret)
		return ret;
	if (!dev->answers[HV_STORVSC_RESET].length)
		return -EIO;
	return storvsc_drain(dev, HV_STORVSC_ANSWER_SECONDS);
}
