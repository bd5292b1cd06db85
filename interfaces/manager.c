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

/* Does that file hold the profile of that UUID, made up by NetworkManager for what others have set up? */
static bool is_external_profile(const char *path, const char *uuid)
{
        g_autoptr(GKeyFile) file = g_key_file_new();
        g_autofree char *own = NULL;

        if (!g_key_file_load_from_file(file, path, G_KEY_FILE_NONE, NULL))
                return false;
        own = g_key_file_get_string(file, "connection", "uuid", NULL);
        return g_strcmp0(own, uuid) == 0 && g_key_file_get_boolean(file, ".nmmeta", "external", NULL);
}

/* Is that the profile of a link which NetworkManager shows, and leaves as it is ("connected (externally)")?
 */
static bool is_external(const char *runtime_dir, const char *uuid)
{
        g_autofree char *folder = g_build_filename(runtime_dir, "NetworkManager/system-connections", NULL);
        g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
        const char *name;

        while (dir && (name = g_dir_read_name(dir))) {
                g_autofree char *path = g_build_filename(folder, name, NULL);

                if (is_external_profile(path, uuid))
                        return true;
        }
        return false;
}

/*
 * "managed" as NetworkManager keeps it for its own restarts: of what it leaves alone (`nmcli device set
 * <link> managed no`) it is false, or missing.
 */
static bool is_network_manager(const char *runtime_dir, int index)
{
        g_autofree char *path = g_strdup_printf("%s/NetworkManager/devices/%d", runtime_dir, index);
        g_autofree char *managed = read_key(path, "managed"), *uuid = read_key(path, "connection-uuid");

        return managed && strcmp(managed, "true") == 0 && !(uuid && is_external(runtime_dir, uuid));
}

const char *interface_get_manager(const char *runtime_dir, int index)
{
        if (is_networkd(runtime_dir, index))
                return "systemd-networkd";
        return is_network_manager(runtime_dir, index) ? "NetworkManager" : NULL;
}
