/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Guests that a libvirtd has left running: looked at before their definitions are taken, because two must not
 * have their disks, and adopted behind them. Main thread.
 */
#include "agent/import-private.h"

#include "agent/agent.h"
#include "base/error.h"
#include "base/store.h"
#include "drivers/qemu/adopt.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct running {
        char *name, *path;         /* owned; libvirt's document */
        struct adoption *adoption; /* owned; NULL: it cannot be adopted, or, without an error, has ended */
        GError *error;             /* owned; why */
};

static void running_free(void *data)
{
        struct running *running = data;

        g_free(running->name);
        g_free(running->path);
        adoption_free(running->adoption);
        g_clear_error(&running->error);
        g_free(running);
}

/* ---- looking ---- */

static void look_at(struct import *import, const char *file)
{
        struct running *running = g_new0(struct running, 1);
        g_autofree char *text = NULL;

        running->name = g_strndup(file, strlen(file) - strlen(".xml"));
        running->path = g_build_filename(import->run, "qemu", file, NULL);
        text = store_read(running->path, &running->error);
        if (text)
                running->adoption = adoption_new(model_get_domains(import->model), text, &running->error);
        g_hash_table_insert(import->running, running->name, running);
}

void import_look_at_running(struct import *import)
{
        g_autofree char *dir = g_build_filename(import->run, "qemu", NULL);
        g_autoptr(GPtrArray) files = import_list_names(dir, ".xml");

        import->running = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, running_free);
        for (unsigned i = 0; i < files->len && !import->agent->ending; i++)
                look_at(import, g_ptr_array_index(files, i));
}

/* A process that libvirt says is the guest's, and nothing more. */
static long read_pid(const struct import *import, const char *name)
{
        g_autofree char *file = g_strconcat(name, ".pid", NULL);
        g_autofree char *path = g_build_filename(import->run, "qemu", file, NULL);
        g_autofree char *text = strchr(name, '/') ? NULL : store_read(path, NULL);
        long pid = text ? strtol(text, NULL, 10) : 0;

        return pid > 1 && (kill((pid_t)pid, 0) == 0 || errno != ESRCH) ? pid : 0;
}

char *import_refuse_running(const struct import *import, const char *name)
{
        const struct running *running = name ? g_hash_table_lookup(import->running, name) : NULL;
        long pid = name && !running ? read_pid(import, name) : 0;

        if (running && running->error)
                return g_strdup_printf("it runs under libvirt and cannot be adopted: %s; shut it down, and "
                                       "import it then",
                                       running->error->message);
        return pid ? g_strdup_printf("it runs under libvirt (process %ld), which has left no document about "
                                     "it: shut it down, and import it then",
                                     pid)
                   : NULL;
}

/* ---- adopting ---- */

static int compare_running(const void *one, const void *other)
{
        return strcmp(((const struct running *)one)->name, ((const struct running *)other)->name);
}

static bool has_definition(const struct import *import, const struct running *running)
{
        g_autofree char *file = g_strconcat(running->name, ".xml", NULL);
        g_autofree char *path = g_build_filename(import->etc, "qemu", file, NULL);

        return access(path, F_OK) == 0;
}

static bool adopt(const struct import *import, const struct running *running, GError **error)
{
        struct domain_driver *driver = model_get_domains(import->model);
        const struct adoption *adoption = running->adoption;
        char uuid[UUID_STRING_LENGTH + 1];

        uuid_format(adoption_get_uuid(adoption), uuid);
        if (!domain_lookup_uuid(driver, uuid, NULL) && has_definition(import, running))
                return error_set(error, ERROR_FROM_CONF, ERROR_OPERATION_FAILED,
                                 "its definition was not taken");
        if (!adoption->is_here && !adoption_write(adoption, driver, error))
                return false;
        return import_put_aside(running->path, error);
}

static void name_confinement(const struct running *running)
{
        const struct adoption *adoption = running->adoption;

        for (unsigned i = 0; i < adoption->confinement->len; i++)
                import_say("domain", running->name,
                           "stays confined by %s as libvirt has set it up: what is attached to it may be "
                           "out of its reach",
                           (const char *)g_ptr_array_index(adoption->confinement, i));
        if (adoption->has_own_dev)
                import_say("domain", running->name,
                           "sees a /dev of its own until it is started again: devices of the host "
                           "cannot be attached to it");
}

void import_adopt_running(struct import *import)
{
        g_autoptr(GList) all = g_list_sort(g_hash_table_get_values(import->running), compare_running);

        for (GList *link = all; link; link = link->next) {
                const struct running *running = link->data;
                g_autoptr(GError) error = NULL;

                if (running->adoption && adopt(import, running, &error)) {
                        import->taken += !running->adoption->is_here;
                        import_say("domain", running->name, "runs on as process %d, and is adopted",
                                   (int)adoption_get_pid(running->adoption));
                        name_confinement(running);
                } else if (error || (running->error && !has_definition(import, running))) {
                        import->refused++;
                        import_say("domain", running->name, "runs under libvirt, and is not adopted: %s",
                                   error ? error->message : running->error->message);
                }
        }
}
