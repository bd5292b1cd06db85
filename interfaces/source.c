/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Following the links of the host. The sockets and the table belong to the lane, the published set and the
 * listeners to the loop; sets cross by loop_post().
 */
#include "interfaces/source.h"

#include "base/error.h"
#include "base/lane.h"
#include "base/listeners.h"
#include "base/log.h"
#include "base/loop.h"
#include "interfaces/ethtool.h"
#include "interfaces/netlink.h"
#include "interfaces/table.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

/* What the kernel may queue for us; beyond it drops, and everything is read again. */
#define QUEUE_BYTES (8 * 1024 * 1024)
/* One datagram of the kernel is at most this long. */
#define BUFFER_SIZE (64 * 1024)
/* Datagrams taken in one job of the lane; what is behind them waits for the next. */
#define BATCH 512
/* The kernel drops some routes without a word; they are read again when nothing has happened for so long. */
#define ROUTES_PAUSE_MS 50
/* After a failure. */
#define RETRY_MS 1000

struct link_source {
        /* atomic */
        gint refs;
        /* const */
        struct loop *loop; /* borrowed */
        struct lane *lane; /* ref */
        void (*hook)(struct link_set *set, void *data);
        void *hook_data; /* borrowed */
        /* loop */
        struct link_set *set; /* ref; NULL before the first */
        struct listeners listeners;
        bool ended;
        /* lane */
        struct netlink *requests;         /* owned; NULL when not open */
        struct nl_sock *events;           /* owned; likewise */
        struct lane_watch *ready;         /* owned */
        struct lane_timer *publish_timer; /* owned; NULL: none is set */
        struct lane_timer *routes_timer;  /* owned; NULL: none is set */
        struct lane_timer *retry_timer;   /* owned; NULL: none is set */
        struct link_table *table;         /* owned */
        char *buffer;                     /* owned, BUFFER_SIZE */
        int ethtool_fd;                   /* owned; -1: none */
        gint64 published_us;              /* when the last set was sent, monotonic */
        bool changed;                     /* the table has more than was sent */
        bool overrun;                     /* the kernel dropped events */
};

static void open_all(void *data);

/* ---- life ---- */

static struct link_source *source_ref(struct link_source *source)
{
        g_atomic_int_inc(&source->refs);
        return source;
}

static void source_unref(void *data)
{
        struct link_source *source = data;

        if (!g_atomic_int_dec_and_test(&source->refs))
                return;
        g_assert(!source->events);
        link_set_unref(source->set);
        listeners_done(&source->listeners);
        lane_unref(source->lane);
        g_free(source->buffer);
        g_free(source);
}

struct link_source *link_source_new(struct loop *loop, struct pool *pool)
{
        struct link_source *source = g_new0(struct link_source, 1);

        source->refs = 1;
        source->loop = loop;
        source->lane = lane_new(pool, loop, "interfaces");
        source->buffer = g_malloc(BUFFER_SIZE);
        source->ethtool_fd = -1;
        return source;
}

static void clear_timer(struct lane_timer **timer)
{
        if (*timer)
                lane_timer_free(g_steal_pointer(timer));
}

/* Lane. */
static void close_all(struct link_source *source)
{
        clear_timer(&source->publish_timer);
        clear_timer(&source->routes_timer);
        clear_timer(&source->retry_timer);
        if (source->ready)
                lane_watch_free(g_steal_pointer(&source->ready));
        if (source->events)
                nl_socket_free(g_steal_pointer(&source->events));
        g_clear_pointer(&source->requests, netlink_free);
        g_clear_pointer(&source->table, link_table_free);
        fd_cleanup(&source->ethtool_fd);
        source->ethtool_fd = -1;
}

static void end(void *data)
{
        close_all(data);
        source_unref(data);
}

void link_source_free(struct link_source *source)
{
        if (!source)
                return;
        source->ended = true;
        lane_post_urgent(source->lane, end, source);
}

/* ---- to the loop ---- */

struct arrival {
        struct link_source *source; /* ref */
        struct link_set *set;       /* ref */
};

static void arrive(void *data)
{
        struct arrival *arrival = data;
        struct link_source *source = arrival->source;
        struct link_set *before = source->set;

        if (source->ended) {
                link_set_unref(arrival->set);
        } else {
                source->set = arrival->set;
                LISTENERS_TELL(&source->listeners, link_source_listener, before, source->set);
                link_set_unref(before);
        }
        source_unref(source);
        g_free(arrival);
}

/* Lane. Takes set. */
static void send_set(struct link_source *source, struct link_set *set)
{
        struct arrival *arrival = g_new(struct arrival, 1);

        *arrival = (struct arrival){ source_ref(source), set };
        if (source->hook)
                source->hook(set, source->hook_data);
        loop_post(source->loop, arrive, arrival);
}

/* Lane. */
static void publish(struct link_source *source)
{
        clear_timer(&source->publish_timer);
        source->changed = false;
        source->published_us = g_get_monotonic_time();
        send_set(source, link_table_get_set(source->table));
}

static void publish_late(void *data)
{
        publish(data);
}

/* Lane: at once when the last set is old enough, else as soon as it is. */
static void publish_soon(struct link_source *source)
{
        gint64 age_ms = (g_get_monotonic_time() - source->published_us) / 1000;

        if (!source->changed || source->publish_timer)
                return;
        if (age_ms >= LINK_SOURCE_PAUSE_MS)
                publish(source);
        else
                source->publish_timer = lane_timer_new(
                        source->lane, (unsigned)(LINK_SOURCE_PAUSE_MS - age_ms), publish_late, source);
}

/* ---- reading everything ---- */

static unsigned get_speed(const char *name, void *data)
{
        const struct link_source *source = data;

        return ethtool_get_speed(source->ethtool_fd, name);
}

static void take_dumped(struct nlmsghdr *header, void *data)
{
        link_table_take(data, header);
}

static bool read_all(struct link_source *source, GError **error)
{
        static const int types[] = { RTM_GETLINK, RTM_GETADDR, RTM_GETROUTE };
        CLEANUP(link_table_free) struct link_table *table = link_table_new(get_speed, source);

        for (unsigned i = 0; i < G_N_ELEMENTS(types); i++) {
                const struct netlink_dump dump = { .type = types[i], .fn = take_dumped, .data = table };

                if (!netlink_dump(source->requests, &dump, error))
                        return false;
        }
        link_table_free(source->table);
        source->table = g_steal_pointer(&table);
        source->changed = true;
        return true;
}

static void read_routes(void *data)
{
        struct link_source *source = data;
        const struct netlink_dump dump = { .type = RTM_GETROUTE, .fn = take_dumped, .data = source->table };
        g_autoptr(GError) error = NULL;

        clear_timer(&source->routes_timer);
        link_table_drop_routes(source->table);
        if (!netlink_dump(source->requests, &dump, &error))
                log_gerror(LOG_LEVEL_WARNING, error, "routes of the host");
        source->changed = true;
        publish_soon(source);
}

/* ---- events ---- */

static void take_event(struct link_source *source, const struct nlmsghdr *header)
{
        enum link_table_change change;

        /* What is behind a gap is read with everything else. */
        if (source->overrun)
                return;
        change = link_table_take(source->table, header);

        source->changed = source->changed || change != LINK_TABLE_SAME;
        if (change != LINK_TABLE_ROUTES_STALE)
                return;
        clear_timer(&source->routes_timer);
        source->routes_timer = lane_timer_new(source->lane, ROUTES_PAUSE_MS, read_routes, source);
}

/* False when there is nothing more to read now. */
static bool take_datagram(struct link_source *source)
{
        ssize_t length = recv(nl_socket_get_fd(source->events), source->buffer, BUFFER_SIZE, MSG_DONTWAIT);
        struct nlmsghdr *header = (void *)source->buffer;
        int rest = (int)length;

        if (length < 0) {
                source->overrun = source->overrun || errno == ENOBUFS;
                return errno == EINTR || errno == ENOBUFS;
        }
        for (; nlmsg_ok(header, rest); header = nlmsg_next(header, &rest))
                take_event(source, header);
        return true;
}

static void retry(struct link_source *source, const GError *error)
{
        log_gerror(LOG_LEVEL_WARNING, error, "links of the host");
        close_all(source);
        /* Who waits for the links has none until it is better. */
        if (source->published_us == 0)
                send_set(source, link_set_new(NULL, 0));
        source->published_us = g_get_monotonic_time();
        source->retry_timer = lane_timer_new(source->lane, RETRY_MS, open_all, source);
}

/* After an overrun: what was dropped is in what is read now. */
static void catch_up(struct link_source *source)
{
        g_autoptr(GError) error = NULL;

        if (!source->overrun)
                return;
        source->overrun = false;
        log_info("the kernel dropped events of links: reading all of them again");
        if (!read_all(source, &error))
                retry(source, error);
}

static void on_events(void *data)
{
        struct link_source *source = data;

        bool more = true;

        for (unsigned i = 0; i < BATCH && more; i++)
                more = take_datagram(source);
        /* Until all was read the kernel drops what comes, and says so only once (netlink_overrun()). */
        if (!more)
                catch_up(source);
        if (source->table)
                publish_soon(source);
}

/* ---- opening ---- */

static bool join_groups(struct nl_sock *socket)
{
        return nl_socket_add_memberships(socket, RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
                                         RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE, 0) == 0;
}

static bool open_events(struct link_source *source, GError **error)
{
        int size = QUEUE_BYTES, fd;

        source->events = nl_socket_alloc();
        if (!source->events || nl_connect(source->events, NETLINK_ROUTE) < 0 || !join_groups(source->events))
                return error_set_errno(error, ERROR_FROM_INTERFACE, errno,
                                       "cannot follow the links of the host");
        fd = nl_socket_get_fd(source->events);
        /* The second needs no right, the first is not held back by the host's limit. */
        if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
                setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
        nl_socket_set_nonblocking(source->events);
        source->ready = lane_watch_new(source->lane, fd, POLLIN, on_events, source, error);
        return source->ready != NULL;
}

/* Events are followed before everything is read, so that nothing is missed in between. */
static void open_all(void *data)
{
        struct link_source *source = data;
        g_autoptr(GError) error = NULL;

        clear_timer(&source->retry_timer);
        source->ethtool_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        source->requests = netlink_new(source->lane, &error);
        if (source->requests && open_events(source, &error) && read_all(source, &error))
                publish(source);
        else
                retry(source, error);
}

void link_source_start(struct link_source *source)
{
        lane_post(source->lane, open_all, source);
}

/* ---- what others ask; loop ---- */

void link_source_listen(struct link_source *source, link_source_listener fn, void *data)
{
        listeners_add(&source->listeners, LISTENER(fn), data);
}

void link_source_unlisten(struct link_source *source, link_source_listener fn, void *data)
{
        listeners_remove(&source->listeners, LISTENER(fn), data);
}

void link_source_set_hook(struct link_source *source, void (*fn)(struct link_set *set, void *data),
                          void *data)
{
        source->hook = fn;
        source->hook_data = data;
}

struct link_set *link_source_get(const struct link_source *source)
{
        return source->set;
}

struct lane *link_source_get_lane(const struct link_source *source)
{
        return source->lane;
}

/* ---- what others ask; lane ---- */

struct netlink *link_source_get_netlink(struct link_source *source, GError **error)
{
        if (!source->requests)
                error_set(error, ERROR_FROM_INTERFACE, ERROR_OPERATION_FAILED,
                          "the links of the host cannot be read");
        return source->requests;
}

void link_source_settle(struct link_source *source)
{
        if (!source->table)
                return;
        while (take_datagram(source))
                ;
        catch_up(source);
        if (source->table && source->changed)
                publish(source);
}

struct link_set *link_source_snapshot(struct link_source *source)
{
        return source->table ? link_table_get_set(source->table) : link_set_new(NULL, 0);
}
