/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Following the packet filter of the host. The socket belongs to the lane; what has come crosses to the loop
 * as a set of names.
 */
#include "interfaces/nftables-source.h"

#include "base/lane.h"
#include "base/listeners.h"
#include "base/log.h"
#include "base/loop.h"

#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

/* One datagram of the kernel is at most this long. */
#define BUFFER_SIZE (64 * 1024)
/* Datagrams taken in one job of the lane. */
#define BATCH 512

struct nft_source {
        /* atomic */
        gint refs;
        /* const */
        struct loop *loop; /* borrowed */
        struct lane *lane; /* ref */
        /* loop */
        struct listeners listeners;
        bool ended;
        /* lane */
        struct nl_sock *socket;   /* owned; NULL when not open */
        struct lane_watch *ready; /* owned */
        char *buffer;             /* owned, BUFFER_SIZE */
};

static struct nft_source *source_ref(struct nft_source *source)
{
        g_atomic_int_inc(&source->refs);
        return source;
}

static void source_unref(struct nft_source *source)
{
        if (!g_atomic_int_dec_and_test(&source->refs))
                return;
        listeners_done(&source->listeners);
        lane_unref(source->lane);
        g_free(source->buffer);
        g_free(source);
}

/* ---- to the loop ---- */

struct arrival {
        struct nft_source *source; /* ref */
        GHashTable *tables;        /* owned; NULL: all */
};

static void arrive(void *data)
{
        struct arrival *arrival = data;

        if (!arrival->source->ended)
                LISTENERS_TELL(&arrival->source->listeners, nft_source_fn, arrival->tables);
        g_clear_pointer(&arrival->tables, g_hash_table_unref);
        source_unref(arrival->source);
        g_free(arrival);
}

/* Takes tables. */
static void send_tables(struct nft_source *source, GHashTable *tables)
{
        struct arrival *arrival = g_new(struct arrival, 1);

        *arrival = (struct arrival){ source_ref(source), tables };
        loop_post(source->loop, arrive, arrival);
}

/* ---- from the kernel ---- */

static bool is_of_interest(int type)
{
        static const int types[] = { NFT_MSG_NEWTABLE, NFT_MSG_DELTABLE, NFT_MSG_NEWCHAIN,
                                     NFT_MSG_DELCHAIN, NFT_MSG_DELRULE,  NFT_MSG_DELSETELEM };

        for (unsigned i = 0; i < G_N_ELEMENTS(types); i++)
                if (type == (NFNL_SUBSYS_NFTABLES << 8 | types[i]))
                        return true;
        return false;
}

/* The numbers that libnl gives to sockets have that of the process in them. */
#define PROCESS_BITS 22

static bool is_own(const struct nlmsghdr *header)
{
        return ((header->nlmsg_pid ^ (uint32_t)getpid()) & ((1U << PROCESS_BITS) - 1)) == 0;
}

/* NFTA_TABLE_NAME, NFTA_CHAIN_TABLE, NFTA_RULE_TABLE and NFTA_SET_ELEM_LIST_TABLE are one number. */
static void take(GHashTable *tables, struct nlmsghdr *header)
{
        const struct nlattr *attr;

        if (!is_of_interest(header->nlmsg_type) || is_own(header))
                return;
        attr = nlmsg_find_attr(header, sizeof(struct nfgenmsg), NFTA_TABLE_NAME);
        if (attr && nla_len(attr) > 0)
                g_hash_table_add(tables, g_strndup(nla_data(attr), (gsize)nla_len(attr)));
}

/* False: the kernel had to drop something. */
static bool read_all(struct nft_source *source, GHashTable *tables)
{
        int fd = nl_socket_get_fd(source->socket);

        for (unsigned i = 0; i < BATCH; i++) {
                ssize_t length = recv(fd, source->buffer, BUFFER_SIZE, MSG_DONTWAIT);
                struct nlmsghdr *header = (void *)source->buffer;
                int rest = (int)length;

                if (length < 0)
                        return errno != ENOBUFS;
                for (; nlmsg_ok(header, rest); header = nlmsg_next(header, &rest))
                        take(tables, header);
        }
        return true;
}

static void handle_ready(void *data)
{
        struct nft_source *source = data;
        GHashTable *tables = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        bool whole = read_all(source, tables) && g_hash_table_size(tables) <= NFT_SOURCE_TABLES_MAX;

        if (whole && g_hash_table_size(tables) > 0) {
                send_tables(source, tables);
                return;
        }
        g_hash_table_unref(tables);
        if (!whole)
                send_tables(source, NULL);
}

static void open_socket(void *data)
{
        struct nft_source *source = data;
        g_autoptr(GError) error = NULL;
        int result;

        source->socket = nl_socket_alloc();
        nl_socket_disable_seq_check(source->socket);
        result = nl_connect(source->socket, NETLINK_NETFILTER);
        if (result == 0)
                result = nl_socket_add_membership(source->socket, NFNLGRP_NFTABLES);
        if (result < 0) {
                log_debug("what others do to the packet filter is not followed: %s", nl_geterror(result));
                return;
        }
        nl_socket_set_nonblocking(source->socket);
        source->ready = lane_watch_new(source->lane, nl_socket_get_fd(source->socket), POLLIN, handle_ready,
                                       source, &error);
        if (!source->ready)
                log_gerror(LOG_LEVEL_WARNING, error, "what others do to the packet filter is not followed");
}

/* ---- life ---- */

struct nft_source *nft_source_new(struct loop *loop, struct pool *pool)
{
        struct nft_source *source = g_new0(struct nft_source, 1);

        source->refs = 1;
        source->loop = loop;
        source->lane = lane_new(pool, loop, "packet filter");
        source->buffer = g_malloc(BUFFER_SIZE);
        lane_post(source->lane, open_socket, source);
        return source;
}

void nft_source_listen(struct nft_source *source, nft_source_fn fn, void *data)
{
        listeners_add(&source->listeners, LISTENER(fn), data);
}

void nft_source_unlisten(struct nft_source *source, nft_source_fn fn, void *data)
{
        listeners_remove(&source->listeners, LISTENER(fn), data);
}

static void close_socket(void *data)
{
        struct nft_source *source = data;

        if (source->ready)
                lane_watch_free(g_steal_pointer(&source->ready));
        if (source->socket)
                nl_socket_free(g_steal_pointer(&source->socket));
        source_unref(source);
}

void nft_source_free(struct nft_source *source)
{
        if (!source)
                return;
        source->ended = true;
        lane_post_urgent(source->lane, close_socket, source);
}
