/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which descriptions count. No state.
 */
#include "drivers/qemu/descriptors.h"

#include "base/log.h"
#include "base/store.h"

#include <string.h>

static int compare_names(gconstpointer a, gconstpointer b)
{
        return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Adds the names in dir that are not there yet, with the directory that they are taken from. */
static void add_names(GHashTable *paths, GPtrArray *names, const char *dir)
{
        g_autoptr(GPtrArray) found = store_list(dir, ".json", NULL);

        for (unsigned i = 0; found && i < found->len; i++) {
                const char *name = g_ptr_array_index(found, i);
                char *copy;

                if (g_hash_table_contains(paths, name))
                        continue;
                copy = g_strdup(name);
                g_hash_table_insert(paths, copy, g_build_filename(dir, name, NULL));
                g_ptr_array_add(names, copy);
        }
}

GPtrArray *descriptors_list(const char *root, const char *home, const char *kind)
{
        GPtrArray *list = g_ptr_array_new_with_free_func(g_free);
        g_autoptr(GHashTable) paths = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        g_autoptr(GPtrArray) names = g_ptr_array_new();
        g_autofree char *etc = g_build_filename(root, "etc/qemu", kind, NULL);
        g_autofree char *share = g_build_filename(root, "usr/share/qemu", kind, NULL);

        /* A relative one of the environment is to be ignored. */
        if (home && g_path_is_absolute(home)) {
                g_autofree char *own = g_build_filename(home, "qemu", kind, NULL);

                add_names(paths, names, own);
        }
        add_names(paths, names, etc);
        add_names(paths, names, share);
        g_ptr_array_sort(names, compare_names);
        for (unsigned i = 0; i < names->len; i++)
                g_ptr_array_add(list, g_strdup(g_hash_table_lookup(paths, g_ptr_array_index(names, i))));
        return list;
}

char *descriptor_read(const char *path)
{
        g_autoptr(GError) error = NULL;
        g_autofree char *text = store_read(path, &error);

        if (!text)
                log_gerror(LOG_LEVEL_WARNING, error, "descriptor '%s'", path);
        return text && *text ? g_steal_pointer(&text) : NULL;
}
