/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A host for the tests of storage backends: a lane to call them in, a mount namespace of its own, loop
 * devices on memory, and stand-ins for tools. All of it ends with the test's process, however that ends.
 */

#include "base/cleanup.h"
#include "base/error.h"
#include "base/lane.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/pool.h"
#include "drivers/storage/backend.h"
#include "tests/support/loop-device.h"
#include "tests/unit/check-main.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct storage_host {
        struct loop *loop;
        struct pool *pool;
        struct lane *lane;
        char *dir; /* on a tmpfs in the namespace; owned */
        bool is_private;
        void (*body)(void);
};

static struct storage_host host;

/* Gives the process a mount namespace of its own. Before there are threads, so that all of them are in it. */
static inline void host_isolate(void)
{
        host.is_private = geteuid() == 0 && unshare(CLONE_NEWNS) == 0 &&
                          mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
        host.dir = g_strdup("/run");
        if (host.is_private)
                ck_assert_int_eq(mount("tests", host.dir, "tmpfs", 0, NULL), 0);
}

static inline void host_setup(void)
{
        log_init(LOG_LEVEL_ERROR);
        host_isolate();
        host.loop = loop_new(NULL);
        host.pool = pool_new(2, NULL);
        ck_assert(host.loop && host.pool);
        host.lane = lane_new(host.pool, host.loop, "storage");
}

static inline void host_teardown(void)
{
        ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
        ck_assert_int_eq(errno, ECHILD);
        lane_unref(host.lane);
        pool_free(host.pool);
        loop_free(host.loop);
        g_free(host.dir);
}

static inline void host_quit(void *data)
{
        loop_quit(host.loop);
}

static inline void host_call_body(void *data)
{
        host.body();
        loop_post(host.loop, host_quit, NULL);
}

/* Runs body in the lane. */
static inline void host_run(void (*body)(void))
{
        host.body = body;
        lane_post(host.lane, host_call_body, NULL);
        loop_run(host.loop);
}

/* Is there what the test needs? Otherwise says what is missing, and the test has nothing to do. */
static inline bool host_has(bool there, const char *what)
{
        g_autofree char *why = g_strconcat("needs ", what, NULL);

        if (!there)
                check_skip(why);
        return there;
}

static inline bool host_has_tool(const char *tool)
{
        g_autofree char *path = g_find_program_in_path(tool);

        return host_has(path != NULL, tool);
}

/* Does the kernel make the nodes of devices? */
static inline bool host_has_devtmpfs(void)
{
        g_autofree char *table = NULL;

        g_file_get_contents("/proc/self/mounts", &table, NULL, NULL);
        return host_has(table && strstr(table, " /dev devtmpfs "), "a devtmpfs on /dev");
}

/* A block device of that size, free of content; it ends with *fd. False where the host has none. */
static inline bool host_loop_device(uint64_t size, char **path, int *fd)
{
        if (!host_has(host.is_private, "root and loop devices"))
                return false;
        *fd = loop_device_open(size, path);
        return host_has(*fd >= 0, "a free loop device");
}

/* Puts a program of that name and script (what is behind "#!/bin/sh") before all others. */
static inline void host_stand_in(const char *name, const char *script)
{
        g_autofree char *bin = g_build_filename(host.dir, "bin", NULL);
        g_autofree char *path = g_build_filename(bin, name, NULL);
        g_autofree char *text = g_strconcat("#!/bin/sh\n", script, "\n", NULL);
        const char *before = g_getenv("PATH");

        ck_assert(host.is_private);
        if (!g_str_has_prefix(before, bin)) {
                g_autofree char *all = g_strconcat(bin, ":", before, NULL);

                ck_assert_int_eq(mkdir(bin, 0755), 0);
                ck_assert(g_setenv("PATH", all, TRUE));
        }
        ck_assert(g_file_set_contents(path, text, -1, NULL));
        ck_assert_int_eq(chmod(path, 0755), 0);
}

/* What the stand-ins have been called with: "$HOST_LOG" in their scripts. */
static inline char *host_log(void)
{
        g_autofree char *path = g_build_filename(host.dir, "log", NULL);
        char *text = NULL;

        if (!g_file_get_contents(path, &text, NULL, NULL))
                return g_strdup("");
        unlink(path);
        return text;
}

/* Writes a file below host.dir or an absolute path, with its directories. */
static inline void host_write(const char *path, const char *text)
{
        g_autofree char *dir = g_path_get_dirname(path);

        ck_assert_int_eq(g_mkdir_with_parents(dir, 0755), 0);
        ck_assert(g_file_set_contents(path, text, -1, NULL));
}

/* The context of a pool that is described by xml; host_context_clear() it. */
static inline struct backend_context host_context(const char *xml)
{
        GError *error = NULL;
        struct pool_def *def = pool_def_parse(xml, &error);

        ck_assert_msg(def, "%s", error ? error->message : "");
        return (struct backend_context){
                .lane = host.lane,
                .def = def,
                .runtime_dir = host.dir,
                .live = g_new0(void *, 1),
        };
}

static inline void host_context_clear(struct backend_context *context)
{
        const struct backend *backend = backend_get(context->def->type);

        if (backend->forget)
                backend->forget(context);
        g_free(context->live);
        pool_def_unref((struct pool_def *)context->def);
}

/* A scan of the pool. */
static inline GPtrArray *host_refresh(const struct backend *backend, const struct backend_context *context,
                                      struct pool_numbers *numbers)
{
        struct pool_scan scan = {
                .volumes = g_ptr_array_new_with_free_func((GDestroyNotify)volume_unref),
                .permissions.mode = -1,
        };
        GError *error = NULL;
        bool ok = backend->refresh(context, &scan, &error);

        ck_assert_msg(ok, "%s", error ? error->message : "");
        if (numbers)
                *numbers = scan.numbers;
        g_free(scan.directory);
        return scan.volumes;
}

static inline struct volume *host_find(GPtrArray *volumes, const char *name)
{
        for (unsigned i = 0; i < volumes->len; i++) {
                struct volume *volume = g_ptr_array_index(volumes, i);

                if (strcmp(volume->name, name) == 0)
                        return volume;
        }
        return NULL;
}

static inline struct volume *host_volume(enum pool_type type, const char *name, uint64_t capacity,
                                         const char *format)
{
        g_autofree char *xml = g_strdup_printf("<volume><name>%s</name><capacity>%" G_GUINT64_FORMAT
                                               "</capacity><target><format type='%s'/></target></volume>",
                                               name, capacity, format);
        GError *error = NULL;
        struct volume_given given;
        struct volume *volume = volume_parse(xml, type, &given, &error);

        ck_assert_msg(volume, "%s", error ? error->message : "");
        return volume;
}

/* Asserts that call succeeds; error is the name of the GError* that it sets. */
#define ck_assert_ok(call)                                                                                   \
        do {                                                                                                 \
                g_autoptr(GError) error = NULL;                                                              \
                bool ok_ = (call);                                                                           \
                ck_assert_msg(ok_, "%s: %s", #call, error ? error->message : "no error");                    \
        } while (0)

/* Asserts that call fails, with text in its message. */
#define ck_assert_fails(call, text)                                                                          \
        do {                                                                                                 \
                g_autoptr(GError) error = NULL;                                                              \
                bool ok_ = (call);                                                                           \
                ck_assert_msg(!ok_, "%s succeeded", #call);                                                  \
                ck_assert_msg(error &&strstr(error->message, text), "%s: %s", #call,                         \
                              error ? error->message : "no error");                                          \
        } while (0)
