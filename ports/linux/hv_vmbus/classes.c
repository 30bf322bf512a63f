// SPDX-License-Identifier: GPL-2.0-only
/* The classes of devices, and the version negotiation that all integration services share. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "api_mgmt.h"
#include "core/ic/ic.h"

/* A driver of a performance device gets its channels spread over the CPUs. */
#define DEVICE(TYPE, GUID, PERF, ISOLATED) \
	[TYPE] = { .dev_type = TYPE, GUID, .perf_device = PERF, .allowed_in_isolated = ISOLATED }

/* Indexed by enum vmbus_device_type. Ring sizes in bytes; 0: as the driver likes. */
const struct vmbus_device vmbus_devs[] = {
	DEVICE(HV_IDE, HV_IDE_GUID, true, false),
	DEVICE(HV_SCSI, HV_SCSI_GUID, true, true),
	DEVICE(HV_FC, HV_SYNTHFC_GUID, true, false),
	DEVICE(HV_NIC, HV_NIC_GUID, true, true),
	DEVICE(HV_ND, HV_ND_GUID, true, false),
	DEVICE(HV_PCIE, HV_PCIE_GUID, false, HVB_PCIE_IN_ISOLATION),
	DEVICE(HV_FB, HV_SYNTHVID_GUID, false, false),
	DEVICE(HV_KBD, HV_KBD_GUID, false, false),
	DEVICE(HV_MOUSE, HV_MOUSE_GUID, false, false),
	DEVICE(HV_KVP, HV_KVP_GUID, false, false),
	DEVICE(HV_TS, HV_TS_GUID, false, true),
	DEVICE(HV_HB, HV_HEART_BEAT_GUID, false, true),
	DEVICE(HV_SHUTDOWN, HV_SHUTDOWN_GUID, false, true),
	[HV_FCOPY] = { .pref_ring_size = 0x4000, .dev_type = HV_FCOPY, HV_FCOPY_GUID },
	DEVICE(HV_BACKUP, HV_VSS_GUID, false, false),
	DEVICE(HV_DM, HV_DM_GUID, false, false),
	/* 64 KiB and the control page: enough for whatever has no driver of its own. */
	[HV_UNKNOWN] = { .pref_ring_size = 0x11000, .dev_type = HV_UNKNOWN },
};
EXPORT_SYMBOL_GPL(vmbus_devs);

/* Offered by every host, of no use here, and no reason to say so. */
static const struct {
	guid_t guid;
} silent[] = {
	{ HV_AVMA1_GUID },
	{ HV_AVMA2_GUID },
	{ HV_RDV_GUID },
	{ HV_IMC_GUID },
};

/* Lists the classes that may be used in a confidential machine, and says how many there are. */
size_t hvb_safe_classes(guid_t *list)
{
	size_t count = 0;
	u16 i;

	for (i = 0; i < HV_UNKNOWN; i++)
		if (vmbus_devs[i].allowed_in_isolated)
			list[count++] = vmbus_devs[i].guid;
	return count;
}

u16 hvb_device_class(const struct vmbus_channel *ch)
{
	const guid_t *type = &ch->offermsg.offer.if_type;
	u16 i;

	if (is_hvsock_channel(ch))
		return HV_UNKNOWN;
	for (i = 0; i < ARRAY_SIZE(silent); i++)
		if (guid_equal(type, &silent[i].guid))
			return HV_UNKNOWN;
	for (i = 0; i < HV_UNKNOWN; i++)
		if (guid_equal(type, &vmbus_devs[i].guid))
			return i;
	pr_info_ratelimited("Unknown GUID: %pUl\n", type);
	return HV_UNKNOWN;
}

bool hvb_is_perf_channel(const struct vmbus_channel *ch)
{
	return vmbus_devs[ch->device_id].perf_device;
}

/**
 * vmbus_prep_negotiate_resp() - choose versions and write the answer over the host's offer
 * @icmsghdrp: the message's header, in @buf
 * @buf: the packet, our copy
 * @buflen: bytes that came from the host
 * @fw_version: framework versions we speak, best first
 * @fw_vercnt: how many
 * @srv_version: versions of the service, best first
 * @srv_vercnt: how many
 * @nego_fw_version: the chosen framework version, or NULL
 * @nego_srv_version: the chosen service version, or NULL
 *
 * Return: whether there is a common version of both. If not, the answer says so.
 */
bool vmbus_prep_negotiate_resp(struct icmsg_hdr *icmsghdrp, u8 *buf, u32 buflen,
			       const int *fw_version, int fw_vercnt,
			       const int *srv_version, int srv_vercnt,
			       int *nego_fw_version, int *nego_srv_version)
{
	const struct hv_ic_versions frameworks = { .list = fw_version, .count = fw_vercnt };
	const struct hv_ic_versions services = { .list = srv_version, .count = srv_vercnt };

	if (buflen < ICMSG_HDR + offsetof(struct icmsg_negotiate, reserved)) {
		pr_err_ratelimited("Invalid icmsg negotiate\n");
		return false;
	}
	icmsghdrp->icmsgsize = 0x10;
	return hv_ic_negotiate(buf + ICMSG_HDR, buflen - ICMSG_HDR, &frameworks, &services,
			       nego_fw_version, nego_srv_version);
}
EXPORT_SYMBOL_GPL(vmbus_prep_negotiate_resp);
