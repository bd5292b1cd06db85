/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Listing devices. No state. */
#include "nodedev/enumerate.h"

#include "base/cleanup.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

const char *const enumerate_subsystems[] = {
        "pci",  "usb",  "net", "scsi", "scsi_generic", "block",  "drm",
        "mdev", "vdpa", "ccw", "css",  "ap",           "matrix", NULL,
};

static gint compare_paths(gconstpointer a, gconstpointer b)
{
        return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Where a device's link leads: "../../../devices/pci0000:00/0000:00:1f.2". NULL: it is none. */
static char *read_path(int fd, const char *name)
{
        char target[PATH_MAX];
        ssize_t length = readlinkat(fd, name, target, sizeof(target) - 1);
        const char *at = target;

        if (length < 0)
                return NULL;
        target[length] = '\0';
        while (g_str_has_prefix(at, "../"))
                at += strlen("../");
        return g_str_has_prefix(at, "devices/") ? g_strconcat("/sys/", at, NULL) : NULL;
}

static void list_folder(GPtrArray *paths, const char *folder)
{
        DIR *dir = opendir(folder);
        const struct dirent *entry;

        while (dir && (entry = readdir(dir))) {
                char *path = entry->d_type == DT_LNK || entry->d_type == DT_UNKNOWN
                                     ? read_path(dirfd(dir), entry->d_name)
                                     : NULL;

                if (path)
                        g_ptr_array_add(paths, path);
        }
        if (dir)
                closedir(dir);
}

GPtrArray *enumerate_paths(void)
{
        GPtrArray *paths = g_ptr_array_new_with_free_func(g_free);

        for (unsigned i = 0; enumerate_subsystems[i]; i++) {
                g_autofree char *bus = g_strdup_printf("/sys/bus/%s/devices", enumerate_subsystems[i]);
                g_autofree char *class = g_strdup_printf("/sys/class/%s", enumerate_subsystems[i]);

                list_folder(paths, bus);
                list_folder(paths, class);
        }
        g_ptr_array_sort(paths, compare_paths);
        return paths;
}
