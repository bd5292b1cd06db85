/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Interfaces that are filtered: which there are, and the rules that they have. Loop, but for what is said to
 * run in lanes.
 */
#include "base/error.h"
#include "base/lane.h"
#include "base/log.h"
#include "drivers/nwfilter/model.h"
#include "interfaces/netlink.h"

#include <string.h>

/* A guest boots and asks for its address in that time. */
#define NEW_US (5 * 60 * G_USEC_PER_SEC)

/* A port, and of which filters its rules are made. */
struct nwfilter_known {
        struct nwfilter_port *port; /* ref */
        unsigned generation;
        gint64 since_us; /* monotonic */
        char *learned;   /* owned; nwfilter_table_read_learned(); NULL: nothing that is known */
};

static void known_free(void *data)
{
        struct nwfilter_known *known = data;

        nwfilter_port_unref(known->port);
        g_free(known->learned);
        g_free(known);
}

GHashTable *nwfilters_new_ports(void)
{
        return g_hash_table_new_full(g_str_hash, g_str_equal, NULL, known_free);
}

static void free_port(void *port)
{
        nwfilter_port_unref(port);
}

static GPtrArray *new_list(void)
{
        return g_ptr_array_new_with_free_func(free_port);
}

GPtrArray *nwfilters_list_ports(const struct nwfilters *nwfilters)
{
        GPtrArray *ports = new_list();
        GHashTableIter iter;
        void *known;

        g_hash_table_iter_init(&iter, nwfilters->ports);
        while (g_hash_table_iter_next(&iter, NULL, &known))
                g_ptr_array_add(ports, nwfilter_port_ref(((struct nwfilter_known *)known)->port));
        return ports;
}

static void add_known(struct nwfilters *nwfilters, struct nwfilter_port *port, unsigned generation)
{
        struct nwfilter_known *known = g_new(struct nwfilter_known, 1);

        *known = (struct nwfilter_known){ .port = nwfilter_port_ref(port),
                                          .generation = generation,
                                          .since_us = g_get_monotonic_time() };
        g_hash_table_replace(nwfilters->ports, port->device, known);
        nwfilters_expect_learning(nwfilters);
}

/* Who is told an address, or does not boot, is not asked for ever. */
static bool may_learn(const struct nwfilter_known *known, gint64 now)
{
        g_autoptr(GPtrArray) addresses = nwfilter_params_find(known->port->params, "IP");

        return !known->learned && addresses->len == 0 && now - known->since_us < NEW_US;
}

GPtrArray *nwfilters_list_new_ports(const struct nwfilters *nwfilters, unsigned max)
{
        gint64 now = g_get_monotonic_time();
        GPtrArray *ports = new_list();
        GHashTableIter iter;
        void *known;

        g_hash_table_iter_init(&iter, nwfilters->ports);
        while (ports->len < max && g_hash_table_iter_next(&iter, NULL, &known))
                if (may_learn(known, now))
                        g_ptr_array_add(ports, nwfilter_port_ref(((struct nwfilter_known *)known)->port));
        return ports;
}

void nwfilters_note_learned(struct nwfilters *nwfilters, const GPtrArray *ports, GHashTable *learned)
{
        for (unsigned i = 0; i < ports->len; i++) {
                const struct nwfilter_port *port = g_ptr_array_index(ports, i);
                struct nwfilter_known *known = g_hash_table_lookup(nwfilters->ports, port->device);
                const char *text = g_hash_table_lookup(learned, port->device);

                if (!known || known->port != port || !text)
                        continue;
                g_free(known->learned);
                known->learned = g_strdup(text);
        }
}

GHashTable *nwfilters_copy_learned(const struct nwfilters *nwfilters)
{
        GHashTable *learned = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        GHashTableIter iter;
        void *device, *value;

        g_hash_table_iter_init(&iter, nwfilters->ports);
        while (g_hash_table_iter_next(&iter, &device, &value)) {
                const struct nwfilter_known *known = value;

                if (known->learned)
                        g_hash_table_insert(learned, g_strdup(device), g_strdup(known->learned));
        }
        return learned;
}

GPtrArray *nwfilters_find_users(const struct nwfilters *nwfilters, const struct nwfilter_snapshot *snapshot,
                                const char *filter)
{
        GPtrArray *ports = new_list();
        GHashTableIter iter;
        void *known;

        g_hash_table_iter_init(&iter, nwfilters->ports);
        while (g_hash_table_iter_next(&iter, NULL, &known)) {
                struct nwfilter_port *port = ((struct nwfilter_known *)known)->port;

                if (nwfilter_snapshot_uses(snapshot, port->filter, filter))
                        g_ptr_array_add(ports, nwfilter_port_ref(port));
        }
        return ports;
}

/* ---- lanes ---- */

bool nwfilter_ports_put(struct lane *lane, const struct nwfilter_snapshot *snapshot, const GPtrArray *ports,
                        bool fresh, GError **error)
{
        g_autoptr(GString) text = g_string_new(NULL);

        nwfilter_table_begin(text);
        for (unsigned i = 0; i < ports->len; i++)
                if (!nwfilter_table_put(snapshot, g_ptr_array_index(ports, i), fresh, NULL, text, error))
                        return false;
        return nwfilter_nft_run(lane, text->str, error);
}

void nwfilter_ports_put_each(const struct nwfilter_snapshot *snapshot, const GPtrArray *ports,
                             GHashTable *learned, GString *text)
{
        for (unsigned i = 0; i < ports->len; i++) {
                const struct nwfilter_port *port = g_ptr_array_index(ports, i);
                g_autoptr(GString) part = g_string_new(NULL);
                g_autoptr(GError) error = NULL;

                if (nwfilter_table_put(snapshot, port, false,
                                       learned ? g_hash_table_lookup(learned, port->device) : NULL, part,
                                       &error))
                        g_string_append_len(text, part->str, (gssize)part->len);
                else
                        log_gerror(LOG_LEVEL_ERROR, error, "interface '%s' of guest '%s' keeps its old rules",
                                   port->device, port->guest);
        }
}

static bool drop(struct lane *lane, const char *device, GError **error)
{
        g_autoptr(GString) text = g_string_new(NULL);

        nwfilter_table_begin(text);
        nwfilter_table_drop(device, text);
        return nwfilter_nft_run(lane, text->str, error);
}

/* ---- looking after one interface ---- */

/* Its rules anew, by the present filters; or none, when it is filtered no more. */
struct repair {
        struct nwfilter_work work;
        char *device;                       /* owned */
        struct nwfilter_snapshot *snapshot; /* ref */
        struct nwfilter_port *port;         /* ref; NULL: it is filtered no more */
};

static void clear_repair(struct nwfilter_work *work)
{
        struct repair *repair = (struct repair *)work;

        g_free(repair->device);
        nwfilter_snapshot_unref(repair->snapshot);
        nwfilter_port_unref(repair->port);
}

static void queue(const struct nwfilter_work *work, const char *device)
{
        struct repair *repair = g_new0(struct repair, 1);

        repair->work = *work;
        repair->device = g_strdup(device);
        nwfilter_work_run(&repair->work);
}

static void repaired(void *data)
{
        struct repair *repair = data;
        struct nwfilters *nwfilters = repair->work.nwfilters;
        struct nwfilter_known *known = g_hash_table_lookup(nwfilters->ports, repair->device);

        if (known && known->port == repair->port)
                known->generation = repair->snapshot->generation;
        /* Whoever applied something to the device just before it was cleared looks again. */
        if (!repair->port)
                nwfilters_forget_snapshot(nwfilters);
        if (known && !repair->port)
                queue(&repair->work, repair->device);
        nwfilter_work_end(&repair->work);
}

static void repair_job(void *data)
{
        struct repair *repair = data;
        struct nwfilters *nwfilters = repair->work.nwfilters;
        g_autoptr(GPtrArray) ports = new_list();
        g_autoptr(GError) error = NULL;

        if (repair->port)
                g_ptr_array_add(ports, nwfilter_port_ref(repair->port));
        if (!(repair->port ? nwfilter_ports_put(nwfilters->lane, repair->snapshot, ports, false, &error)
                           : drop(nwfilters->lane, repair->device, &error)))
                log_gerror(LOG_LEVEL_ERROR, error, "the rules of interface '%s' stay as they are",
                           repair->device);
        else if (!repair->port)
                nwfilter_table_remove_empty(nwfilters->lane);
        loop_post(nwfilters->loop, repaired, repair);
}

static void begin_repair(struct nwfilter_work *work)
{
        struct repair *repair = (struct repair *)work;
        struct nwfilter_known *known = g_hash_table_lookup(work->nwfilters->ports, repair->device);

        repair->snapshot = nwfilters_get_snapshot(work->nwfilters);
        if (known)
                repair->port = nwfilter_port_ref(known->port);
        lane_post(work->nwfilters->lane, repair_job, repair);
}

static void look_after(struct nwfilters *nwfilters, const char *device)
{
        const struct nwfilter_work work = { nwfilters, begin_repair, clear_repair };

        queue(&work, device);
}

/* What was applied in a lane while filters changed is made of those before. */
static void look_after_old(struct nwfilters *nwfilters, const char *filter)
{
        CLEANUP(nwfilter_snapshot_unref)
        struct nwfilter_snapshot *snapshot = nwfilters_get_snapshot(nwfilters);
        GHashTableIter iter;
        void *value;

        g_hash_table_iter_init(&iter, nwfilters->ports);
        while (g_hash_table_iter_next(&iter, NULL, &value)) {
                struct nwfilter_known *known = value;

                if (known->generation == nwfilters->generation)
                        continue;
                known->generation = nwfilters->generation;
                if (!filter || nwfilter_snapshot_uses(snapshot, known->port->filter, filter))
                        look_after(nwfilters, known->port->device);
        }
}

void nwfilters_settle_ports(struct nwfilters *nwfilters, const GPtrArray *ports, const char *filter)
{
        for (unsigned i = 0; i < ports->len; i++) {
                const struct nwfilter_port *port = g_ptr_array_index(ports, i);
                struct nwfilter_known *known = g_hash_table_lookup(nwfilters->ports, port->device);

                if (known && known->port == port)
                        known->generation = nwfilters->generation;
                else
                        look_after(nwfilters, port->device);
        }
        look_after_old(nwfilters, filter);
}

/* ---- what guests have ---- */

/* To the loop. */
struct note {
        struct nwfilters *nwfilters; /* borrowed; outlives the lanes */
        struct nwfilter_port *port;  /* ref */
        unsigned generation;         /* of the filters that it was made of */
};

static void note_free(struct note *note)
{
        nwfilter_port_unref(note->port);
        g_free(note);
}

static void tell(struct nwfilters *nwfilters, struct nwfilter_port *port, unsigned generation, loop_fn fn)
{
        struct note *note = g_new(struct note, 1);

        *note = (struct note){ nwfilters, nwfilter_port_ref(port), generation };
        loop_post(nwfilters->loop, fn, note);
}

static void note_applied(void *data)
{
        struct note *note = data;

        add_known(note->nwfilters, note->port, note->generation);
        /* Filters or ports have changed since: what was applied may be of before, or gone already. */
        if (note->generation != note->nwfilters->generation)
                look_after(note->nwfilters, note->port->device);
        note_free(note);
}

static void note_gone(void *data)
{
        struct note *note = data;
        struct nwfilters *nwfilters = note->nwfilters;
        const struct nwfilter_known *known = g_hash_table_lookup(nwfilters->ports, note->port->device);

        if (known && known->port == note->port) {
                g_hash_table_remove(nwfilters->ports, note->port->device);
                look_after(nwfilters, note->port->device);
        }
        note_free(note);
}

bool nwfilter_port_apply(struct nwfilters *nwfilters, struct nwfilter_snapshot *snapshot, struct lane *lane,
                         struct nwfilter_port *port, GError **error)
{
        g_autoptr(GPtrArray) ports = new_list();

        g_ptr_array_add(ports, nwfilter_port_ref(port));
        if (!nwfilter_ports_put(lane, snapshot, ports, true, error))
                return false;
        tell(nwfilters, port, snapshot->generation, note_applied);
        return true;
}

void nwfilter_port_forget(struct nwfilters *nwfilters, struct nwfilter_port *port)
{
        tell(nwfilters, port, 0, note_gone);
}

/* ---- start-up ---- */

void nwfilters_restore_port(struct nwfilters *nwfilters, struct nwfilter_port *port)
{
        add_known(nwfilters, port, nwfilters->generation);
}

struct restoration {
        struct nwfilter_work work;
        struct nwfilter_snapshot *snapshot; /* ref */
        GPtrArray *ports;                   /* owned; refs */
};

static void clear_restoration(struct nwfilter_work *work)
{
        nwfilter_snapshot_unref(((struct restoration *)work)->snapshot);
        g_ptr_array_unref(((struct restoration *)work)->ports);
}

static void restored(void *data)
{
        struct restoration *restoration = data;

        /* Whoever applied something meanwhile looks again. */
        nwfilters_forget_snapshot(restoration->work.nwfilters);
        nwfilters_settle_ports(restoration->work.nwfilters, restoration->ports, NULL);
        nwfilter_work_end(&restoration->work);
}

static bool has_port(const GPtrArray *ports, const char *device)
{
        for (unsigned i = 0; i < ports->len; i++)
                if (strcmp(((const struct nwfilter_port *)g_ptr_array_index(ports, i))->device, device) == 0)
                        return true;
        return false;
}

/* What was written down counts where somebody has taken the rules away meanwhile. Owned. */
static GHashTable *find_lost(const struct nwfilters *nwfilters, const GPtrArray *ports)
{
        GHashTable *learned = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        CLEANUP(netlink_free) struct netlink *netlink = netlink_new_filter(nwfilters->lane, NULL);
        CLEANUP(nwfilter_sight_free)
        struct nwfilter_sight *sight = netlink ? nwfilter_sight_new(netlink, NULL) : NULL;

        if (!sight)
                return learned;
        nwfilter_memory_load(nwfilters, ports, learned);
        for (unsigned i = 0; i < ports->len; i++) {
                const struct nwfilter_port *port = g_ptr_array_index(ports, i);

                if (nwfilter_sight_has(sight, port->device))
                        g_hash_table_remove(learned, port->device);
                else
                        nwfilter_memory_read(netlink, port, learned);
        }
        return learned;
}

static void restoration_job(void *data)
{
        struct restoration *restoration = data;
        struct nwfilters *nwfilters = restoration->work.nwfilters;
        g_autoptr(GHashTable) learned = find_lost(nwfilters, restoration->ports);
        g_autoptr(GPtrArray) devices = nwfilter_nft_list(nwfilters->lane);
        g_autoptr(GString) text = g_string_new(NULL);
        g_autoptr(GError) error = NULL;
        size_t begun;

        nwfilter_table_begin(text);
        begun = text->len;
        nwfilter_ports_put_each(restoration->snapshot, restoration->ports, learned, text);
        for (unsigned i = 0; i < devices->len; i++)
                if (!has_port(restoration->ports, g_ptr_array_index(devices, i)))
                        nwfilter_table_drop(g_ptr_array_index(devices, i), text);
        if (text->len > begun && !nwfilter_nft_run(nwfilters->lane, text->str, &error))
                log_gerror(LOG_LEVEL_ERROR, error, "the rules of guests' interfaces stay as they were found");
        else if (devices->len > 0 && restoration->ports->len == 0)
                nwfilter_table_remove_empty(nwfilters->lane);
        loop_post(nwfilters->loop, restored, restoration);
}

static void begin_restoration(struct nwfilter_work *work)
{
        struct restoration *restoration = (struct restoration *)work;

        restoration->snapshot = nwfilters_get_snapshot(work->nwfilters);
        restoration->ports = nwfilters_list_ports(work->nwfilters);
        lane_post(work->nwfilters->lane, restoration_job, restoration);
}

void nwfilters_start(struct nwfilters *nwfilters)
{
        struct restoration *restoration = g_new0(struct restoration, 1);

        if (!nwfilters->lane) {
                g_free(restoration);
                return;
        }
        restoration->work = (struct nwfilter_work){ nwfilters, begin_restoration, clear_restoration };
        nwfilters_follow(nwfilters);
        nwfilter_work_run(&restoration->work);
}
