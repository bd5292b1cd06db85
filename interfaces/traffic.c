/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Traffic control by rtnetlink(7). In the lane of the socket.
 */
#include "interfaces/traffic.h"

#include "base/error.h"
#include "interfaces/netlink.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <string.h>

#define ROOT_HANDLE  TC_H_MAKE(1U << 16, 0)
#define CLASS_HANDLE TC_H_MAKE(1U << 16, 1)
/* Of a link that is shared: what has no class of its own. */
#define REST_HANDLE    TC_H_MAKE(1U << 16, 2)
#define INGRESS_HANDLE TC_H_MAKE(TC_H_INGRESS, 0)

/* The kernel counts the time that a burst takes in units of 64 ns (PSCHED_SHIFT, /proc/net/psched). */
#define TICK_NS 64
/* What goes out at once when the document does not say: what the rate brings in this time, and one packet. */
#define BURST_MS  10
#define BURST_MIN 65536

static bool is_limited(const struct traffic_rate *rate)
{
        return rate->average_kbps > 0;
}

bool traffic_is_limited(const struct traffic *traffic)
{
        return is_limited(&traffic->inbound) || is_limited(&traffic->outbound);
}

bool traffic_equal(const struct traffic *a, const struct traffic *b)
{
        return memcmp(a, b, sizeof(*a)) == 0;
}

struct traffic traffic_turn(const struct traffic *traffic)
{
        return (struct traffic){ .inbound = traffic->outbound, .outbound = traffic->inbound };
}

/* ---- numbers ---- */

static uint64_t to_bytes(uint32_t kbps)
{
        return (uint64_t)kbps * 1000;
}

static uint64_t get_burst(const struct traffic_rate *rate, uint64_t bytes_per_s)
{
        return rate->burst_kib ? (uint64_t)rate->burst_kib * 1024
                               : MAX(bytes_per_s * BURST_MS / 1000, BURST_MIN);
}

static uint32_t to_ticks(uint64_t burst, uint64_t bytes_per_s)
{
        uint64_t ticks = burst * (UINT64_C(1000000000) / TICK_NS) / bytes_per_s;

        return (uint32_t)CLAMP(ticks, 1, UINT32_MAX);
}

/* The kernel needs the cell only to find out about ATM, unless it is told. */
static struct tc_ratespec make_rate(uint64_t bytes_per_s)
{
        return (struct tc_ratespec){
                .cell_log = 3,
                .linklayer = TC_LINKLAYER_ETHERNET,
                .rate = (uint32_t)MIN(bytes_per_s, UINT32_MAX),
        };
}

/* ---- messages ---- */

static struct nl_msg *make(int type, int flags, const struct link *link, uint32_t handle, uint32_t parent,
                           uint32_t info, const char *kind)
{
        struct tcmsg header = {
                .tcm_ifindex = link->index, .tcm_handle = handle, .tcm_parent = parent, .tcm_info = info
        };
        struct nl_msg *message = nlmsg_alloc_simple(type, NLM_F_REQUEST | flags);

        nlmsg_append(message, &header, sizeof(header), NLMSG_ALIGNTO);
        if (kind)
                nla_put_string(message, TCA_KIND, kind);
        return message;
}

static bool request(struct netlink *netlink, struct nl_msg *message, const char *what,
                    const struct link *link, GError **error)
{
        g_autofree char *text = g_strdup_printf("%s '%s'", what, link->name);

        return netlink_request(netlink, message, text, NULL, error);
}

/* ---- to the guests ---- */

static bool add_shaper(struct netlink *netlink, const struct link *link, uint32_t rest, GError **error)
{
        struct nl_msg *message =
                make(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE, link, ROOT_HANDLE, TC_H_ROOT, 0, "htb");
        struct tc_htb_glob options = { .version = 3, .rate2quantum = 10, .defcls = TC_H_MIN(rest) };
        struct nlattr *nest = nla_nest_start(message, TCA_OPTIONS);

        nla_put(message, TCA_HTB_INIT, sizeof(options), &options);
        nla_nest_end(message, nest);
        return request(netlink, message, "shape what goes out of", link, error);
}

struct traffic_class {
        uint32_t handle, parent;
};

static const struct traffic_class whole = { CLASS_HANDLE, ROOT_HANDLE }, rest = { REST_HANDLE, CLASS_HANDLE };

/* Makes the class, or changes it. */
static bool put_class(struct netlink *netlink, const struct link *link, const struct traffic_class *class,
                      const struct traffic_rate *rate, GError **error)
{
        struct nl_msg *message =
                make(RTM_NEWTCLASS, NLM_F_CREATE, link, class->handle, class->parent, 0, "htb");
        uint64_t average = to_bytes(rate->average_kbps);
        uint64_t peak = rate->peak_kbps ? to_bytes(rate->peak_kbps) : average;
        uint64_t burst = get_burst(rate, average);
        struct tc_htb_opt options = {
                .rate = make_rate(average),
                .ceil = make_rate(peak),
                .buffer = to_ticks(burst, average),
                .cbuffer = to_ticks(MAX(peak * BURST_MS / 1000, BURST_MIN), peak),
        };
        struct nlattr *nest = nla_nest_start(message, TCA_OPTIONS);

        nla_put(message, TCA_HTB_PARMS, sizeof(options), &options);
        nla_put_u64(message, TCA_HTB_RATE64, average);
        nla_put_u64(message, TCA_HTB_CEIL64, peak);
        nla_nest_end(message, nest);
        return request(netlink, message, "limit what goes out of", link, error);
}

/* ---- from the guests ---- */

static bool add_ingress(struct netlink *netlink, const struct link *link, GError **error)
{
        return request(netlink,
                       make(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, link, INGRESS_HANDLE, TC_H_INGRESS, 0,
                            "ingress"),
                       "look at what comes into", link, error);
}

/* The rate's table of the times that packets take is asked for, and not used any more. */
static void put_police(struct nl_msg *message, const struct traffic_rate *rate)
{
        static const uint8_t table[TC_RTAB_SIZE];
        uint64_t average = to_bytes(rate->average_kbps);
        struct tc_police options = {
                .action = TC_POLICE_SHOT,
                .burst = to_ticks(get_burst(rate, average), average),
                .rate = make_rate(average),
        };

        nla_put(message, TCA_POLICE_TBF, sizeof(options), &options);
        nla_put(message, TCA_POLICE_RATE, sizeof(table), table);
        nla_put_u64(message, TCA_POLICE_RATE64, average);
}

static bool add_police(struct netlink *netlink, const struct link *link, const struct traffic_rate *rate,
                       GError **error)
{
        struct nl_msg *message = make(RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL, link, 0, INGRESS_HANDLE,
                                      TC_H_MAKE(1U << 16, htons(ETH_P_ALL)), "matchall");
        struct nlattr *options = nla_nest_start(message, TCA_OPTIONS), *actions, *action, *police;

        actions = nla_nest_start(message, TCA_MATCHALL_ACT);
        action = nla_nest_start(message, 1);
        nla_put_string(message, TCA_ACT_KIND, "police");
        police = nla_nest_start(message, TCA_ACT_OPTIONS);
        put_police(message, rate);
        nla_nest_end(message, police);
        nla_nest_end(message, action);
        nla_nest_end(message, actions);
        nla_nest_end(message, options);
        return request(netlink, message, "limit what comes into", link, error);
}

/* ---- all of it ---- */

/* There may be none of either. */
static void clear(struct netlink *netlink, const struct link *link)
{
        request(netlink, make(RTM_DELQDISC, 0, link, 0, TC_H_ROOT, 0, NULL), "clear", link, NULL);
        request(netlink, make(RTM_DELQDISC, 0, link, INGRESS_HANDLE, TC_H_INGRESS, 0, NULL), "clear", link,
                NULL);
}

static bool set_limits(struct netlink *netlink, const struct link *link, const struct traffic *traffic,
                       GError **error)
{
        if (is_limited(&traffic->inbound) && (!add_shaper(netlink, link, CLASS_HANDLE, error) ||
                                              !put_class(netlink, link, &whole, &traffic->inbound, error)))
                return false;
        return !is_limited(&traffic->outbound) ||
               (add_ingress(netlink, link, error) && add_police(netlink, link, &traffic->outbound, error));
}

/* Packets for a guest that does not take them are dropped by its tap; a queue before that is in their way. */
static void set_noqueue(struct netlink *netlink, const struct link *link)
{
        request(netlink, make(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE, link, 0, TC_H_ROOT, 0, "noqueue"),
                "take the queue of", link, NULL);
}

bool traffic_set(struct netlink *netlink, const struct link *link, const struct traffic *traffic,
                 GError **error)
{
        clear(netlink, link);
        if (!is_limited(&traffic->inbound))
                set_noqueue(netlink, link);
        if (set_limits(netlink, link, traffic, error))
                return true;
        clear(netlink, link);
        return false;
}

/* ---- what is guaranteed to some of what a link has ---- */

bool traffic_set_shared(struct netlink *netlink, const struct link *link, const struct traffic *traffic,
                        GError **error)
{
        clear(netlink, link);
        if (is_limited(&traffic->inbound) && (!add_shaper(netlink, link, REST_HANDLE, error) ||
                                              !put_class(netlink, link, &whole, &traffic->inbound, error) ||
                                              !put_class(netlink, link, &rest, &traffic->inbound, error)))
                return false;
        return !is_limited(&traffic->outbound) ||
               (add_ingress(netlink, link, error) && add_police(netlink, link, &traffic->outbound, error));
}

/* How much of a link's rate something has for itself; it may use all of the rest that nobody else uses. */
static struct traffic_rate make_share(const struct traffic_rate *rate, uint32_t kbps)
{
        return (struct traffic_rate){
                .average_kbps = MAX(kbps, 1),
                .peak_kbps = MAX(rate->peak_kbps, rate->average_kbps),
                .burst_kib = rate->burst_kib,
        };
}

/* Keys are words at offsets from the network's header, before which the addresses stand. */
static void put_mac(struct tc_u32_key keys[2], const uint8_t mac[6])
{
        keys[0] = (struct tc_u32_key){ .off = -16,
                                       .mask = htonl(0xffff),
                                       .val = htonl((uint32_t)mac[0] << 8 | mac[1]) };
        keys[1] = (struct tc_u32_key){ .off = -12,
                                       .mask = UINT32_MAX,
                                       .val = htonl((uint32_t)mac[2] << 24 | (uint32_t)mac[3] << 16 |
                                                    (uint32_t)mac[4] << 8 | mac[5]) };
}

/* The priority is the class's number, too, so that it can be found again. */
static uint32_t make_filter_info(uint16_t class)
{
        return TC_H_MAKE((uint32_t) class << 16, htons(ETH_P_ALL));
}

static bool add_filter(struct netlink *netlink, const struct link *link, const struct traffic_share *share,
                       GError **error)
{
        struct nl_msg *message = make(RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL, link, 0, ROOT_HANDLE,
                                      make_filter_info(share->class), "u32");
        struct nlattr *options = nla_nest_start(message, TCA_OPTIONS);
        struct {
                struct tc_u32_sel sel;
                struct tc_u32_key keys[2];
        } selector = { .sel = { .flags = TC_U32_TERMINAL, .nkeys = 2 } };

        put_mac(selector.keys, share->mac);
        nla_put_u32(message, TCA_U32_CLASSID, ROOT_HANDLE | share->class);
        nla_put(message, TCA_U32_SEL, sizeof(selector), &selector);
        nla_nest_end(message, options);
        return request(netlink, message, "find a guest's traffic on", link, error);
}

static void remove_filter(struct netlink *netlink, const struct link *link, uint16_t class)
{
        request(netlink, make(RTM_DELTFILTER, 0, link, 0, ROOT_HANDLE, make_filter_info(class), NULL),
                "forget a guest's traffic on", link, NULL);
}

bool traffic_add_share(struct netlink *netlink, const struct link *link, const struct traffic *traffic,
                       const struct traffic_share *share, GError **error)
{
        struct traffic_rate rate = make_share(&traffic->inbound, share->kbps);
        const struct traffic_class class = { ROOT_HANDLE | share->class, CLASS_HANDLE };

        remove_filter(netlink, link, share->class);
        if (!put_class(netlink, link, &class, &rate, error))
                return false;
        if (add_filter(netlink, link, share, error))
                return true;
        traffic_remove_share(netlink, link, share->class);
        return false;
}

void traffic_remove_share(struct netlink *netlink, const struct link *link, uint16_t class)
{
        remove_filter(netlink, link, class);
        request(netlink, make(RTM_DELTCLASS, 0, link, ROOT_HANDLE | class, ROOT_HANDLE, 0, NULL),
                "take back a guest's share of", link, NULL);
}

bool traffic_set_rest(struct netlink *netlink, const struct link *link, const struct traffic *traffic,
                      uint32_t kbps, GError **error)
{
        struct traffic_rate rate = make_share(&traffic->inbound, kbps);

        return put_class(netlink, link, &rest, &rate, error);
}
