/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "drivers/domain/mounted.h"

#include <glib.h>
#include <mntent.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct mount {
        char *dir;    /* owned */
        char *server; /* owned; NULL: it is this host's */
};

struct mounted {
        GPtrArray *mounts; /* owned; struct mount, in the order in which they were made */
};

static bool is_remote(const char *type)
{
        static const char *const types[] = { "nfs",    "nfs4", "cifs",     "smb3",  "smbfs", "ceph",
                                             "9p",     "afs",  "gfs2",     "ncpfs", "coda",  "lustre",
                                             "beegfs", "gpfs", "orangefs", NULL };

        /* Which program serves a "fuse" is not said, and any may ask a network. */
        return g_strv_contains(types, type) || strcmp(type, "fuse") == 0 || g_str_has_prefix(type, "fuse.");
}

/*
 * Of "host:/export", "user@host:" and "//host/share" the host: a file on one export may be on another one as
 * well, and what is below a directory is shown as an export of its own where it is mounted again.
 */
static char *get_server(const char *source)
{
        const char *end = strstr(source, ":/");

        if (!end && g_str_has_prefix(source, "//"))
                end = strchr(source + 2, '/');
        if (!end && g_str_has_suffix(source, ":"))
                end = source + strlen(source) - 1;
        return end ? g_strndup(source, (gsize)(end - source)) : g_strdup(source);
}

static void mount_free(void *data)
{
        struct mount *mount = data;

        g_free(mount->dir);
        g_free(mount->server);
        g_free(mount);
}

struct mounted *mounted_new(const char *table)
{
        FILE *file = setmntent(table, "re");
        struct mntent entry;
        char text[8192];
        struct mounted *mounted;

        if (!file)
                return NULL;
        mounted = g_new0(struct mounted, 1);
        mounted->mounts = g_ptr_array_new_with_free_func(mount_free);
        while (getmntent_r(file, &entry, text, sizeof(text))) {
                struct mount *mount = g_new0(struct mount, 1);

                mount->dir = g_strdup(entry.mnt_dir);
                mount->server = is_remote(entry.mnt_type) ? get_server(entry.mnt_fsname) : NULL;
                g_ptr_array_add(mounted->mounts, mount);
        }
        endmntent(file);
        return mounted;
}

void mounted_free(struct mounted *mounted)
{
        if (!mounted)
                return;
        g_ptr_array_unref(mounted->mounts);
        g_free(mounted);
}

static bool is_below(const char *path, const char *dir)
{
        size_t length = strlen(dir);

        return strcmp(dir, "/") == 0 ||
               (strncmp(path, dir, length) == 0 && (path[length] == '/' || path[length] == '\0'));
}

const char *mounted_find_server(const struct mounted *mounted, const char *path)
{
        const struct mount *found = NULL;

        /* Of several at one place the last is on top. */
        for (unsigned i = 0; i < mounted->mounts->len; i++) {
                const struct mount *mount = g_ptr_array_index(mounted->mounts, i);

                if (is_below(path, mount->dir) && (!found || strlen(mount->dir) >= strlen(found->dir)))
                        found = mount;
        }
        return found ? found->server : NULL;
}
