/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Is it there, is it that one, and does its monitor hear us? Then it is written down. Loop; the monitor in a
 * lane of its own.
 */
#include "drivers/qemu/adopt.h"

#include "base/error.h"
#include "base/loop.h"
#include "base/store.h"
#include "drivers/domain/definition.h"
#include "drivers/host/host.h"
#include "drivers/qemu/guest.h"
#include "drivers/qemu/shares.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* How long an emulator that runs may take to greet us. */
#define GREETING_MS 5000

const char *adoption_get_name(const struct adoption *adoption)
{
        return adoption->status->name;
}

const struct uuid *adoption_get_uuid(const struct adoption *adoption)
{
        return &adoption->status->uuid;
}

pid_t adoption_get_pid(const struct adoption *adoption)
{
        return adoption->status->emulator.pid;
}

/* ---- its process ---- */

/* The pid may be somebody else's by now. */
static bool is_its_process(const struct status *status)
{
        g_autofree char *path = g_strdup_printf("/proc/%d/cmdline", (int)status->emulator.pid), *text = NULL;
        char uuid[UUID_STRING_LENGTH + 1];
        gsize length = 0;
        const char *before = "";

        if (!g_file_get_contents(path, &text, &length, NULL))
                return false;
        uuid_format(&status->uuid, uuid);
        for (const char *word = text; word < text + length; word += strlen(word) + 1) {
                if (strcmp(before, "-uuid") == 0 && strcmp(word, uuid) == 0)
                        return true;
                before = word;
        }
        return false;
}

static bool find_process(struct status *status)
{
        char state;

        return process_read_stat(status->emulator.pid, &status->emulator.start_time, &state) &&
               state != 'Z' && is_its_process(status);
}

/* ---- its monitor ---- */

struct hearing {
        const struct status *status; /* borrowed */
        struct lane *lane;           /* borrowed */
        GError *error;               /* owned */
        bool done;
};

static bool ask(const struct status *status, struct lane *lane, GError **error)
{
        g_autofree char *who = g_strdup_printf("domain '%s'", status->name);
        char uuid[UUID_STRING_LENGTH + 1];
        CLEANUP(qmp_free) struct qmp *qmp = NULL;
        json_t *answer = NULL;
        const char *name;
        bool is_it;
        int fd = guest_open_monitor(status->monitor, who, error);

        if (fd < 0)
                return false;
        qmp = qmp_new(lane, fd, who);
        if (!qmp_handshake(qmp, lane_deadline_in(GREETING_MS), error)) {
                g_prefix_error(error,
                               "its monitor does not answer; a libvirtd that still runs has it to itself: ");
                return false;
        }
        if (!qmp_execute(qmp, "query-uuid", NULL, GREETING_MS, &answer, error))
                return false;
        name = json_string_value(json_object_get(answer, "UUID"));
        uuid_format(&status->uuid, uuid);
        is_it = g_strcmp0(name, uuid) == 0;
        json_decref(answer);
        return is_it || error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_FAILED,
                                  "its monitor '%s' is another guest's", status->monitor);
}

static void heard(void *data)
{
        ((struct hearing *)data)->done = true;
}

static void hear(void *data)
{
        struct hearing *hearing = data;

        ask(hearing->status, hearing->lane, &hearing->error);
        loop_post(lane_get_loop(hearing->lane), heard, hearing);
}

static bool talk(const struct status *status, struct domain_driver *driver, GError **error)
{
        struct lane *lane = lane_new(driver->pool, driver->loop, "adopt");
        struct hearing hearing = { status, lane, NULL, false };

        lane_post(lane, hear, &hearing);
        while (!hearing.done)
                loop_step(driver->loop, true);
        lane_unref(lane);
        if (!hearing.error)
                return true;
        g_propagate_error(error, hearing.error);
        return false;
}

/* ---- all of it ---- */

static void note_label(struct adoption *adoption, const struct adoption_file *file)
{
        struct status_label label = { .alias = file->alias, .path = file->path, .taken = true };

        if (!relabel_is_noted(file->path, &label.relabel, &label.label))
                return;
        status_add_label(adoption->status, &label);
        g_free(label.label);
        g_free(label.relabel.before);
}

/* Whose they were, and what they were labelled with, stands at the files, as we would have written it there.
 */
static void note_files(struct adoption *adoption)
{
        for (unsigned i = 0; i < adoption->files->len; i++) {
                const struct adoption_file *file = g_ptr_array_index(adoption->files, i);
                struct ownership ownership;

                if (ownership_is_noted(file->path, &ownership))
                        status_add_image(adoption->status, file->alias, file->path, &ownership);
                note_label(adoption, file);
        }
}

static bool is_here(const struct status *status, const struct domain_driver *driver)
{
        const struct managed *object = registry_find_uuid(driver->domains, &status->uuid);
        const struct domain_state *state =
                object ? domain_get_published((const struct domain *)object) : NULL;

        return state && state->base.active && state->pid == status->emulator.pid;
}

struct adoption *adoption_new(struct domain_driver *driver, const char *text, GError **error)
{
        CLEANUP(adoption_free) struct adoption *adoption = adoption_parse(text, error);
        CLEANUP(domain_def_unref) struct domain_def *def = NULL;

        if (!adoption || !find_process(adoption->status))
                return NULL;
        adoption->is_here = is_here(adoption->status, driver);
        if (adoption->is_here)
                return g_steal_pointer(&adoption);
        def = domain_def_parse_stored(adoption->status->xml, error);
        if (!def || !talk(adoption->status, driver, error))
                return NULL;
        note_files(adoption);
        shares_adopt(adoption->status, host_get_root(driver->host), def);
        return g_steal_pointer(&adoption);
}

/* What belongs to the emulator's user: sockets that it makes for devices that come. */
static bool make_directory(const struct adoption *adoption, const char *dir, GError **error)
{
        g_autofree char *io = g_build_filename(dir, STATUS_IO_DIR, NULL);
        g_autofree char *process = g_strdup_printf("/proc/%d", (int)adoption->status->emulator.pid);
        struct stat user;

        if (!store_make_dir(io, error))
                return false;
        if (stat(process, &user) < 0 || chmod(dir, user.st_uid == geteuid() ? 0700 : 0711) < 0 ||
            (user.st_uid != geteuid() && chown(io, user.st_uid, user.st_gid) < 0))
                return error_set_errno(error, ERROR_FROM_QEMU, errno, "cannot make '%s'", io);
        return true;
}

bool adoption_write(const struct adoption *adoption, struct domain_driver *driver, GError **error)
{
        const struct qemu_driver *qemu = (const struct qemu_driver *)driver;
        char uuid[UUID_STRING_LENGTH + 1];
        g_autofree char *dir = NULL;

        uuid_format(&adoption->status->uuid, uuid);
        dir = g_build_filename(qemu->runtime_dir, uuid, NULL);
        return make_directory(adoption, dir, error) && status_write(dir, adoption->status, error);
}
