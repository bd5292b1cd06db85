/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What changes filters: define, undefine. Entry points run on the loop, *_work functions in the filter's
 * lane.
 */
#include "base/error.h"
#include "base/log.h"
#include "drivers/nwfilter/model.h"

#include <string.h>

struct change {
        struct nwfilter_work work;
        struct nwfilter_def *def;         /* ref; NULL: undefine */
        struct managed *object;           /* ref; the filter, NULL until it is reserved */
        struct nwfilter_snapshot *before; /* ref */
        struct nwfilter_snapshot *after;  /* ref */
        GPtrArray *ports;                 /* owned; refs, whose rules change with it */
        managed_done done;
        void *data; /* owned by done */
};

static void clear(struct nwfilter_work *work)
{
        struct change *change = (struct change *)work;

        nwfilter_def_unref(change->def);
        if (change->object)
                managed_unref(change->object);
        nwfilter_snapshot_unref(change->before);
        nwfilter_snapshot_unref(change->after);
        if (change->ports)
                g_ptr_array_unref(change->ports);
}

static struct change *change_new(struct nwfilters *nwfilters, void (*begin)(struct nwfilter_work *work),
                                 managed_done done, void *data)
{
        struct change *change = g_new0(struct change, 1);

        change->work = (struct nwfilter_work){ nwfilters, begin, clear };
        change->done = done;
        change->data = data;
        return change;
}

static void end(struct change *change, struct managed *object, const GError *error)
{
        change->done(object, error, change->data);
        nwfilter_work_end(&change->work);
}

static void changed(struct managed *object, const GError *error, void *data)
{
        struct change *change = data;

        if (!error && change->ports)
                nwfilters_settle_ports(change->work.nwfilters, change->ports, change->def->base.name);
        end(change, object, error);
}

/* ---- define ---- */

static bool check_circle(const struct change *change, GError **error)
{
        for (unsigned i = 0; i < change->def->entries->len; i++) {
                const struct nwfilter_entry *entry = g_ptr_array_index(change->def->entries, i);

                if (entry->filter &&
                    nwfilter_snapshot_uses(change->after, entry->filter, change->def->base.name))
                        return error_set(error, ERROR_FROM_NWFILTER, ERROR_OPERATION_FAILED,
                                         "filter would introduce a loop: '%s' and '%s' refer to each other",
                                         change->def->base.name, entry->filter);
        }
        return true;
}

static void put_back(struct change *change)
{
        g_autoptr(GError) error = NULL;

        if (change->ports->len &&
            !nwfilter_ports_put(change->object->lane, change->before, change->ports, false, &error))
                log_gerror(LOG_LEVEL_ERROR, error, "rules of filter '%s' that could not be stored stay",
                           change->def->base.name);
}

/* Rules before the file: what cannot be applied is not defined. */
static bool define_work(struct managed *object, void *data, GError **error)
{
        struct change *change = data;
        bool updated = object->current && object->current->persistent;
        struct managed_state *state;

        if (change->ports->len &&
            !nwfilter_ports_put(object->lane, change->after, change->ports, false, error))
                return false;
        if (!registry_store(object, &change->def->base, error)) {
                put_back(change);
                return false;
        }
        state = managed_edit(object);
        managed_state_take_persistent(state, definition_ref(&change->def->base));
        managed_publish(object, state, managed_event_new(MANAGED_EVENT_DEFINED, updated));
        return true;
}

static struct nwfilter_snapshot *add_to(const struct nwfilter_snapshot *before, struct nwfilter_def *def)
{
        struct nwfilter_snapshot *after = nwfilter_snapshot_new(before->generation + 1);
        GHashTableIter iter;
        void *other;

        g_hash_table_iter_init(&iter, before->defs);
        while (g_hash_table_iter_next(&iter, NULL, &other))
                nwfilter_snapshot_add(after, other);
        nwfilter_snapshot_add(after, def);
        return after;
}

static void begin_define(struct nwfilter_work *work)
{
        struct change *change = (struct change *)work;
        struct nwfilters *nwfilters = work->nwfilters;
        g_autoptr(GError) error = NULL;
        struct managed *object = NULL;

        change->before = nwfilters_get_snapshot(nwfilters);
        change->after = add_to(change->before, change->def);
        if (check_circle(change, &error))
                object = registry_reserve(nwfilters->registry, &change->def->base, &error);
        if (!object) {
                end(change, NULL, error);
                return;
        }
        change->object = managed_ref(object);
        change->ports = nwfilters_find_users(nwfilters, change->after, change->def->base.name);
        managed_run(object, MANAGED_IN_TURN, define_work, changed, change);
}

void nwfilter_define_xml(struct nwfilters *nwfilters, const char *xml, managed_done done, void *data)
{
        GError *error = NULL;
        struct nwfilter_def *def = nwfilter_def_parse(xml, &error);
        struct change *change;

        if (!def) {
                managed_fail(error, done, data);
                return;
        }
        change = change_new(nwfilters, begin_define, done, data);
        change->def = def;
        nwfilter_work_run(&change->work);
}

/* ---- undefine ---- */

static bool check_unused(const struct change *change, GError **error)
{
        g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
        g_autoptr(GPtrArray) ports = NULL;
        g_autoptr(GString) guests = g_string_new(NULL);

        ports = nwfilters_find_users(change->work.nwfilters, change->before, change->object->name);
        for (unsigned i = 0; i < ports->len; i++) {
                const struct nwfilter_port *port = g_ptr_array_index(ports, i);

                if (g_hash_table_add(seen, port->guest))
                        g_string_append_printf(guests, "%s'%s'", guests->len ? ", " : "", port->guest);
        }
        return !ports->len ||
               error_set(error, ERROR_FROM_NWFILTER, ERROR_OPERATION_INVALID,
                         "nwfilter is in use: '%s' by guest %s", change->object->name, guests->str);
}

static bool undefine_work(struct managed *object, void *data, GError **error)
{
        struct managed_state *state;

        if (!managed_require_known(object, error) || !registry_erase(object, error))
                return false;
        state = managed_edit(object);
        managed_state_take_persistent(state, NULL);
        managed_publish(object, state, managed_event_new(MANAGED_EVENT_UNDEFINED, 0));
        return true;
}

static void begin_undefine(struct nwfilter_work *work)
{
        struct change *change = (struct change *)work;
        g_autoptr(GError) error = NULL;

        change->before = nwfilters_get_snapshot(work->nwfilters);
        if (check_unused(change, &error))
                managed_run(change->object, MANAGED_IN_TURN, undefine_work, changed, change);
        else
                end(change, change->object, error);
}

void nwfilter_undefine(struct nwfilter *nwfilter, managed_done done, void *data)
{
        struct change *change = change_new(nwfilter->nwfilters, begin_undefine, done, data);

        change->object = managed_ref(&nwfilter->base);
        nwfilter_work_run(&change->work);
}
