// SPDX-License-Identifier: GPL-2.0-only
/* Fibre Channel: the adapter's names, as the transport class shows them. */
#include <scsi/scsi_transport.h>
#include <scsi/scsi_transport_fc.h>

#include "storvsc_device.h"

static struct scsi_transport_template *storvsc_fc_template;

static struct fc_function_template storvsc_fc_functions = {
	.show_host_node_name = 1,
	.show_host_port_name = 1,
};

int storvsc_fc_init(void)
{
	storvsc_fc_template = fc_attach_transport(&storvsc_fc_functions);
	return storvsc_fc_template ? 0 : -ENODEV;
}

void storvsc_fc_exit(void)
{
	fc_release_transport(storvsc_fc_template);
}

/* Before the host is added. */
void storvsc_fc_prepare(struct storvsc_device *dev)
{
	dev->host->transportt = storvsc_fc_template;
}

int storvsc_fc_add(struct storvsc_device *dev)
{
	struct fc_rport_identifiers ids = { .roles = FC_PORT_ROLE_FCP_DUMMY_INITIATOR };

	storvsc_fc_names(dev, dev->properties.node_name, dev->properties.port_name);
	dev->rport = fc_remote_port_add(dev->host, 0, &ids);
	return dev->rport ? 0 : -ENOMEM;
}

void storvsc_fc_remove(struct storvsc_device *dev)
{
	if (dev->rport)
		fc_remote_port_delete(dev->rport);
	dev->rport = NULL;
	fc_remove_host(dev->host);
}

/* Any context; the transport's attributes exist once the host has been added. */
void storvsc_fc_names(struct storvsc_device *dev, u64 node_name, u64 port_name)
{
	if (!dev->is_fc || !dev->host->shost_data)
		return;
	WRITE_ONCE(fc_host_node_name(dev->host), node_name);
	WRITE_ONCE(fc_host_port_name(dev->host), port_name);
}
