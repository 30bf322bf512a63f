// SPDX-License-Identifier: GPL-2.0-only
/* Loading and unloading: in which order things come and go. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/acpi.h>
#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/init.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <asm/mshyperv.h>

#include "internal.h"
#include "status.h"

/* The ACPI device below which ours appear; NULL: there is no bus. */
struct device *hvb_parent;

/* As in tree: one name for all that a caller gave us wrong, and one for a host without buffers. */
int hvb_errno(int status)
{
	switch (status) {
	case HV_TRUNCATED:
	case HV_BAD_LENGTH:
	case HV_BAD_VALUE:
	case HV_BAD_ID:
	case HV_BAD_STATE:
	case HV_OVERFLOW:
		return -EINVAL;
	case HV_EXHAUSTED:
		return -ENOBUFS;
	default:
		return hv_status_errno(status);
	}
}

static int bus_platform_probe(struct platform_device *pdev)
{
	struct acpi_device *device = ACPI_COMPANION(&pdev->dev);
	int ret;

	if (!device)
		return -ENODEV;
	/* Hosts that do not say so are coherent all the same. */
	ACPI_COMPANION_SET(&device->dev, device);
	ret = hvb_mmio_init(device);
	if (!ret)
		hvb_parent = &device->dev;
	return ret;
}

static const struct acpi_device_id hvb_acpi_ids[] = {
	{ "VMBUS", 0 },
	{ "VMBus", 0 },
	{ "", 0 },
};
MODULE_DEVICE_TABLE(acpi, hvb_acpi_ids);

static struct platform_driver hvb_platform_driver = {
	.probe = bus_platform_probe,
	.driver = {
		.name = "vmbus",
		.acpi_match_table = hvb_acpi_ids,
		.pm = &hvb_bus_pm,
		.probe_type = PROBE_FORCE_SYNCHRONOUS,
		/* Below it are all disks: it goes with the module, or not at all. */
		.suppress_bind_attrs = true,
	},
};

static int __init hvb_init(void)
{
	int ret;

	if (!hv_is_hyperv_initialized())
		return -ENODEV;
	/* The host's own partition has no bus, but modules that want our symbols. */
	if (hvb_unwanted_root())
		return 0;

	ret = platform_driver_register(&hvb_platform_driver);
	if (ret)
		return ret;
	if (!hvb_parent) {
		ret = -ENODEV;
		goto no_platform;
	}

	ret = bus_register(&hvb_bus_type);
	if (ret)
		goto no_bus;
	bus_register_notifier((struct bus_type *)&hvb_bus_type, &hvb_device_notifier);

	ret = hvb_cpus_init();
	if (ret)
		goto no_cpus;
	ret = hvb_synic_alloc();
	if (ret)
		goto no_synic;
	ret = hvb_isr_setup();
	if (ret)
		goto no_isr;

	ret = cpuhp_setup_state(CPUHP_AP_ONLINE_DYN, "hyperv/vmbus:online", hvb_synic_online,
				hvb_synic_offline);
	if (ret < 0)
		goto no_cpuhp;
	hvb_cpuhp_state = ret;

	ret = hvb_connect();
	if (ret)
		goto no_connection;
	hvb_power_init();
	hvb_donate_spares();
	hvb_timers_start();
	hvb_wait_for_offers();
	return 0;

no_connection:
	cpuhp_remove_state(hvb_cpuhp_state);
no_cpuhp:
	hvb_isr_teardown();
	hvb_disconnect();
no_isr:
	hvb_synic_free();
no_synic:
	hvb_cpus_exit();
no_cpus:
	bus_unregister_notifier((struct bus_type *)&hvb_bus_type, &hvb_device_notifier);
	bus_unregister(&hvb_bus_type);
no_bus:
	hvb_mmio_exit();
	hvb_parent = NULL;
no_platform:
	platform_driver_unregister(&hvb_platform_driver);
	return ret;
}

static void __exit hvb_exit(void)
{
	unsigned long flags;

	if (hvb_unwanted_root())
		return;

	hvb_power_exit();

	/* No new devices; those that are there go; then the host is told. */
	flags = hvb_lock();
	vmbus_connection.ignore_any_offer_msg = true;
	hvb_unlock(flags);
	hvb_flush_queues();
	hvb_remove_all();
	hvb_unload(false);

	/* Nothing comes any more, so nothing runs any more, so its memory can go. */
	hvb_timers_hand_back();
	cpuhp_remove_state(hvb_cpuhp_state);
	hvb_isr_teardown();
	hvb_disconnect();
	hvb_synic_free();
	hvb_cpus_exit();
	bus_unregister_notifier((struct bus_type *)&hvb_bus_type, &hvb_device_notifier);
	bus_unregister(&hvb_bus_type);
	platform_driver_unregister(&hvb_platform_driver);
	hvb_mmio_exit();
	hvb_parent = NULL;
}

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Microsoft Hyper-V VMBus Driver");
MODULE_VERSION(ENLIGHTEN_VERSION);

subsys_initcall(hvb_init);
module_exit(hvb_exit);
