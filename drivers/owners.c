/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owners of guests: who they are, by following the guests of all connections. Loop thread. */
#include "drivers/owners.h"

#include "base/listeners.h"
#include "drivers/model.h"

struct owners {
        GPtrArray *models; /* owned; borrowed elements */
        GHashTable *names; /* owned strings, as a set: have come to own something, and are not gone */
        struct listeners listeners; /* owners_listener */
};

struct owners *owners_new(void)
{
        struct owners *owners = g_new0(struct owners, 1);

        owners->models = g_ptr_array_new();
        owners->names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        return owners;
}

static void add(struct owners *owners, const char *name)
{
        if (name && g_hash_table_add(owners->names, g_strdup(name)))
                LISTENERS_TELL(&owners->listeners, owners_listener, name);
}

static void follow(const struct registry_change *change, void *data)
{
        const struct domain_state *after = (const struct domain_state *)change->after;

        if (after)
                add(data, after->owner);
}

void owners_follow(struct owners *owners, struct model *model)
{
        struct registry *registry = model_get_registry(model, MODEL_DOMAINS);
        g_autoptr(GPtrArray) domains = registry_list(registry);

        g_ptr_array_add(owners->models, model);
        registry_listen(registry, follow, owners);
        for (unsigned i = 0; i < domains->len; i++)
                add(owners, domain_get_published(g_ptr_array_index(domains, i))->owner);
}

void owners_free(struct owners *owners)
{
        if (!owners)
                return;
        for (unsigned i = 0; i < owners->models->len; i++)
                registry_unlisten(model_get_registry(g_ptr_array_index(owners->models, i), MODEL_DOMAINS),
                                  follow, owners);
        g_ptr_array_unref(owners->models);
        g_hash_table_unref(owners->names);
        listeners_done(&owners->listeners);
        g_free(owners);
}

void owners_listen(struct owners *owners, owners_listener listener, void *data)
{
        listeners_add(&owners->listeners, LISTENER(listener), data);
}

void owners_unlisten(struct owners *owners, owners_listener listener, void *data)
{
        listeners_remove(&owners->listeners, LISTENER(listener), data);
}

GPtrArray *owners_list(const struct owners *owners)
{
        GPtrArray *list = g_ptr_array_new();
        GHashTableIter iter;
        gpointer name;

        g_hash_table_iter_init(&iter, owners->names);
        while (g_hash_table_iter_next(&iter, &name, NULL))
                g_ptr_array_add(list, name);
        return list;
}

void owners_end(struct owners *owners, const char *name)
{
        g_autofree char *owned = g_strdup(name);

        if (!g_hash_table_remove(owners->names, owned))
                return;
        for (unsigned i = 0; i < owners->models->len; i++)
                domain_owner_gone(model_get_domains(g_ptr_array_index(owners->models, i)), owned);
}
