/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The administrator's programs. They are looked for each time, because they may come and go.
 */
#include "drivers/qemu/hooks.h"

#include "base/error.h"
#include "base/lane.h"
#include "base/log.h"
#include "base/spawn.h"
#include "drivers/domain/definition.h"
#include "drivers/qemu/guest.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROGRAM "qemu"
/* More programs in the directory are not run. */
#define PROGRAMS_MAX 256
/* For how long a start waits for those that are told of an end. */
#define END_TIMEOUT_MS (4 * HOOKS_TIMEOUT_MS)

static bool is_program(const char *path)
{
        struct stat st;

        return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

static int compare_paths(const void *a, const void *b)
{
        return g_strcmp0(*(const char *const *)a, *(const char *const *)b);
}

static void add_directory(GPtrArray *programs, const char *path)
{
        g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
        unsigned first = programs->len;
        const char *name;

        while (dir && programs->len < PROGRAMS_MAX && (name = g_dir_read_name(dir))) {
                g_autofree char *program = g_build_filename(path, name, NULL);

                if (*name != '.' && is_program(program))
                        g_ptr_array_add(programs, g_steal_pointer(&program));
        }
        if (programs->len > first)
                qsort(programs->pdata + first, programs->len - first, sizeof(gpointer), compare_paths);
}

static GPtrArray *find_programs(const char *directory)
{
        GPtrArray *programs = g_ptr_array_new_with_free_func(g_free);
        g_autofree char *more = NULL, *first = NULL;

        if (!directory)
                return programs;
        first = g_build_filename(directory, PROGRAM, NULL);
        more = g_strconcat(first, ".d", NULL);
        if (is_program(first))
                g_ptr_array_add(programs, g_steal_pointer(&first));
        add_directory(programs, more);
        return programs;
}

/* output: what it said, to be freed; NULL: nobody wants to know. */
static bool run_program(struct lane *lane, const char *program, const char *name, const char *operation,
                        const char *phase, const char *xml, char **output, GError **error)
{
        const char *const argv[] = { program, name, operation, phase, "-", NULL };
        struct spawn_result result = { 0 };
        g_autoptr(GError) failure = NULL;
        bool ok = spawn_run_foreign(lane, argv, xml, HOOKS_TIMEOUT_MS, &result, &failure) &&
                  spawn_result_check(program, &result, &failure);

        if (ok && output)
                *output = g_steal_pointer(&result.output);
        spawn_result_clear(&result);
        if (ok)
                return true;
        if (error_is(failure, ERROR_OPERATION_ABORTED)) {
                g_propagate_error(error, g_steal_pointer(&failure));
                return false;
        }
        return error_set(error, ERROR_FROM_HOOK, ERROR_HOOK_SCRIPT_FAILED, "'%s' at '%s' of domain '%s': %s",
                         program, operation, name, failure->message);
}

static bool run_all(struct lane *lane, const GPtrArray *programs, const char *name, const char *operation,
                    const char *phase, const char *xml, GError **error)
{
        for (unsigned i = 0; i < programs->len; i++) {
                if (!run_program(lane, programs->pdata[i], name, operation, phase, xml, NULL, error))
                        return false;
        }
        return true;
}

/* Of what nobody can refuse: all are told, whatever becomes of the others. Failures are logged. */
static void tell_all(struct lane *lane, const GPtrArray *programs, const char *name, const char *operation,
                     const char *phase, const char *xml)
{
        for (unsigned i = 0; i < programs->len; i++) {
                g_autoptr(GError) error = NULL;

                if (run_program(lane, programs->pdata[i], name, operation, phase, xml, NULL, &error))
                        continue;
                log_warning("%s", error->message);
                if (error_is(error, ERROR_OPERATION_ABORTED))
                        return;
        }
}

bool hooks_begin(struct lane *lane, const char *directory, const char *name, const char *operation,
                 const char *xml, GError **error)
{
        g_autoptr(GPtrArray) programs = find_programs(directory);

        return run_all(lane, programs, name, operation, "begin", xml, error);
}

static bool is_blank(const char *text)
{
        return text[strspn(text, " \t\r\n")] == '\0';
}

bool hooks_adapt(struct lane *lane, const char *directory, const char *name, const char *operation,
                 const char *xml, char **text, GError **error)
{
        g_autoptr(GPtrArray) programs = find_programs(directory);
        g_autofree char *last = NULL;

        for (unsigned i = 0; i < programs->len; i++) {
                g_autofree char *output = NULL;

                if (!run_program(lane, programs->pdata[i], name, operation, "begin", last ? last : xml,
                                 &output, error))
                        return false;
                if (is_blank(output))
                        continue;
                g_free(last);
                last = g_steal_pointer(&output);
        }
        *text = g_steal_pointer(&last);
        return true;
}

/* ---- the end ---- */

struct end {
        struct lane *lane;   /* ref */
        GPtrArray *programs; /* owned */
        char *name, *xml;    /* owned */
        int done_fd;         /* owned; written to at the end of it; -1: the next start does not wait */
};

static void end_job(void *data)
{
        static const char *const operations[] = { "stopped", "release" };
        struct end *end = data;

        for (unsigned i = 0; i < G_N_ELEMENTS(operations); i++)
                tell_all(end->lane, end->programs, end->name, operations[i], "end", end->xml);
        if (end->done_fd >= 0) {
                eventfd_write(end->done_fd, 1);
                close(end->done_fd);
        }
        g_ptr_array_unref(end->programs);
        lane_unref(end->lane);
        g_free(end->name);
        g_free(end->xml);
        g_free(end);
}

/* Free it; NULL: nobody can read what the guest was. */
static char *get_last_document(const struct guest *guest)
{
        g_autoptr(GError) error = NULL;
        CLEANUP(domain_def_unref)
        struct domain_def *def =
                guest->status->xml ? domain_def_parse_stored(guest->status->xml, &error) : NULL;

        if (error)
                log_gerror(LOG_LEVEL_WARNING, error, "hooks are not told of %s", guest->who);
        return def ? g_strdup(definition_get_public_xml(&def->base)) : NULL;
}

/* Another descriptor of domain->ending_fd, which is made for it; -1: the host is short of them. */
static int open_ending(struct domain *domain)
{
        CLEANUP_FD int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        int copy = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : -1;

        if (copy < 0) {
                log_warning("the next start of domain '%s' will not wait for its hooks: %s",
                            managed_get_current_name(&domain->base), g_strerror(errno));
                return -1;
        }
        if (domain->ending_fd >= 0)
                close(domain->ending_fd);
        domain->ending_fd = fd_steal(&fd);
        return copy;
}

bool hooks_wait_end(struct domain *domain, GError **error)
{
        enum lane_wake wake;

        if (domain->ending_fd < 0)
                return true;
        wake = lane_wait(domain->base.lane, domain->ending_fd, POLLIN, NULL,
                         lane_deadline_in(END_TIMEOUT_MS));
        if (wake == LANE_INTERRUPTED)
                return error_set(error, ERROR_FROM_HOOK, ERROR_OPERATION_ABORTED,
                                 "waiting for the hooks of domain '%s' was interrupted",
                                 managed_get_current_name(&domain->base));
        if (wake == LANE_TIMEOUT)
                log_warning("hooks that are told of the end of domain '%s' are not waited for any longer",
                            managed_get_current_name(&domain->base));
        close(fd_steal(&domain->ending_fd));
        return true;
}

void hooks_end(const struct guest *guest)
{
        const struct domain_driver *driver = &guest->driver->base;
        g_autoptr(GPtrArray) programs = find_programs(guest->driver->hooks_dir);
        char *xml = programs->len > 0 ? get_last_document(guest) : NULL;
        struct end *end;

        if (!xml)
                return;
        end = g_new(struct end, 1);
        *end = (struct end){ lane_new(driver->pool, driver->loop, "hooks"), g_steal_pointer(&programs),
                             g_strdup(guest->status->name), xml, open_ending(guest->domain) };
        lane_post(end->lane, end_job, end);
}

/* ---- another agent ---- */

void hooks_reconnect(const struct guest *guest)
{
        g_autoptr(GPtrArray) programs = find_programs(guest->driver->hooks_dir);
        g_autofree char *xml = programs->len > 0 ? get_last_document(guest) : NULL;

        if (xml)
                tell_all(guest->domain->base.lane, programs, guest->status->name, "reconnect", "begin", xml);
}
