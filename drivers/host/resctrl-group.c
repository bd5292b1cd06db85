/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Groups of resctrl: what they have, making, filling, reading and removing them. No state.
 */
#include "drivers/host/resctrl.h"

#include "base/error.h"
#include "base/lane.h"
#include "base/log.h"
#include "drivers/host/sysfile.h"
#include "drivers/host/topology.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Others who give out parts of caches need as long as we do. */
#define LOCK_MS       5000
#define LOCK_PAUSE_MS 20

static char *make_path(const char *root, const char *path)
{
        return g_strconcat(root, RESCTRL_DIR, *path ? "/" : "", path, NULL);
}

bool resctrl_require(const char *root, const char *what, GError **error)
{
        return sysfile_exists(root, RESCTRL_DIR "/info") ||
               error_set(error, ERROR_FROM_RESCTRL, ERROR_CONFIG_UNSUPPORTED,
                         "%s needs the kernel's resctrl, which is not mounted on " RESCTRL_DIR
                         " (mount -t resctrl resctrl " RESCTRL_DIR ", on a host whose processors have it)",
                         what);
}

/* ---- what is given out ---- */

int resctrl_lock(struct lane *lane, const char *root, GError **error)
{
        g_autofree char *path = make_path(root, "");
        lane_deadline deadline = lane_deadline_in(LOCK_MS);
        CLEANUP_FD int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        enum lane_wake wake = LANE_TIMEOUT;

        if (fd < 0) {
                error_set_errno(error, ERROR_FROM_RESCTRL, errno, "cannot open '%s'", path);
                return -1;
        }
        while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
                if (errno != EWOULDBLOCK || wake == LANE_INTERRUPTED || lane_deadline_in(0) >= deadline) {
                        error_set(error, ERROR_FROM_RESCTRL,
                                  wake == LANE_INTERRUPTED ? ERROR_OPERATION_ABORTED
                                                           : ERROR_OPERATION_TIMEOUT,
                                  "cannot lock '%s', which somebody else has locked", path);
                        return -1;
                }
                wake = lane_wait(lane, -1, 0, NULL, lane_deadline_in(LOCK_PAUSE_MS));
        }
        return fd_steal(&fd);
}

/* NULL with an error, or without one: it is gone. */
static GArray *read_group(const char *root, const char *path, GError **error)
{
        g_autofree char *text = sysfile_read(root, RESCTRL_DIR "/%s/schemata", path);

        return text ? resctrl_parse(text, *path ? path : "/", error) : NULL;
}

static bool is_group(const char *root, const char *name)
{
        g_autofree char *schemata = g_strconcat(RESCTRL_DIR "/", name, "/schemata", NULL);

        return strcmp(name, "info") != 0 && strcmp(name, "mon_groups") != 0 &&
               strcmp(name, "mon_data") != 0 && sysfile_exists(root, schemata);
}

static bool read_others(const char *root, GPtrArray *others, GError **error)
{
        g_autoptr(GPtrArray) names = sysfile_list(root, RESCTRL_DIR);
        g_autoptr(GError) failure = NULL;

        for (unsigned i = 0; i < names->len && others->len < RESCTRL_GROUPS_MAX; i++) {
                const char *name = g_ptr_array_index(names, i);
                GArray *entries = is_group(root, name) ? read_group(root, name, &failure) : NULL;

                if (failure) {
                        g_propagate_error(error, g_steal_pointer(&failure));
                        return false;
                }
                if (entries)
                        g_ptr_array_add(others, entries);
        }
        return true;
}

GArray *resctrl_find_room(const char *root, struct resctrl_request *requests, unsigned n, GError **error)
{
        CLEANUP(resctrl_free) struct resctrl *resctrl = resctrl_new(root);
        g_autoptr(GPtrArray) others = g_ptr_array_new_with_free_func((GDestroyNotify)g_array_unref);
        g_autoptr(GArray) defaults = NULL;

        if (!resctrl) {
                resctrl_require(root, "<cputune>", error);
                return NULL;
        }
        defaults = read_group(root, "", error);
        if (!defaults) {
                if (error && !*error)
                        error_set(error, ERROR_FROM_RESCTRL, ERROR_INTERNAL_ERROR,
                                  "resctrl does not say what its default group has");
                return NULL;
        }
        if (!read_others(root, others, error))
                return NULL;
        for (unsigned i = 0; i < n; i++) {
                if (requests[i].level > 0)
                        requests[i].size =
                                1024 * topology_find_cache_kib(root, requests[i].level, requests[i].id);
        }
        return resctrl_plan(resctrl, defaults, others, requests, n, error);
}

/* ---- groups ---- */

bool resctrl_exists(const char *root, const char *path)
{
        g_autofree char *dir = make_path(root, path);

        return g_file_test(dir, G_FILE_TEST_EXISTS);
}

/* The kernel's own words for what it has just refused; owned. */
static char *read_reason(const char *root)
{
        char *reason = sysfile_read(root, RESCTRL_DIR "/info/last_cmd_status");

        if (reason && (!*reason || strcmp(reason, "ok") == 0))
                g_clear_pointer(&reason, g_free);
        return reason;
}

bool resctrl_make(const char *root, const char *path, GError **error)
{
        g_autofree char *dir = make_path(root, path);
        int code;

        if (mkdir(dir, 0755) == 0)
                return true;
        code = errno;
        if (code == ENOSPC)
                return error_set(error, ERROR_FROM_RESCTRL, ERROR_OPERATION_FAILED,
                                 "cannot make '%s': resctrl has as many groups as the host's processors "
                                 "tell apart",
                                 dir);
        return error_set_errno(error, ERROR_FROM_RESCTRL, code, "cannot make '%s'", dir);
}

/* Each write is a command of its own, and ends with the end of a line. 0, or an error number. */
static int write_file(const char *group, const char *name, const char *text)
{
        g_autofree char *path = g_build_filename(group, name, NULL), *line = g_strconcat(text, "\n", NULL);
        CLEANUP_FD int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);

        return fd >= 0 && write(fd, line, strlen(line)) >= 0 ? 0 : errno;
}

bool resctrl_assign(const char *root, const char *path, const GArray *entries, GError **error)
{
        g_autofree char *group = make_path(root, path), *text = resctrl_format(entries), *reason = NULL;
        int code = write_file(group, "schemata", text);

        if (code == 0)
                return true;
        reason = read_reason(root);
        return error_set_errno(error, ERROR_FROM_RESCTRL, code, "cannot write '%s' to '%s/schemata'%s%s",
                               text, group, reason ? ", of which the kernel says: " : "",
                               reason ? reason : "");
}

bool resctrl_add_thread(const char *root, const char *path, pid_t thread, GError **error)
{
        g_autofree char *group = make_path(root, path);
        g_autofree char *text = g_strdup_printf("%d", (int)thread);
        int code = write_file(group, "tasks", text);

        return code == 0 || code == ESRCH ||
               error_set_errno(error, ERROR_FROM_RESCTRL, code, "cannot add thread %d to '%s'", (int)thread,
                               group);
}

void resctrl_remove(const char *root, const char *path)
{
        g_autofree char *dir = make_path(root, path);

        if (rmdir(dir) < 0 && errno != ENOENT)
                log_warning("cannot remove '%s': %s", dir, g_strerror(errno));
}

/* ---- what they have used ---- */

/* "Unavailable" and "Error" are no numbers. */
static bool read_number(const char *root, const char *dir, const char *name, const char *file,
                        uint64_t *value)
{
        g_autofree char *text = sysfile_read(root, RESCTRL_DIR "%s/mon_data/%s/%s", dir, name, file);

        if (!text || !g_ascii_isdigit(*text))
                return false;
        *value = g_ascii_strtoull(text, NULL, 10);
        return true;
}

static int compare_readings(const void *a, const void *b)
{
        const struct resctrl_reading *one = a, *other = b;

        return (one->id > other->id) - (one->id < other->id);
}

/* Directories "mon_L3_00" */
GArray *resctrl_read(const char *root, const char *path)
{
        g_autofree char *dir = g_strconcat(*path ? "/" : "", path, NULL);
        g_autoptr(GPtrArray) names = sysfile_list(root, RESCTRL_DIR "%s/mon_data", dir);
        GArray *readings = g_array_new(FALSE, FALSE, sizeof(struct resctrl_reading));

        for (unsigned i = 0; i < names->len && readings->len < RESCTRL_GROUPS_MAX; i++) {
                const char *name = g_ptr_array_index(names, i);
                struct resctrl_reading reading = { .id = 0 };
                int end = 0;

                if (sscanf(name, "mon_L3_%9u%n", &reading.id, &end) != 1 || name[end])
                        continue;
                reading.has_occupancy = read_number(root, dir, name, "llc_occupancy", &reading.occupancy);
                reading.has_total = read_number(root, dir, name, "mbm_total_bytes", &reading.total);
                reading.has_local = read_number(root, dir, name, "mbm_local_bytes", &reading.local);
                g_array_append_val(readings, reading);
        }
        g_array_sort(readings, compare_readings);
        return readings;
}
