/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ENLIGHTEN_NETVSC_DEVICE_H
#define ENLIGHTEN_NETVSC_DEVICE_H

#include <linux/completion.h>
#include <linux/ethtool.h>
#include <linux/hyperv.h>
#include <linux/mutex.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <linux/skbuff.h>
#include <linux/spinlock.h>
#include <linux/timer.h>
#include <linux/u64_stats_sync.h>
#include <linux/workqueue.h>
#include <net/xdp.h>

#include "client/hv_client.h"
#include "compat/net.h"
#include "core/netvsc/netvsc.h"
#include "core/vmbus/vmbus.h"

/* How far apart it is looked whether a queue that is stopped goes on. */
#define NETVSC_STALL_LOOKS (HZ / 2)

/* Frames in pages that one queue may have in flight. */
#define NETVSC_PAGES 512
/* Sections of the send buffer that one queue uses at most. */
#define NETVSC_SECTIONS 1024
/* Queues that are used unless the user wants another number. */
#define NETVSC_DEFAULT_QUEUES 8

/* Pieces of memory that a frame lies in at most: its header, its front, its fragments. */
#define NETVSC_PIECES (2 + MAX_SKB_FRAGS)

/* A queue stops when less than this is free of its ring, and goes on when more than that is. % */
#define NETVSC_STOP_PERCENT 10
#define NETVSC_WAKE_PERCENT 20

/* What TCP may have in a queue: of its pacing rate 1 / 2^9 of a second, so 2 ms; without, 1 ms. */
#define NETVSC_PACING_SHIFT 9

struct netvsc_net;
struct netvsc_adapter;

enum netvsc_counter {
	NETVSC_PACKETS,
	NETVSC_BYTES,
	NETVSC_MULTICAST,
	NETVSC_DROPPED,
	NETVSC_XDP_DROP,
	NETVSC_XDP_REDIRECT,
	NETVSC_XDP_TX,
	NETVSC_XDP_XMIT,
	NETVSC_COUNTERS,
};

/* What one direction has moved. One writer at a time: u64_stats_update_begin() and _end(). */
struct netvsc_counters {
	struct u64_stats_sync sync;
	u64_stats_t of[NETVSC_COUNTERS];
};

/* What was read of it. */
struct netvsc_counts {
	u64 of[NETVSC_COUNTERS];
};

/* Of a queue, or of the virtual function on one CPU. */
struct netvsc_traffic {
	struct netvsc_counters rx;
	struct netvsc_counters tx ____cacheline_aligned_in_smp;
} ____cacheline_aligned_in_smp;

/* What the host has of a frame in pages. */
struct netvsc_sent {
	struct sk_buff *skb;
	/* Mapped addresses, in a confidential machine alone; the first is the header's. */
	dma_addr_t *mapped;
};

/* One channel and its queue. */
struct netvsc_queue {
	struct netvsc_adapter *adapter;
	struct vmbus_channel *vmbus;
	struct hv_netvsc_queue *core;
	void *memory;			/* the core's */
	u32 index;
	u32 stops;			/* counted */
	struct hv_netvsc_stall stall;	/* stall_work's */
	bool opened;			/* the channel is to be closed */
	bool ready;			/* the rings are known: packets may be read */
	struct timer_list wait;		/* runs while completions wait for a frame */
	struct napi_struct napi;

	struct netvsc_sent *sent;	/* by page index */
	dma_addr_t *mapped;		/* NETVSC_PIECES each, if to be mapped */
	void *headers;			/* HV_NETVSC_HEADER_ROOM for each */
	struct netvsc_counters *rx;	/* lives in its netvsc_net, as does tx */
	struct xdp_rxq_info xdp_rxq;
	bool xdp_flush;			/* the poll's: a frame was redirected */

	/* Serialises sending; taken with interrupts off, as consoles send from anywhere. */
	spinlock_t lock ____cacheline_aligned_in_smp;
	struct netvsc_counters *tx;
	bool full;			/* the last packet found no room */
};

/* Memory that host and guest share for as long as the adapter is open. */
struct netvsc_buffer {
	void *memory;
	u32 bytes;
	bool lost;			/* the host has not let go of it */
	struct vmbus_gpadl gpadl;
};

/* How an adapter is opened: kept over closing and opening again. */
struct netvsc_config {
	u32 queues;
	u32 receive_bytes;
	u32 send_bytes;
};

/* An adapter that is open. Made anew when MTU, channels or buffers change. */
struct netvsc_adapter {
	struct netvsc_net *net;
	struct netvsc_queue *queues[HV_NETVSC_MOST_QUEUES];
	unsigned int wanted;		/* channels that share the buffers */
	unsigned int granted;		/* channels that will be there, the primary one included */
	unsigned int active;		/* queues that carry frames */
	unsigned int open;		/* channels; under the client's channels_lock */
	wait_queue_head_t opened_one;

	struct netvsc_buffer receive;
	struct netvsc_buffer send;
	struct hv_netvsc_opened opened;
	struct hv_netvsc_facts facts;

	struct hv_answer setup;		/* to an NVSP message */

	struct mutex request_lock;	/* one RNDIS request at a time */
	struct hv_netvsc_conversation conversation;
	struct completion request_done;
	void *page;			/* for the request */
	dma_addr_t page_mapped;
	u32 filter;			/* that the host has */
};

/* Flows whose hash may be made with ports or without. */
enum netvsc_flow {
	NETVSC_TCP4 = BIT(0),
	NETVSC_TCP6 = BIT(1),
	NETVSC_UDP4 = BIT(2),
	NETVSC_UDP6 = BIT(3),
	NETVSC_ALL_FLOWS = NETVSC_TCP4 | NETVSC_TCP6 | NETVSC_UDP4 | NETVSC_UDP6,
};

/* What has no place with a queue, and comes from any of them. Named as in tree. */
struct netvsc_eth_stats {
	atomic_long_t tx_scattered;
	atomic_long_t tx_no_memory;
	atomic_long_t tx_no_space;
	atomic_long_t tx_too_big;
	atomic_long_t tx_busy;
	atomic_long_t tx_send_full;
	atomic_long_t rx_comp_busy;
	atomic_long_t rx_no_memory;
	atomic_long_t stop_queue;
	atomic_long_t wake_queue;
	atomic_long_t vlan_error;
};

/* One network device; lives in its net_device. */
struct netvsc_net {
	struct hv_client client;		/* its lock is RTNL */
	struct net_device *dev;
	struct netvsc_adapter __rcu *adapter;	/* written under RTNL */
	struct netvsc_config config;
	struct bpf_prog __rcu *xdp_prog;	/* written under RTNL */
	u32 msg_enable;
	struct netvsc_adapter *accepting;	/* whose sub-channels are taken */
	u16 send_table[HV_NETVSC_SEND_TABLE];	/* the host's: by a hash, the queue */
	u16 rss_table[HV_NETVSC_RSS_ENTRIES];
	u8 rss_key[HV_NETVSC_RSS_KEY];
	u32 port_hash;				/* enum netvsc_flow bits: ports are hashed, too */

	struct net_device __rcu *vf;		/* the function's interface; written under RTNL */
	struct hv_netvsc_function function;
	struct list_head vf_list;
	struct netvsc_traffic __percpu *vf_traffic;
	struct delayed_work vf_setup_work;
	struct work_struct vf_work;
	bool vf_fresh;				/* joined, and not taken over yet */
	bool vf_linked;				/* has a link, and queues behind it */

	bool link_up;
	bool notify_peers;
	u32 link_speed;				/* Mbit/s; 0: not known */
	struct delayed_work link_work;
	struct delayed_work queues_work;
	struct work_struct filter_work;
	struct delayed_work stall_work;
	u32 alive_id;				/* of the host's last "are you alive" */
	struct delayed_work alive_work;
	struct netvsc_eth_stats eth_stats;
	/* HV_NETVSC_MOST_QUEUES of them; goes on when the adapter is opened anew. */
	struct netvsc_traffic *queue_traffic;
	atomic_long_t rx_dropped;
	atomic_long_t rx_errors;
	atomic_long_t tx_dropped;
	atomic_long_t tx_errors;
};

static inline struct netvsc_adapter *netvsc_adapter_of(struct netvsc_net *net)
{
	return rtnl_dereference(net->adapter);
}

/* It is being removed, or could not be made. Under RTNL. */
static inline bool netvsc_left(const struct netvsc_net *net)
{
	return hv_life_state(&net->client.life) == HV_LIFE_GONE;
}

static inline struct netvsc_net *netvsc_of(struct hv_client *client)
{
	return container_of(client, struct netvsc_net, client);
}

/* netvsc_adapter.c: opening and closing as a whole; under RTNL unless they say otherwise */
int netvsc_open_adapter(struct netvsc_net *net);
void netvsc_close_adapter(struct netvsc_net *net);
int netvsc_reopen_once(struct netvsc_net *net, const struct netvsc_config *config,
		       unsigned int mtu);
void netvsc_attach(struct netvsc_net *net);
int netvsc_reopen(struct netvsc_net *net, const struct netvsc_config *config, unsigned int mtu);
void netvsc_use_queues(struct netvsc_net *net);
unsigned int netvsc_queue_limit(const struct netvsc_adapter *adapter);
void netvsc_queues_work(struct work_struct *work);
int netvsc_set_rss(struct netvsc_net *net);

/* netvsc_buffers.c: memory shared with the host */
int netvsc_share_buffer(struct netvsc_net *net, struct netvsc_buffer *buffer, u32 bytes);
void netvsc_take_back(struct netvsc_net *net, struct netvsc_buffer *buffer);
void netvsc_unshare_buffer(struct netvsc_net *net, struct netvsc_buffer *buffer);
bool netvsc_must_map(void);

/* netvsc_send.c: what is staged is shown to the host; returns enum hv_signal */
int netvsc_publish(struct netvsc_queue *queue);
int netvsc_publish_locked(struct netvsc_queue *queue);
void netvsc_count_full(struct netvsc_queue *queue, bool full);

/* netvsc_poll.c: what comes is taken */
int netvsc_poll(struct napi_struct *napi, int budget);
void netvsc_on_channel(void *context);
void netvsc_wait_expired(struct timer_list *timer);

/* netvsc_channel.c: channels: opening, closing, draining */
extern u32 netvsc_ring_bytes;
struct netvsc_queue *netvsc_open_channel(struct netvsc_adapter *adapter,
					 struct vmbus_channel *vmbus, u32 index);
void netvsc_ready_channel(struct netvsc_queue *queue);
void netvsc_allow_sub_channels(struct netvsc_adapter *adapter);
int netvsc_add_channel(struct hv_client *client, struct vmbus_channel *vmbus);
bool netvsc_close_channels(struct netvsc_adapter *adapter);
void netvsc_drain(struct netvsc_adapter *adapter);

/* netvsc_dialogue.c: what is asked and answered one by one; may sleep */
int netvsc_converse(struct netvsc_adapter *adapter);
int netvsc_ask_sub_channels(struct netvsc_adapter *adapter, u32 count);
int netvsc_set_filter(struct netvsc_adapter *adapter, u32 filter);
int netvsc_set_mac(struct netvsc_adapter *adapter, const u8 *mac);
int netvsc_set_offloads(struct netvsc_adapter *adapter, bool rsc);
int netvsc_switch_path(struct netvsc_adapter *adapter);
int netvsc_set_rss_once(struct netvsc_adapter *adapter, bool off);
void netvsc_revoke(struct netvsc_adapter *adapter);
void netvsc_halt(struct netvsc_adapter *adapter);
void netvsc_keep_alive(struct netvsc_adapter *adapter, u32 id);
void netvsc_unmap_page(struct netvsc_adapter *adapter);
void netvsc_take_answer(struct netvsc_adapter *adapter, const struct hv_netvsc_event *event);
void netvsc_take_control(struct netvsc_adapter *adapter, const struct hv_netvsc_event *event);

/* netvsc_health.c: adapters that their host broke */
extern const struct hv_client_ops netvsc_client_ops;
void netvsc_stall_work(struct work_struct *work);
void netvsc_alive_work(struct work_struct *work);

/* netvsc_describe.c */
bool netvsc_describe(const struct netvsc_adapter *adapter, struct sk_buff *skb,
		     struct hv_netvsc_frame *frame);

/* netvsc_xmit.c */
netdev_tx_t netvsc_start_xmit(struct sk_buff *skb, struct net_device *dev);
void netvsc_frame_sent(struct netvsc_queue *queue, const struct hv_netvsc_event *event, int budget);
void netvsc_forget_frames(struct netvsc_queue *queue);
void netvsc_wake(struct netvsc_queue *queue);
int netvsc_send_bytes(struct netvsc_queue *queue, const void *bytes,
		      const struct hv_netvsc_frame *frame);
void netvsc_flush_queue(struct netvsc_queue *queue, unsigned int xdp_frames);

/* netvsc_receive.c */
void netvsc_frame_received(struct netvsc_queue *queue, const struct hv_netvsc_event *event);

/* netvsc_xdp.c */
bool netvsc_xdp_takes_mtu(unsigned int mtu);
int netvsc_xdp_open(struct netvsc_queue *queue);
void netvsc_xdp_close(struct netvsc_queue *queue);
struct sk_buff *netvsc_run_xdp(struct netvsc_queue *queue, const struct hv_netvsc_event *event,
			       struct bpf_prog *prog);
void netvsc_xdp_flush(struct netvsc_queue *queue);
int netvsc_xdp_xmit(struct net_device *dev, int count, struct xdp_frame **frames, u32 flags);
int netvsc_bpf(struct net_device *dev, struct netdev_bpf *bpf);

/* netvsc_vf.c: the virtual function; under RTNL unless they say otherwise */
extern struct notifier_block netvsc_vf_notifier;
struct net_device *netvsc_vf_carrying(struct netvsc_net *net);
int netvsc_vf_set_xdp(struct net_device *vf, struct bpf_prog *prog, struct netlink_ext_ack *extack);
u16 netvsc_vf_select_queue(struct net_device *vf, struct sk_buff *skb);
void netvsc_vf_xmit(struct netvsc_net *net, struct net_device *vf, struct sk_buff *skb);
void netvsc_vf_settle(struct netvsc_net *net);
void netvsc_vf_leave(struct netvsc_net *net);
void netvsc_vf_list(struct netvsc_net *net);
void netvsc_vf_unlist(struct netvsc_net *net);
void netvsc_vf_told(struct netvsc_net *net, bool allocated, u32 serial);
void netvsc_vf_set_features(struct net_device *vf, netdev_features_t features);
void netvsc_change_rx_flags(struct net_device *dev, int change);
void netvsc_vf_setup_work(struct work_struct *work);
void netvsc_vf_work(struct work_struct *work);

/* netvsc_settings.c: what the host can do and is to do */
void netvsc_adopt_features(struct netvsc_net *net);
void netvsc_filter_work(struct work_struct *work);
int netvsc_apply_filter(struct netvsc_net *net);

/* netvsc_netdev.c */
extern const struct net_device_ops netvsc_netdev_ops;

/* netvsc_link.c */
void netvsc_link_told(struct netvsc_net *net, int told, u32 value);
void netvsc_link_work(struct work_struct *work);
void netvsc_show_link(struct netvsc_net *net);

/* netvsc_ethtool.c, netvsc_stats.c */
extern const struct ethtool_ops netvsc_ethtool_ops;
int netvsc_get_sset_count(struct net_device *dev, int set);
void netvsc_get_strings(struct net_device *dev, u32 set, u8 *data);
void netvsc_get_ethtool_stats(struct net_device *dev, struct ethtool_stats *stats, u64 *data);
int netvsc_create_stats(struct netvsc_net *net);
void netvsc_destroy_stats(struct netvsc_net *net);
void netvsc_get_stats64(struct net_device *dev, struct rtnl_link_stats64 *stats);

#endif
