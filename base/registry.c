/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Registries: the objects of one kind by uuid and by name, and what define, undefine and autostart mean for
 * all kinds. The indexes belong to the loop; the files of an object are touched by its lane only.
 */
#include "base/registry.h"

#include "base/lane.h"
#include "base/listeners.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/operation.h"
#include "base/registry-private.h"
#include "base/store.h"

#include <string.h>

#define SUFFIX ".xml"

struct registry {
        /* const */
        const struct managed_kind *kind;
        void *context;             /* borrowed */
        struct loop *loop;         /* borrowed */
        struct pool *pool;         /* borrowed */
        char *directory;           /* owned; NULL: nothing is stored */
        char *autostart_directory; /* owned; NULL likewise */
        /* loop */
        GHashTable *by_uuid;        /* struct uuid in the object -> struct managed, ref */
        GHashTable *by_name;        /* owned string -> struct managed, borrowed */
        GQueue order;               /* of struct managed by their link */
        struct listeners listeners; /* registry_listener */
        unsigned published;
};

struct registry *registry_new(const struct managed_kind *kind, void *context, struct loop *loop,
                              struct pool *pool, const char *directory)
{
        struct registry *registry = g_new0(struct registry, 1);

        registry->kind = kind;
        registry->context = context;
        registry->loop = loop;
        registry->pool = pool;
        registry->directory = g_strdup(directory);
        registry->autostart_directory = directory ? g_build_filename(directory, "autostart", NULL) : NULL;
        registry->by_uuid = g_hash_table_new(uuid_hash, uuid_equal_func);
        registry->by_name = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        g_queue_init(&registry->order);
        return registry;
}

static void forget(struct registry *registry, struct managed *object)
{
        g_hash_table_remove(registry->by_uuid, &object->uuid);
        if (g_hash_table_lookup(registry->by_name, object->name) == object)
                g_hash_table_remove(registry->by_name, object->name);
        g_queue_unlink(&registry->order, &object->link);
        managed_unref(object);
}

void registry_free(struct registry *registry)
{
        if (!registry)
                return;
        while (registry->order.head)
                forget(registry, registry->order.head->data);
        g_hash_table_unref(registry->by_uuid);
        g_hash_table_unref(registry->by_name);
        listeners_done(&registry->listeners);
        g_free(registry->directory);
        g_free(registry->autostart_directory);
        g_free(registry);
}

void registry_listen(struct registry *registry, registry_listener listener, void *data)
{
        g_assert(on_loop(registry->loop));
        listeners_add(&registry->listeners, LISTENER(listener), data);
}

void registry_unlisten(struct registry *registry, registry_listener listener, void *data)
{
        g_assert(on_loop(registry->loop));
        listeners_remove(&registry->listeners, LISTENER(listener), data);
}

const struct managed_kind *registry_get_kind(const struct registry *registry)
{
        return registry->kind;
}

unsigned registry_get_count(const struct registry *registry)
{
        g_assert(on_loop(registry->loop));
        return registry->published;
}

struct managed *registry_find_pending(const struct registry *registry, const struct uuid *uuid)
{
        g_assert(on_loop(registry->loop));
        return g_hash_table_lookup(registry->by_uuid, uuid);
}

struct managed *registry_find_uuid(const struct registry *registry, const struct uuid *uuid)
{
        struct managed *object = registry_find_pending(registry, uuid);

        return object && object->published ? object : NULL;
}

struct managed *registry_find_name(const struct registry *registry, const char *name)
{
        struct managed *object = g_hash_table_lookup(registry->by_name, name);

        g_assert(on_loop(registry->loop));
        if (!object || !object->published || strcmp(managed_state_get_name(object->published), name) != 0)
                return NULL;
        return object;
}

struct managed *registry_lookup_uuid(const struct registry *registry, const char *uuid, GError **error)
{
        const struct managed_kind *kind = registry->kind;
        char text[UUID_STRING_LENGTH + 1];
        struct managed *object;
        struct uuid parsed;

        if (!uuid_parse(&parsed, uuid, error))
                return NULL;
        object = registry_find_uuid(registry, &parsed);
        if (!object)
                error_set(error, kind->from, kind->missing, "no %s with matching uuid '%s'", kind->noun,
                          uuid_format(&parsed, text));
        return object;
}

struct managed *registry_lookup_name(const struct registry *registry, const char *name, GError **error)
{
        const struct managed_kind *kind = registry->kind;
        struct managed *object = registry_find_name(registry, name);
        g_autofree char *quoted = NULL;

        if (object)
                return object;
        quoted = error_quote(name);
        error_set(error, kind->from, kind->missing, "no %s with matching name '%s'", kind->noun, quoted);
        return NULL;
}

GPtrArray *registry_list(const struct registry *registry)
{
        GPtrArray *list = g_ptr_array_sized_new(registry->published);

        g_assert(on_loop(registry->loop));
        for (GList *link = registry->order.head; link; link = link->next) {
                struct managed *object = link->data;

                if (object->published)
                        g_ptr_array_add(list, object);
        }
        return list;
}

GPtrArray *registry_select(const struct registry *registry, const struct filter *filter, unsigned flags,
                           const char *function, GError **error)
{
        if (!filter_check(filter, flags, registry->kind->from, function, error))
                return NULL;
        return filter_select(filter, flags, registry_list(registry));
}

unsigned registry_get_pending(const struct registry *registry)
{
        unsigned pending = 0;

        g_assert(on_loop(registry->loop));
        for (GList *link = registry->order.head; link; link = link->next)
                pending += ((struct managed *)link->data)->pending;
        return pending;
}

void registry_cancel(struct registry *registry)
{
        GList *next;

        g_assert(on_loop(registry->loop));
        /* An object may be forgotten at the end of its operation. */
        for (GList *link = registry->order.head; link; link = next) {
                struct managed *object = link->data;

                next = link->next;
                if (object->keeper)
                        operation_cancel(object->keeper);
        }
}

/* ---- reservations ---- */

static struct managed *object_new(struct registry *registry, const struct definition *definition)
{
        struct managed *object = g_malloc0(registry->kind->object_size);

        object->refs = 1;
        object->kind = registry->kind;
        object->registry = registry;
        object->uuid = definition->uuid;
        uuid_format(&object->uuid, object->uuid_text);
        object->lane = lane_new(registry->pool, registry->loop, object->uuid_text);
        object->name = g_strdup(definition->name);
        object->link.data = object;
        if (registry->kind->object_init)
                registry->kind->object_init(object, registry->context);
        g_hash_table_insert(registry->by_uuid, &object->uuid, object);
        g_hash_table_insert(registry->by_name, g_strdup(object->name), object);
        g_queue_push_tail_link(&registry->order, &object->link);
        return object;
}

static bool refuse_name(const struct registry *registry, const char *name, const struct managed *holder,
                        GError **error)
{
        return error_set(error, registry->kind->from, registry->kind->exists,
                         "%s '%s' already exists with uuid %s", registry->kind->noun, name,
                         holder->uuid_text);
}

struct managed *registry_reserve(struct registry *registry, const struct definition *definition,
                                 GError **error)
{
        struct managed *object, *holder;

        g_assert(on_loop(registry->loop));
        object = registry_find_pending(registry, &definition->uuid);
        holder = g_hash_table_lookup(registry->by_name, definition->name);
        if (holder && holder != object) {
                refuse_name(registry, definition->name, holder, error);
                return NULL;
        }
        if (object && strcmp(object->name, definition->name) != 0) {
                error_set(error, registry->kind->from, registry->kind->exists,
                          "%s '%s' is already defined with uuid %s", registry->kind->noun, object->name,
                          object->uuid_text);
                return NULL;
        }
        return object ? object : object_new(registry, definition);
}

bool registry_reserve_name(struct managed *object, const char *name, GError **error)
{
        struct registry *registry = object->registry;
        struct managed *holder = g_hash_table_lookup(registry->by_name, name);

        g_assert(on_loop(object->registry->loop));
        if (holder && holder != object)
                return refuse_name(registry, name, holder, error);
        if (!holder)
                g_hash_table_insert(registry->by_name, g_strdup(name), object);
        return true;
}

void registry_release_name(struct managed *object, const char *name)
{
        struct registry *registry = object->registry;

        g_assert(on_loop(object->registry->loop));
        if (strcmp(object->name, name) != 0 && g_hash_table_lookup(registry->by_name, name) == object)
                g_hash_table_remove(registry->by_name, name);
}

/* ---- what arrives from the lanes ---- */

bool registry_tell(const struct registry_change *change, unsigned *told)
{
        const struct listeners *listeners = &change->object->registry->listeners;

        while (*told < listeners_count(listeners)) {
                const struct listener *listener = listeners_get(listeners, *told);

                if (change->object->arrivals.held)
                        return false;
                (*told)++;
                ((registry_listener)listener->fn)(change, listener->data);
        }
        return true;
}

static void follow_rename(struct registry *registry, struct managed *object, const char *name)
{
        if (strcmp(object->name, name) == 0)
                return;
        g_hash_table_remove(registry->by_name, object->name);
        g_free(object->name);
        object->name = g_strdup(name);
        g_hash_table_insert(registry->by_name, g_strdup(name), object);
}

struct managed_state *registry_swap(struct managed *object, struct managed_state *state)
{
        struct registry *registry = object->registry;
        struct managed_state *before = object->published;

        g_assert(on_loop(object->registry->loop));
        object->published = state;
        registry->published += (state != NULL);
        registry->published -= (before != NULL);
        if (state)
                follow_rename(registry, object, managed_state_get_name(state));
        return before;
}

void registry_settle(struct managed *object)
{
        if (object->pending == 0 && !object->arrivals.held && !object->published && object->link.data &&
            g_hash_table_lookup(object->registry->by_uuid, &object->uuid) == object)
                forget(object->registry, object);
}

/* ---- files ---- */

static char *file_name(const struct managed *object)
{
        return g_strconcat(object->uuid_text, SUFFIX, NULL);
}

bool registry_store(struct managed *object, const struct definition *definition, GError **error)
{
        g_autofree char *name = file_name(object);

        g_assert(in_lane(object->lane));
        if (!object->registry->directory)
                return true;
        return store_write(object->registry->directory, name, definition->xml, true, error);
}

bool registry_mark_autostart(struct managed *object, bool autostart, GError **error)
{
        g_assert(in_lane(object->lane));
        if (!object->registry->directory)
                return true;
        return store_mark(object->registry->autostart_directory, object->uuid_text, autostart, error);
}

bool registry_erase(struct managed *object, GError **error)
{
        g_autofree char *name = file_name(object);

        g_assert(in_lane(object->lane));
        if (!object->registry->directory)
                return true;
        return registry_mark_autostart(object, false, error) &&
               store_remove(object->registry->directory, name, true, error);
}

/* ---- start-up ---- */

static bool check_file_name(const struct registry *registry, const char *name,
                            const struct definition *definition, GError **error)
{
        char text[UUID_STRING_LENGTH + 1];

        uuid_format(&definition->uuid, text);
        if (g_str_has_prefix(name, text) && strcmp(name + UUID_STRING_LENGTH, SUFFIX) == 0)
                return true;
        return error_set(error, registry->kind->from, ERROR_CONF_SYNTAX,
                         "the uuid in it, %s, is not that of the file's name", text);
}

struct managed *registry_install(struct registry *registry, struct managed_state *state, GError **error)
{
        struct managed *object = registry_reserve(registry, managed_state_get_definition(state), error);
        struct registry_change change = { .object = object, .after = state };
        unsigned told = 0;

        if (!object) {
                managed_state_unref(state);
                return NULL;
        }
        object->current = managed_state_ref(state);
        registry_swap(object, state);
        registry_tell(&change, &told);
        return object;
}

static bool load_file(struct registry *registry, const char *name, GError **error)
{
        g_autofree char *path = g_build_filename(registry->directory, name, NULL);
        g_autofree char *text = store_read(path, error);
        CLEANUP(definition_unref) struct definition *definition = NULL;
        g_autofree char *mark = NULL;
        struct managed_state *state;

        if (!text)
                return false;
        definition = registry->kind->parse(registry->context, text, error);
        if (!definition || !check_file_name(registry, name, definition, error))
                return false;
        state = managed_state_new(registry->kind);
        state->persistent = g_steal_pointer(&definition);
        mark = g_strndup(name, UUID_STRING_LENGTH);
        state->autostart = store_is_marked(registry->autostart_directory, mark);
        return registry_install(registry, state, error) != NULL;
}

bool registry_load(struct registry *registry, GError **error)
{
        g_autoptr(GPtrArray) names = NULL;

        g_assert(on_loop(registry->loop));
        if (!registry->directory)
                return true;
        if (!store_make_dir(registry->autostart_directory, error))
                return false;
        names = store_list(registry->directory, SUFFIX, error);
        if (!names)
                return false;
        for (unsigned i = 0; i < names->len; i++) {
                const char *name = g_ptr_array_index(names, i);
                g_autoptr(GError) failure = NULL;

                if (!load_file(registry, name, &failure))
                        log_gerror(LOG_LEVEL_ERROR, failure, "%s definition %s/%s is left out",
                                   registry->kind->noun, registry->directory, name);
        }
        return true;
}

/* ---- define and autostart ---- */

static bool define_work(struct managed *object, void *data, GError **error)
{
        struct definition *definition = data;
        bool updated = object->current && object->current->persistent;
        struct managed_state *state;

        if (!registry_store(object, definition, error))
                return false;
        state = managed_edit(object);
        managed_state_take_persistent(state, definition_ref(definition));
        if (object->kind->state_defined)
                object->kind->state_defined(state);
        managed_publish(object, state, managed_event_new(MANAGED_EVENT_DEFINED, updated));
        return true;
}

bool registry_define(struct registry *registry, struct definition *definition, managed_done done, void *data)
{
        const struct managed_task task = {
                .work = define_work,
                .args = definition,
                .free_args = (GDestroyNotify)definition_unref,
        };
        g_autoptr(GError) error = NULL;
        struct managed *object = registry_reserve(registry, definition, &error);

        if (object) {
                managed_run_task(object, &task, done, data);
        } else {
                done(NULL, error, data);
                definition_unref(definition);
        }
        return object != NULL;
}

static bool autostart_work(struct managed *object, void *data, GError **error)
{
        const bool *autostart = data;
        struct managed_state *state;

        if (!managed_require_persistent(object, error))
                return false;
        if (object->current->autostart == *autostart)
                return true;
        if (!registry_mark_autostart(object, *autostart, error))
                return false;
        state = managed_edit(object);
        state->autostart = *autostart;
        managed_publish(object, state, NULL);
        return true;
}

void registry_set_autostart(struct managed *object, bool autostart, managed_done done, void *data)
{
        const struct managed_task task = {
                .work = autostart_work,
                .args = g_memdup2(&autostart, sizeof(autostart)),
        };

        managed_run_task(object, &task, done, data);
}
