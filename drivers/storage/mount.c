/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Mounted pools. Everything that could hang on a dead server or disk is done by a child, so that the lane
 * gets away from it; the mount table is read from the kernel, which asks no server. Pool's lane; nothing is
 * kept.
 */
#include "drivers/storage/mount.h"

#include "base/error.h"
#include "base/lane.h"
#include "base/log.h"
#include "base/spawn.h"
#include "drivers/storage/tool.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* One line of /proc/self/mountinfo. */
struct entry {
        dev_t device;
        char *target; /* owned */
        char *source; /* owned */
};

static void entry_clear(struct entry *entry)
{
        g_free(entry->target);
        g_free(entry->source);
        *entry = (struct entry){ 0 };
}

#define ENTRY __attribute__((cleanup(entry_clear))) struct entry

bool mount_check_options(const struct pool_def *def, GError **error)
{
        for (unsigned i = 0; i < def->n_mount_options; i++) {
                const struct pool_option *option = &def->mount_options[i];

                if (!tool_check_argument("mount option", option->name, error))
                        return false;
                if (option->value && *option->value &&
                    !tool_check_argument("mount option", option->value, error))
                        return false;
                if (strchr(option->name, ',') || (option->value && strchr(option->value, ',')))
                        return error_set(error, ERROR_FROM_STORAGE, ERROR_XML_ERROR,
                                         "mount option %u has a ',' in it", i + 1);
        }
        return true;
}

void mount_add_option(GString *options, const struct pool_option *option)
{
        g_string_append_printf(options, ",%s", option->name);
        if (option->value)
                g_string_append_printf(options, "=%s", option->value);
}

GString *mount_options(const struct pool_def *def)
{
        GString *options = g_string_new(MOUNT_OPTIONS);

        for (unsigned i = 0; i < def->n_mount_options; i++)
                mount_add_option(options, &def->mount_options[i]);
        return options;
}

/* Space, tab, line break and backslash are octal in mountinfo. */
static char *unescape(const char *text)
{
        return g_strcompress(text);
}

/* "36 35 98:0 /root /target options [optional ...] - type source options" */
static bool parse_line(const char *line, struct entry *entry)
{
        g_auto(GStrv) fields = g_strsplit(line, " ", -1);
        unsigned count = g_strv_length(fields), major, minor, i;

        if (count < 10 || sscanf(fields[2], "%u:%u", &major, &minor) != 2)
                return false;
        for (i = 6; i < count && strcmp(fields[i], "-") != 0; i++)
                ;
        if (i + 2 >= count)
                return false;
        entry->device = makedev(major, minor);
        entry->target = unescape(fields[4]);
        entry->source = unescape(fields[i + 2]);
        return true;
}

/* The target as the kernel knows it, without touching what is mounted there. */
static char *real_target(const char *target)
{
        g_autofree char *parent = g_path_get_dirname(target);
        g_autofree char *name = g_path_get_basename(target);
        char real[PATH_MAX];

        return realpath(parent, real) ? g_build_filename(real, name, NULL) : g_strdup(target);
}

/* The uppermost mount at target; entry->target is NULL when there is none. */
static bool find_entry(const char *target, struct entry *found, GError **error)
{
        g_autofree char *real = real_target(target);
        g_autofree char *table = NULL;
        g_autoptr(GError) problem = NULL;
        g_auto(GStrv) lines = NULL;

        if (!g_file_get_contents("/proc/self/mountinfo", &table, NULL, &problem))
                return error_set(error, ERROR_FROM_STORAGE, ERROR_SYSTEM_ERROR, "%s", problem->message);
        lines = g_strsplit(table, "\n", -1);
        for (char **line = lines; *line; line++) {
                ENTRY entry = { 0 };

                if (!parse_line(*line, &entry) || strcmp(entry.target, real) != 0)
                        continue;
                entry_clear(found);
                *found = entry;
                entry = (struct entry){ 0 };
        }
        return true;
}

static size_t length_without_slashes(const char *text)
{
        size_t length = strlen(text);

        while (length > 1 && text[length - 1] == '/')
                length--;
        return length;
}

/* Only local devices are looked at, which answer at once. */
static bool read_device(const char *source, dev_t *device)
{
        struct stat status;

        if (!g_str_has_prefix(source, "/dev/") || stat(source, &status) < 0 || !S_ISBLK(status.st_mode))
                return false;
        *device = status.st_rdev;
        return true;
}

/* The same name, or another name of the same device; the number alone does not tell with btrfs. */
static bool is_source(const struct entry *entry, const char *source)
{
        size_t length = length_without_slashes(source);
        dev_t wanted, there;

        if (read_device(source, &wanted) &&
            (wanted == entry->device || (read_device(entry->source, &there) && wanted == there)))
                return true;
        return length_without_slashes(entry->source) == length && strncmp(entry->source, source, length) == 0;
}

bool mount_is_active(const struct backend_context *context, const char *source, bool *active, GError **error)
{
        ENTRY entry = { 0 };

        if (!find_entry(context->def->path, &entry, error))
                return false;
        *active = entry.target && is_source(&entry, source);
        return true;
}

/* Nothing else is there, and it is a directory of its own, not a link to one. */
static bool check_target(const struct backend_context *context, const char *source, bool *mounted,
                         GError **error)
{
        const char *target = context->def->path;
        ENTRY entry = { 0 };
        struct stat status;

        *mounted = false;
        if (!find_entry(target, &entry, error))
                return false;
        if (entry.target) {
                *mounted = is_source(&entry, source);
                return *mounted || error_set(error, ERROR_FROM_STORAGE, ERROR_OPERATION_FAILED,
                                             "'%s' is the mount point of '%s' already", target, entry.source);
        }
        if (lstat(target, &status) < 0)
                return error_set_errno(error, ERROR_FROM_STORAGE, errno, "cannot mount '%s' at '%s'", source,
                                       target);
        return S_ISDIR(status.st_mode) || error_set(error, ERROR_FROM_STORAGE, ERROR_OPERATION_FAILED,
                                                    "'%s' is not a directory", target);
}

/* Programs that mount(8) needs for these types, and what brings them on Debian and Fedora. */
static const struct {
        const char *type, *program, *packages;
} helpers[] = {
        { "nfs", "mount.nfs", "nfs-common or nfs-utils" },
        { "cifs", "mount.cifs", "cifs-utils" },
        { "glusterfs", "mount.glusterfs", "glusterfs-client or glusterfs-fuse" },
        { "fuse.glusterfs", "mount.glusterfs", "glusterfs-client or glusterfs-fuse" },
};

static bool is_installed(const char *program)
{
        g_autofree char *path = g_find_program_in_path(program),
                        *sbin = g_build_filename("/sbin", program, NULL);

        return path || access(sbin, X_OK) == 0;
}

/* mount(8) says of a type without its helper that the kernel does not know it. */
static bool explain_mount(const char *type, GError *failure, GError **error)
{
        bool unknown = strstr(failure->message, "unknown filesystem type") ||
                       strstr(failure->message, "helper program");

        for (unsigned i = 0; unknown && i < G_N_ELEMENTS(helpers); i++) {
                if (g_strcmp0(type, helpers[i].type) != 0 || is_installed(helpers[i].program))
                        continue;
                g_clear_error(&failure);
                return error_set(error, ERROR_FROM_STORAGE, ERROR_OPERATION_FAILED,
                                 "cannot mount file systems of type '%s': the helper program '%s' is not "
                                 "installed (package %s)",
                                 type, helpers[i].program, helpers[i].packages);
        }
        g_propagate_error(error, failure);
        return false;
}

static bool run_mount(const struct backend_context *context, const struct mount_request *request,
                      GError **error)
{
        const char *argv[9];
        GError *failure = NULL;
        unsigned n = 0;

        argv[n++] = "mount";
        if (request->type) {
                argv[n++] = "-t";
                argv[n++] = request->type;
        }
        argv[n++] = "-o";
        argv[n++] = request->options;
        argv[n++] = "--";
        argv[n++] = request->source;
        argv[n++] = context->def->path;
        argv[n] = NULL;
        return spawn_check(context->lane, argv, MOUNT_TIMEOUT_MS, NULL, &failure) ||
               explain_mount(request->type, failure, error);
}

bool mount_start(const struct backend_context *context, const struct mount_request *request, GError **error)
{
        bool mounted;

        if (!check_target(context, request->source, &mounted, error))
                return false;
        if ((mounted || run_mount(context, request, error)) &&
            mount_check_alive(context, request->source, error) && backend_dir.start(context, error))
                return true;
        if (mounted)
                return false;
        /* Interrupted or late, mount(8) may have done it nevertheless. */
        lane_shield(context->lane);
        mount_stop(context, request->source, NULL);
        return false;
}

/* umount(8), because it may wait for a server. */
static bool unmount(const struct backend_context *context, GError **error)
{
        const char *target = context->def->path;
        const char *const argv[] = { "umount", "--", target, NULL };
        g_autoptr(GError) problem = NULL;

        if (spawn_check(context->lane, argv, MOUNT_TIMEOUT_MS, NULL, &problem))
                return true;
        if (!error_is(problem, ERROR_OPERATION_TIMEOUT)) {
                g_propagate_error(error, g_steal_pointer(&problem));
                return false;
        }
        if (umount2(target, MNT_DETACH | UMOUNT_NOFOLLOW) < 0)
                return error_set_errno(error, ERROR_FROM_STORAGE, errno, "cannot unmount '%s'", target);
        log_warning("'%s' did not let itself be unmounted in %d s: detached, it goes when its last user does",
                    target, MOUNT_TIMEOUT_MS / 1000);
        return true;
}

bool mount_stop(const struct backend_context *context, const char *source, GError **error)
{
        bool active;

        if (!mount_is_active(context, source, &active, error))
                return false;
        /* A pool that stays mounted stays active, with its watch. */
        if (active && !unmount(context, error))
                return false;
        return backend_dir.stop(context, error);
}

bool mount_check_alive(const struct backend_context *context, const char *source, GError **error)
{
        const char *const argv[] = { "stat", "--file-system", "--", context->def->path, NULL };
        bool active;

        if (!mount_is_active(context, source, &active, error))
                return false;
        if (!active)
                return error_set(error, ERROR_FROM_STORAGE, ERROR_OPERATION_FAILED,
                                 "'%s' is not mounted at '%s' any more", source, context->def->path);
        return spawn_check(context->lane, argv, MOUNT_TIMEOUT_MS, NULL, error);
}
