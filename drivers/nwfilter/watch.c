/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Rules that others remove while the agent runs: the kernel tells, the table is looked at, and what is
 * missing is put back. Transactions of nft(8) that the agent starts are told as well; after those all is
 * there. On the loop, but for *_job.
 */
#include "base/lane.h"
#include "base/log.h"
#include "base/loop.h"
#include "drivers/nwfilter/model.h"
#include "interfaces/netlink.h"
#include "interfaces/nftables-source.h"

/* Who takes rules away all the time gets them put back so often, and then once in the pause. */
#define REPAIRS_MAX 10
#define PAUSE_MS    60000

struct look {
        struct nwfilter_work work;
        struct nwfilter_snapshot *snapshot; /* ref */
        GPtrArray *ports;                   /* owned; refs: all */
        GHashTable *learned;                /* owned; device to what it has learned */
        GPtrArray *missing;                 /* owned; borrowed from ports: without all of their rules */
        bool failed;                        /* that is not known */
};

static void clear_look(struct nwfilter_work *work)
{
        struct look *look = (struct look *)work;

        nwfilter_snapshot_unref(look->snapshot);
        g_hash_table_unref(look->learned);
        g_ptr_array_unref(look->missing);
        g_ptr_array_unref(look->ports);
}

/* ---- what is missing is put back ---- */

static void put_back(void *data)
{
        struct look *look = data;

        /* Whoever applied something meanwhile looks again. */
        nwfilters_forget_snapshot(look->work.nwfilters);
        nwfilters_settle_ports(look->work.nwfilters, look->ports, NULL);
        nwfilter_work_end(&look->work);
}

static void put_back_job(void *data)
{
        struct look *look = data;
        struct nwfilters *nwfilters = look->work.nwfilters;
        g_autoptr(GString) text = g_string_new(NULL);
        g_autoptr(GError) error = NULL;

        nwfilter_table_begin(text);
        nwfilter_ports_put_each(look->snapshot, look->missing, look->learned, text);
        if (!nwfilter_nft_run(nwfilters->lane, text->str, &error))
                log_gerror(LOG_LEVEL_ERROR, error, "the rules of guests' interfaces are not put back");
        loop_post(nwfilters->loop, put_back, look);
}

/* ---- a look ---- */

static void begin_looking(struct nwfilters *nwfilters);

static void look_again(void *data)
{
        struct nwfilters *nwfilters = data;

        g_clear_pointer(&nwfilters->repairs.timer, loop_timer_free);
        nwfilters->repairs.count = 0;
        begin_looking(nwfilters);
}

static void look_later(struct nwfilters *nwfilters)
{
        struct nwfilter_repairs *repairs = &nwfilters->repairs;

        if (!repairs->timer && nwfilters->follows)
                repairs->timer = loop_timer_new(nwfilters->loop, PAUSE_MS, look_again, nwfilters);
}

/* Is it too often? Then later. */
static bool must_wait(struct nwfilters *nwfilters)
{
        struct nwfilter_repairs *repairs = &nwfilters->repairs;
        gint64 now = g_get_monotonic_time();

        if (now - repairs->since_us > PAUSE_MS * G_TIME_SPAN_MILLISECOND)
                *repairs = (struct nwfilter_repairs){ .since_us = now, .timer = repairs->timer };
        if (++repairs->count <= REPAIRS_MAX)
                return false;
        if (!repairs->timer) {
                log_error("something takes the rules of guests' interfaces away again and again: they are "
                          "put back in a minute");
                look_later(nwfilters);
        }
        return true;
}

static void looked(void *data)
{
        struct look *look = data;
        struct nwfilters *nwfilters = look->work.nwfilters;
        const struct nwfilter_port *first;

        if (look->failed)
                look_later(nwfilters);
        if (look->failed || look->missing->len == 0 || must_wait(nwfilters)) {
                nwfilter_work_end(&look->work);
                return;
        }
        first = g_ptr_array_index(look->missing, 0);
        log_warning("rules of %u interfaces, one of them '%s' of guest '%s', were removed by another "
                    "program: they are put back",
                    look->missing->len, first->device, first->guest);
        lane_post(nwfilters->lane, put_back_job, look);
}

/* Leaves those ports in missing that lack rules. */
static bool keep_missing(struct look *look, GError **error)
{
        CLEANUP(netlink_free) struct netlink *netlink = netlink_new_filter(look->work.nwfilters->lane, error);
        CLEANUP(nwfilter_sight_free)
        struct nwfilter_sight *sight = netlink ? nwfilter_sight_new(netlink, error) : NULL;

        for (unsigned i = look->missing->len; sight && i-- > 0;) {
                const struct nwfilter_port *port = g_ptr_array_index(look->missing, i);

                if (nwfilter_sight_has(sight, port->device))
                        g_ptr_array_remove_index_fast(look->missing, i);
                else
                        nwfilter_memory_read(netlink, port, look->learned);
        }
        return sight != NULL;
}

/* A list that a transaction of a guest's lane overtakes may have parts of before and after it, so that what
 * seems to be missing is looked at twice. */
static void look_job(void *data)
{
        struct look *look = data;
        g_autoptr(GError) error = NULL;

        for (unsigned i = 0; i < look->ports->len; i++)
                g_ptr_array_add(look->missing, g_ptr_array_index(look->ports, i));
        for (unsigned i = 0; i < 2 && look->missing->len > 0 && !look->failed; i++)
                look->failed = !keep_missing(look, &error);
        if (look->failed)
                log_gerror(LOG_LEVEL_ERROR, error,
                           "the rules of guests' interfaces are looked at in a minute");
        loop_post(look->work.nwfilters->loop, looked, look);
}

static void begin_look(struct nwfilter_work *work)
{
        struct look *look = (struct look *)work;

        work->nwfilters->looks = false;
        look->snapshot = nwfilters_get_snapshot(work->nwfilters);
        look->ports = nwfilters_list_ports(work->nwfilters);
        look->missing = g_ptr_array_new();
        look->learned = nwfilters_copy_learned(work->nwfilters);
        lane_post(work->nwfilters->lane, look_job, look);
}

static void begin_looking(struct nwfilters *nwfilters)
{
        struct look *look;

        if (nwfilters->looks || g_hash_table_size(nwfilters->ports) == 0)
                return;
        nwfilters->looks = true;
        look = g_new0(struct look, 1);
        look->work = (struct nwfilter_work){ nwfilters, begin_look, clear_look };
        nwfilter_work_run(&look->work);
}

/* ---- the filter's events ---- */

static void take_tables(GHashTable *tables, void *data)
{
        if (!tables || g_hash_table_contains(tables, NWFILTER_TABLE_NAME))
                begin_looking(data);
}

void nwfilters_follow(struct nwfilters *nwfilters)
{
        nwfilters->follows = true;
        nwfilters_begin_memory(nwfilters);
        nft_source_listen(nwfilters->source, take_tables, nwfilters);
}

void nwfilters_quiesce(struct nwfilters *nwfilters)
{
        if (nwfilters->follows)
                nft_source_unlisten(nwfilters->source, take_tables, nwfilters);
        if (nwfilters->follows)
                nwfilters_end_memory(nwfilters);
        nwfilters->follows = false;
        g_clear_pointer(&nwfilters->repairs.timer, loop_timer_free);
}
