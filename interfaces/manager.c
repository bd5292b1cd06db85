/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Other managers of links. No state.
 */
#include "interfaces/manager.h"

#include <glib.h>
#include <stdbool.h>
#include <string.h>

/* "KEY=value" in a file of such lines; owned, NULL: it is not there. */
static char *read_key(const char *path, const char *key)
{
        g_autofree char *text = NULL;
        g_auto(GStrv) lines = NULL;
        size_t length = strlen(key);

        if (!g_file_get_contents(path, &text, NULL, NULL))
                return NULL;
        lines = g_strsplit(text, "\n", -1);
        for (unsigned i = 0; lines[i]; i++)
                if (strncmp(lines[i], key, length) == 0 && lines[i][length] == '=')
                        return g_strdup(lines[i] + length + 1);
        return NULL;
}

/* ADMIN_STATE as networkctl(1) shows it in its column SETUP; one that waits or has nothing to do is
 * "unmanaged". */
static bool is_networkd(const char *runtime_dir, int index)
{
        g_autofree char *path = g_strdup_printf("%s/systemd/netif/links/%d", runtime_dir, index);
        g_autofree char *state = read_key(path, "ADMIN_STATE");

        return state && strcmp(state, "unmanaged") != 0 && strcmp(state, "linger") != 0 &&
               strcmp(state, "initialized") != 0 && strcmp(state, "pending") != 0;
}

/* "managed" as NetworkManager keeps it for its own restarts. */
static bool is_network_manager(const char *runtime_dir, int index)
{
        g_autofree char *path = g_strdup_printf("%s/NetworkManager/devices/%d", runtime_dir, index);
        g_autofree char *managed = read_key(path, "managed"), *connection = read_key(path, "connection-uuid");

        return managed && strcmp(managed, "true") == 0 && connection;
}

const char *interface_get_manager(const char *runtime_dir, int index)
{
        if (is_networkd(runtime_dir, index))
                return "systemd-networkd";
        return is_network_manager(runtime_dir, index) ? "NetworkManager" : NULL;
}
