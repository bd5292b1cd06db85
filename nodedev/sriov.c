/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Virtual functions in sysfs. No state; any thread. */
#include "nodedev/sriov.h"

#include <stdio.h>
#include <string.h>

#define PREFIX "virtfn"

/* The last part of where a link leads; owned. */
static char *read_link(const char *path)
{
        g_autofree char *target = g_file_read_link(path, NULL);

        return target ? g_path_get_basename(target) : NULL;
}

char *sriov_get_interface(const char *root, const char *pci)
{
        g_autofree char *path = g_strdup_printf("%s/sys/bus/pci/devices/%s/net", root, pci);
        g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);

        return dir ? g_strdup(g_dir_read_name(dir)) : NULL;
}

static bool parse_number(const char *name, unsigned *number)
{
        char end;

        return sscanf(name, PREFIX "%u%c", number, &end) == 1;
}

/* The virtual functions of a directory of a PCI device, by number; owned strings. */
static GHashTable *list(const char *path)
{
        GHashTable *functions = g_hash_table_new_full(NULL, NULL, NULL, g_free);
        g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
        const char *name;
        unsigned number;

        while (dir && (name = g_dir_read_name(dir))) {
                g_autofree char *link = g_build_filename(path, name, NULL);
                char *function = parse_number(name, &number) ? read_link(link) : NULL;

                if (function)
                        g_hash_table_insert(functions, GUINT_TO_POINTER(number), function);
        }
        return functions;
}

char *sriov_get_physical(const char *root, const char *pci, unsigned *number)
{
        g_autofree char *path = g_strdup_printf("%s/sys/bus/pci/devices/%s/physfn", root, pci);
        g_autofree char *physical = read_link(path);
        g_autoptr(GHashTable) functions = physical ? list(path) : NULL;
        GHashTableIter iter;
        gpointer key, value;

        if (!physical)
                return NULL;
        g_hash_table_iter_init(&iter, functions);
        while (g_hash_table_iter_next(&iter, &key, &value)) {
                if (strcmp(value, pci) != 0)
                        continue;
                *number = GPOINTER_TO_UINT(key);
                return g_steal_pointer(&physical);
        }
        return NULL;
}

char **sriov_list_virtual(const char *root, const char *interface)
{
        g_autofree char *path = g_strdup_printf("%s/sys/class/net/%s/device", root, interface);
        g_autoptr(GHashTable) functions = list(path);
        GPtrArray *addresses = g_ptr_array_new();

        for (unsigned i = 0; addresses->len < g_hash_table_size(functions); i++) {
                const char *function = g_hash_table_lookup(functions, GUINT_TO_POINTER(i));

                if (function)
                        g_ptr_array_add(addresses, g_strdup(function));
        }
        g_ptr_array_add(addresses, NULL);
        return (char **)g_ptr_array_free(addresses, FALSE);
}
