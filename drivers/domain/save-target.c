/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where a caller wants a guest's state, or its memory, to go: what links lead to, and what is no place for it
 * because a guest has its disk there, by whatever name. In the lane of a job, but for the list of guests.
 */
#include "drivers/domain/save.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "drivers/domain/model.h"
#include "drivers/domain/mounted.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* ---- links ---- */

/* As many as the kernel follows. */
#define LINKS_MAX 40

static bool check_link(const struct stat *status, const char *path, GError **error)
{
        return status->st_uid == 0 || status->st_uid == geteuid() ||
               error_set(error, ERROR_FROM_DOMAIN, ERROR_OPERATION_DENIED,
                         "'%s' is a symbolic link of user %u, which is not followed: name the file itself",
                         path, (unsigned)status->st_uid);
}

/* Takes path. What the link there names; path itself: there is none; NULL with an error. */
static char *follow_one(char *path, bool *followed, GError **error)
{
        CLEANUP_FD int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        g_autofree char *link = path, *dir = g_path_get_dirname(path);
        char target[PATH_MAX];
        struct stat status;
        ssize_t length;

        *followed = false;
        /* What is wrong with the directory is told by whoever makes the file. */
        if (fd < 0 || fstat(fd, &status) < 0 || !S_ISLNK(status.st_mode))
                return g_steal_pointer(&link);
        if (!check_link(&status, link, error))
                return NULL;
        /* Of the link that was looked at, whatever is at path now. */
        length = readlinkat(fd, "", target, sizeof(target) - 1);
        if (length < 0) {
                error_set_errno(error, ERROR_FROM_DOMAIN, errno, "cannot look at '%s'", link);
                return NULL;
        }
        target[length] = '\0';
        *followed = true;
        return g_path_is_absolute(target) ? g_strdup(target) : g_build_filename(dir, target, NULL);
}

static char *follow(const char *path, GError **error)
{
        char *at = g_strdup(path);
        bool followed;

        for (unsigned i = 0; i <= LINKS_MAX; i++) {
                at = follow_one(at, &followed, error);
                if (!at || !followed)
                        return at;
        }
        g_free(at);
        error_set_errno(error, ERROR_FROM_DOMAIN, ELOOP, "cannot look at '%s'", path);
        return NULL;
}

/* ---- disks of guests ---- */

/* A file or a block device, whatever it is called. */
struct identity {
        bool is_device;
        dev_t device; /* the block device, or where the file is */
        ino_t inode;
};

/* Where the state is to go. */
struct target {
        struct identity identity;
        const struct mounted *mounted; /* borrowed; NULL: what is mounted is not known */
        const char *server;            /* borrowed; that it is on; NULL: on this host */
};

static bool identify(const char *path, struct identity *identity)
{
        struct stat status;

        if (stat(path, &status) < 0)
                return false;
        identity->is_device = S_ISBLK(status.st_mode);
        identity->device = identity->is_device ? status.st_rdev : status.st_dev;
        identity->inode = identity->is_device ? 0 : status.st_ino;
        return identity->is_device || S_ISREG(status.st_mode);
}

/* Of a partition the disk that it is on; of all else itself. */
static dev_t get_whole(dev_t device)
{
        g_autofree char *sys = g_strdup_printf("/sys/dev/block/%u:%u", major(device), minor(device));
        g_autofree char *partition = g_build_filename(sys, "partition", NULL), *text = NULL;
        g_autofree char *above = g_build_filename(sys, "..", "dev", NULL);
        unsigned upper, lower;

        if (access(partition, F_OK) == 0 && g_file_get_contents(above, &text, NULL, NULL) &&
            sscanf(text, "%u:%u", &upper, &lower) == 2)
                return makedev(upper, lower);
        return device;
}

static bool overlaps(const struct identity *a, const struct identity *b)
{
        if (a->is_device != b->is_device)
                return false;
        if (!a->is_device)
                return a->device == b->device && a->inode == b->inode;
        return a->device == b->device || get_whole(a->device) == b->device ||
               get_whole(b->device) == a->device;
}

/* A server that is gone, of a guest that has nothing to do with it, would hold up the save. */
static bool is_elsewhere(const char *path, const struct target *target)
{
        const char *server = target->mounted ? mounted_find_server(target->mounted, path) : NULL;

        return server && g_strcmp0(server, target->server) != 0;
}

static bool is_at(const struct domain_storage *storage, const struct target *target)
{
        struct identity identity;

        return storage->path && !is_elsewhere(storage->path, target) && identify(storage->path, &identity) &&
               overlaps(&identity, &target->identity);
}

/* Its image, what is below it, and where these have their data. */
static bool has_disk_at(const struct domain_disk *disk, const struct target *target)
{
        for (const struct domain_storage *storage = &disk->source; storage; storage = storage->backing) {
                if (is_at(storage, target) || (storage->data && is_at(storage->data, target)))
                        return true;
        }
        return false;
}

static bool check_guest(const struct domain_def *def, const struct target *target, const char *path,
                        GError **error)
{
        for (unsigned i = 0; i < def->devices.n_disks; i++) {
                const struct domain_disk *disk = &def->devices.disks[i];

                if (has_disk_at(disk, target))
                        return error_set(
                                error, ERROR_FROM_DOMAIN, ERROR_OPERATION_INVALID,
                                "'%s' is disk '%s' of domain '%s', which runs and would lose what is "
                                "on it: name another file",
                                path, disk->target, def->base.name);
        }
        return true;
}

static void unref_def(void *def)
{
        domain_def_unref(def);
}

GPtrArray *domain_save_list_guests(const struct domain_driver *driver)
{
        g_autoptr(GPtrArray) domains = registry_list(driver->domains);
        GPtrArray *guests = g_ptr_array_new_with_free_func(unref_def);

        for (unsigned i = 0; i < domains->len; i++) {
                const struct domain_state *state = domain_get_published(g_ptr_array_index(domains, i));

                if (state && state->base.active)
                        g_ptr_array_add(guests, domain_def_ref(domain_def_of(state->base.active)));
        }
        return guests;
}

bool domain_save_find_target(struct domain_save *save, GError **error)
{
        CLEANUP(mounted_free) struct mounted *mounted = NULL;
        char *path = follow(save->path, error);
        struct target target = { .server = NULL };

        if (!path)
                return false;
        g_free(save->path);
        save->path = path;
        if (!identify(path, &target.identity))
                return true; /* There is nothing that could be somebody's. */
        mounted = mounted_new("/proc/self/mounts");
        target.mounted = mounted;
        target.server = mounted ? mounted_find_server(mounted, path) : NULL;
        for (unsigned i = 0; save->guests && i < save->guests->len; i++) {
                if (!check_guest(g_ptr_array_index(save->guests, i), &target, path, error))
                        return false;
        }
        return true;
}
