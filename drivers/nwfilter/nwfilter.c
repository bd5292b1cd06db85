/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The network filters of one connection: the kind of managed object that they are, lookups, lists and reads,
 * start-up. Loop thread, but for the hooks of the kind.
 */
#include "drivers/nwfilter/nwfilter.h"

#include "base/error.h"
#include "base/lane.h"
#include "base/log.h"
#include "base/store.h"
#include "drivers/nwfilter/model.h"
#include "interfaces/nftables-source.h"

#include <string.h>

/* The filters that a fresh system has were defined; who undefines one has it no more. */
#define STOCK_MARK "stock-defined"

/* ---- the kind ---- */

static struct definition *kind_parse(void *context, const char *xml, GError **error)
{
        struct nwfilter_def *def = nwfilter_def_parse(xml, error);

        return def ? &def->base : NULL;
}

static void kind_object_init(struct managed *object, void *context)
{
        nwfilter_from(object)->nwfilters = context;
}

const struct managed_kind nwfilter_kind = {
        .noun = "nwfilter",
        .from = ERROR_FROM_NWFILTER,
        .missing = ERROR_NO_NWFILTER,
        .exists = ERROR_OPERATION_FAILED,
        .object_size = sizeof(struct nwfilter),
        .state_size = sizeof(struct managed_state),
        .parse = kind_parse,
        .definition_free = nwfilter_def_free,
        .object_init = kind_object_init,
};

/* ---- the connection's filters ---- */

static void on_change(const struct registry_change *change, void *data)
{
        nwfilters_forget_snapshot(data);
}

struct nwfilters *nwfilters_new(struct loop *loop, struct pool *pool, const struct nwfilters_config *config)
{
        struct nwfilters *nwfilters = g_new0(struct nwfilters, 1);

        nwfilters->loop = loop;
        nwfilters->state_dir = g_strdup(config->state_dir);
        nwfilters->stock_dir = g_strdup(config->stock_dir);
        nwfilters->runtime_dir = g_strdup(config->runtime_dir);
        if (config->state_dir) {
                nwfilters->lane = lane_new(pool, loop, "nwfilter");
                nwfilters->source = nft_source_new(loop, pool);
        }
        g_queue_init(&nwfilters->works);
        nwfilters->ports = nwfilters_new_ports();
        nwfilters->registry = registry_new(&nwfilter_kind, nwfilters, loop, pool, config->state_dir);
        registry_listen(nwfilters->registry, on_change, nwfilters);
        return nwfilters;
}

void nwfilters_free(struct nwfilters *nwfilters)
{
        if (!nwfilters)
                return;
        g_assert(g_queue_is_empty(&nwfilters->works));
        nft_source_free(nwfilters->source);
        registry_unlisten(nwfilters->registry, on_change, nwfilters);
        registry_free(nwfilters->registry);
        nwfilter_snapshot_unref(nwfilters->snapshot);
        g_hash_table_unref(nwfilters->ports);
        if (nwfilters->lane)
                lane_unref(nwfilters->lane);
        g_free(nwfilters->state_dir);
        g_free(nwfilters->stock_dir);
        g_free(nwfilters->runtime_dir);
        g_free(nwfilters->kept);
        g_free(nwfilters);
}

/* Before the registry reads them: a document becomes a file as a define would have written it. */
static bool install_stock(const struct nwfilters *nwfilters, const char *name, GError **error)
{
        g_autofree char *path = g_build_filename(nwfilters->stock_dir, name, NULL);
        g_autofree char *text = store_read(path, error);
        CLEANUP(nwfilter_def_unref) struct nwfilter_def *def = text ? nwfilter_def_parse(text, error) : NULL;
        char uuid[UUID_STRING_LENGTH + 1];
        g_autofree char *file = NULL;

        if (!def)
                return false;
        file = g_strconcat(uuid_format(&def->base.uuid, uuid), ".xml", NULL);
        return store_write(nwfilters->state_dir, file, def->base.xml, true, error);
}

static bool install_all_stock(const struct nwfilters *nwfilters, GError **error)
{
        g_autoptr(GPtrArray) names = NULL;

        if (store_is_marked(nwfilters->state_dir, STOCK_MARK))
                return true;
        names = store_list(nwfilters->stock_dir, ".xml", error);
        for (unsigned i = 0; names && i < names->len; i++)
                if (!install_stock(nwfilters, g_ptr_array_index(names, i), error))
                        return false;
        return names && store_make_dir(nwfilters->state_dir, error) &&
               store_mark(nwfilters->state_dir, STOCK_MARK, true, error);
}

bool nwfilters_load(struct nwfilters *nwfilters, GError **error)
{
        g_autoptr(GError) failure = NULL;

        if (nwfilters->state_dir && nwfilters->stock_dir && !install_all_stock(nwfilters, &failure))
                log_gerror(LOG_LEVEL_WARNING, failure, "network filters of %s are left out",
                           nwfilters->stock_dir);
        return registry_load(nwfilters->registry, error);
}

struct registry *nwfilters_get_registry(const struct nwfilters *nwfilters)
{
        return nwfilters->registry;
}

struct nft_source *nwfilters_get_source(const struct nwfilters *nwfilters)
{
        return nwfilters->source;
}

bool nwfilters_are_busy(const struct nwfilters *nwfilters)
{
        return !g_queue_is_empty((GQueue *)&nwfilters->works);
}

/* ---- lookups and lists ---- */

struct nwfilter *nwfilter_lookup_name(struct nwfilters *nwfilters, const char *name, GError **error)
{
        return nwfilter_from(registry_lookup_name(nwfilters->registry, name, error));
}

struct nwfilter *nwfilter_lookup_uuid(struct nwfilters *nwfilters, const char *uuid, GError **error)
{
        return nwfilter_from(registry_lookup_uuid(nwfilters->registry, uuid, error));
}

GPtrArray *nwfilter_list(struct nwfilters *nwfilters, unsigned flags, GError **error)
{
        static const struct filter all = { 0 };

        return registry_select(nwfilters->registry, &all, flags, "ListNWFilters", error);
}

/* ---- reads ---- */

const char *nwfilter_get_xml(const struct nwfilter *nwfilter, unsigned flags, GError **error)
{
        if (!flags_check(flags, 0, ERROR_FROM_NWFILTER, "GetXMLDesc", error))
                return NULL;
        return managed_state_get_definition(managed_get_published(&nwfilter->base))->xml;
}

struct nwfilter_snapshot *nwfilters_get_snapshot(struct nwfilters *nwfilters)
{
        g_autoptr(GPtrArray) objects = NULL;

        if (nwfilters->snapshot)
                return nwfilter_snapshot_ref(nwfilters->snapshot);
        objects = registry_list(nwfilters->registry);
        nwfilters->snapshot = nwfilter_snapshot_new(nwfilters->generation);
        for (unsigned i = 0; i < objects->len; i++) {
                const struct managed *object = g_ptr_array_index(objects, i);

                nwfilter_snapshot_add(nwfilters->snapshot,
                                      nwfilter_def_of(managed_get_published(object)->persistent));
        }
        return nwfilter_snapshot_ref(nwfilters->snapshot);
}

void nwfilters_forget_snapshot(struct nwfilters *nwfilters)
{
        nwfilters->generation++;
        g_clear_pointer(&nwfilters->snapshot, nwfilter_snapshot_unref);
}
