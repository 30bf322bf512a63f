// SPDX-License-Identifier: GPL-2.0-only
/* The life of a device: what breaks is closed, and opened again when the core says so. */
#include <linux/sched/mm.h>

#include "client/hv_client.h"

/* Milliseconds until it is to be opened again; HV_LIFE_NEVER: it is not. */
static u32 hv_client_due(struct hv_client *client)
{
	return hv_client_going(client) ? HV_LIFE_NEVER : hv_life_due(&client->life, hv_now());
}

static void hv_client_work(struct work_struct *work)
{
	struct hv_client *client = container_of(work, struct hv_client, work.work);
	const struct hv_client_ops *ops = client->ops;
	struct device *device = &client->hv->device;
	/* Memory must not be waited for that is to be written to this very device. */
	unsigned int noio = memalloc_noio_save();
	enum hv_life_state before;

	ops->lock(client);
	before = hv_life_state(&client->life);
	/* What is to go and does not run is not opened again. */
	if (client->leaving && before != HV_LIFE_RUNNING)
		hv_life_leave(&client->life);
	if (before == HV_LIFE_BROKEN)
		ops->close(client);
	if (hv_client_due(client) == 0 && !ops->open(client))
		dev_info(device, "the %s is open again\n", ops->what);
	if (before != HV_LIFE_GONE && hv_life_state(&client->life) == HV_LIFE_GONE)
		dev_err(device, "the %s is given up\n", ops->what);
	hv_client_plan(client);
	ops->unlock(client);
	memalloc_noio_restore(noio);
}

int hv_client_create(struct hv_client *client, struct hv_device *hv,
		     const struct hv_client_ops *ops)
{
	client->wq = alloc_ordered_workqueue("hv_%s", WQ_MEM_RECLAIM, ops->what);
	if (!client->wq)
		return -ENOMEM;
	client->hv = hv;
	client->ops = ops;
	mutex_init(&client->channels_lock);
	INIT_DELAYED_WORK(&client->work, hv_client_work);
	return 0;
}

void hv_client_break(struct hv_client *client, const char *why)
{
	if (!hv_life_broke(&client->life, hv_now()))
		return;
	dev_err(&client->hv->device, "%s: the %s is closed\n", why, client->ops->what);
	mod_delayed_work(client->wq, &client->work, 0);
}

void hv_client_plan(struct hv_client *client)
{
	u32 wait = hv_client_due(client);

	if (wait != HV_LIFE_NEVER)
		mod_delayed_work(client->wq, &client->work, msecs_to_jiffies(wait));
}

void hv_client_lock_soon(struct hv_client *client)
{
	WRITE_ONCE(client->hurry, true);
	client->ops->lock(client);
	WRITE_ONCE(client->hurry, false);
}

void hv_client_destroy(struct hv_client *client)
{
	cancel_delayed_work_sync(&client->work);
	destroy_workqueue(client->wq);
}

bool hv_client_hopeless(const struct hv_client *client)
{
	return hv_client_going(client) || hv_life_broken(&client->life) ||
	       !hv_life_in_time(&client->life, hv_now());
}

int hv_client_why_hopeless(const struct hv_client *client)
{
	return hv_client_going(client)	       ? -ENODEV :
	       hv_life_broken(&client->life) ? -EIO :
					       -ETIMEDOUT;
}
