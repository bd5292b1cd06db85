/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Events on their way to the operations that caused them. Lane of the domain.
 */
#include "drivers/qemu/route.h"

#include <string.h>

struct route {
        struct routes *routes; /* borrowed */
        enum route_key key;
        char *name; /* owned */
        const struct route_ops *ops;
        void *data; /* borrowed */
};

/* Which of an event's arguments says whose it is; NULL: it needs none. */
static const struct {
        const char *event;
        enum route_key key;
        const char *argument;
} sources[] = {
        { "BLOCK_IMAGE_CORRUPTED", ROUTE_NODE, "node-name" },
        { "BLOCK_IO_ERROR", ROUTE_NODE, "node-name" },
        { "BLOCK_JOB_CANCELLED", ROUTE_JOB, "device" },
        { "BLOCK_JOB_COMPLETED", ROUTE_JOB, "device" },
        { "BLOCK_JOB_ERROR", ROUTE_JOB, "device" },
        { "BLOCK_JOB_PENDING", ROUTE_JOB, "id" },
        { "BLOCK_JOB_READY", ROUTE_JOB, "device" },
        { "BLOCK_WRITE_THRESHOLD", ROUTE_NODE, "node-name" },
        { "DEVICE_DELETED", ROUTE_DEVICE, "device" },
        { "DEVICE_UNPLUG_GUEST_ERROR", ROUTE_DEVICE, "device" },
        { "DUMP_COMPLETED", ROUTE_DUMP, NULL },
        { "JOB_STATUS_CHANGE", ROUTE_JOB, "id" },
        { "MEM_UNPLUG_ERROR", ROUTE_DEVICE, "device" },
        { "MIGRATION", ROUTE_MIGRATION, NULL },
        { "MIGRATION_PASS", ROUTE_MIGRATION, NULL },
        { "RESUME", ROUTE_MIGRATION, NULL },
        { "STOP", ROUTE_MIGRATION, NULL },
};

static void route_free(void *data)
{
        struct route *route = data;

        g_free(route->name);
        g_free(route);
}

void routes_init(struct routes *routes)
{
        routes->entries = g_ptr_array_new_with_free_func(route_free);
}

void routes_done(struct routes *routes)
{
        while (routes->entries->len > 0) {
                struct route *route = g_ptr_array_steal_index(routes->entries, 0);

                route->ops->gone(route->data);
                route_free(route);
        }
        g_ptr_array_unref(routes->entries);
}

static struct route *find(const struct routes *routes, enum route_key key, const char *name)
{
        for (unsigned i = 0; i < routes->entries->len; i++) {
                struct route *route = g_ptr_array_index(routes->entries, i);

                if (route->key == key && strcmp(route->name, name) == 0)
                        return route;
        }
        return NULL;
}

bool routes_has(const struct routes *routes, enum route_key key, const char *name)
{
        return find(routes, key, name) != NULL;
}

struct route *route_add(struct routes *routes, enum route_key key, const char *name,
                        const struct route_ops *ops, void *data)
{
        struct route *route = g_new(struct route, 1);

        g_assert(!find(routes, key, name));
        *route = (struct route){ routes, key, g_strdup(name), ops, data };
        g_ptr_array_add(routes->entries, route);
        return route;
}

void route_remove(struct route *route)
{
        if (route)
                g_ptr_array_remove(route->routes->entries, route);
}

bool routes_deliver(const struct routes *routes, const char *event, const json_t *arguments)
{
        for (unsigned i = 0; i < G_N_ELEMENTS(sources); i++) {
                const char *name = "";
                const struct route *route;

                if (strcmp(sources[i].event, event) != 0)
                        continue;
                if (sources[i].argument)
                        name = json_string_value(json_object_get(arguments, sources[i].argument));
                route = name ? find(routes, sources[i].key, name) : NULL;
                return route && route->ops->event(event, arguments, route->data);
        }
        return false;
}

bool routes_resync(const struct routes *routes, enum route_key key, const char *name, const json_t *info)
{
        const struct route *route = find(routes, key, name);

        if (route && route->ops->resync)
                route->ops->resync(info, route->data);
        return route != NULL;
}

void routes_resync_missing(const struct routes *routes, enum route_key key, const GHashTable *names)
{
        /* One that hears of it removes its route as a rule. */
        for (unsigned i = routes->entries->len; i-- > 0;) {
                const struct route *route = g_ptr_array_index(routes->entries, i);

                if (route->key == key && !g_hash_table_contains((GHashTable *)names, route->name) &&
                    route->ops->resync)
                        route->ops->resync(NULL, route->data);
        }
}
