/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Objects of collections in the tree, and from their changes to signals. The bus takes tens of thousands of
 * them no faster than it reads. Loop thread.
 */
#include "bus/collected-object.h"

#include "base/collection.h"
#include "bus/bus-private.h"
#include "bus/object-manager.h"
#include "bus/object-path.h"
#include "bus/sight.h"

static const struct object_set_kind *get_set(const struct branch *branch)
{
        return collection_get_kind(branch->collection)->set;
}

void *collected_object_find(const struct branch *branch, const char *element, bool pending, GError **error)
{
        const struct collection_kind *kind = collection_get_kind(branch->collection);
        g_autofree char *key = object_path_decode(element);
        g_autofree char *quoted = NULL;

        if (key)
                return branch->kind->lookup(branch->connect, key, error);
        quoted = error_quote(element);
        error_set(error, kind->from, kind->missing,
                  "no %s with matching key: '%s' is not the encoding of one", kind->noun, quoted);
        return NULL;
}

void *collected_object_ref(const struct branch *branch, void *object)
{
        return get_set(branch)->ref(object);
}

void collected_object_unref(const struct branch *branch, void *object)
{
        get_set(branch)->unref(object);
}

GPtrArray *collected_object_list(const struct branch *branch)
{
        return collection_list(branch->collection);
}

void collected_object_write_element(const struct branch *branch, const void *object, GString *path)
{
        object_path_append(path, get_set(branch)->get_key(object, branch->kind->key));
}

/* ---- changes ---- */

static void tell(void *before, void *after, void *data)
{
        const struct branch *branch = data;
        g_autofree char *path = tree_get_path(branch, after ? after : before);

        const struct subject outer = sight_begin(branch, after ? after : before);
        if (!before)
                object_manager_add(branch, after, path);
        else if (after)
                object_manager_change(branch, after, path, branch->kind->compare(before, after));
        if (branch->kind->tell)
                branch->kind->tell(branch, path, before, after);
        if (!after)
                object_manager_remove(branch, path);
        sight_end(branch->connect->bus, outer);
}

static bool is_deaf(void *data)
{
        return !connection_is_ready(((const struct branch *)data)->connect->bus->connection);
}

static bool is_busy(void *data)
{
        return connection_is_busy(((const struct branch *)data)->connect->bus->connection);
}

const struct collection_listener collected_object_follow = {
        .tell = tell,
        .is_deaf = is_deaf,
        .is_busy = is_busy,
};
