/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Virtual networks that a libvirtd has left running, adopted behind the definitions and before the guests
 * that are plugged into them. Main thread.
 */
#include "agent/import-private.h"

#include "agent/agent.h"
#include "base/error.h"
#include "base/store.h"
#include "drivers/network/adopt.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* ---- is it anybody's? ---- */

/* Who runs libvirt's networks has this file locked. 0: nobody. */
static pid_t find_holder(const struct import *import)
{
        g_autofree char *path = g_build_filename(import->run, "network/driver.pid", NULL);
        CLEANUP_FD int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

        return fd >= 0 && fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK ? lock.l_pid : 0;
}

static bool has_definition(const struct import *import, const char *file)
{
        g_autofree char *path = g_build_filename(import->etc, "qemu/networks", file, NULL);

        return access(path, F_OK) == 0;
}

static bool check(const struct import *import, const struct network_adoption *adoption, const char *file,
                  pid_t holder, GError **error)
{
        struct networks *networks = model_get_networks(import->model);

        if (holder)
                return error_set(error, ERROR_FROM_CONF, ERROR_OPERATION_FAILED,
                                 "a libvirtd (process %d) has it; stop that, and import it then",
                                 (int)holder);
        return registry_find_uuid(networks_get_registry(networks), &adoption->def->base.uuid) ||
               !has_definition(import, file) ||
               error_set(error, ERROR_FROM_CONF, ERROR_OPERATION_FAILED, "its definition was not taken");
}

/* ---- adopting ---- */

static bool run(const struct import *import, struct network_adoption *adoption, GError **error)
{
        struct import_wait wait = { 0 };

        network_adopt(model_get_networks(import->model), adoption, import_ended, &wait);
        import_wait_for(import, &wait);
        if (wait.error)
                g_propagate_error(error, g_steal_pointer(&wait.error));
        import_wait_clear(&wait);
        return !error || !*error;
}

static void describe(struct import *import, const struct network_adoption *adoption)
{
        const struct network_def *def = adoption->def;

        import->taken += !adoption->is_here;
        if (network_forward_has_own_bridge(def->forward))
                import_say("network", def->base.name, "runs on with bridge '%s', and is adopted",
                           def->bridge);
        else
                import_say("network", def->base.name, "stays active, and is adopted");
}

static bool adopt(struct import *import, struct network_adoption *adoption, const char *path,
                  const char *file, pid_t holder, GError **error)
{
        bool ok = check(import, adoption, file, holder, error) && run(import, adoption, error);

        for (unsigned i = 0; i < adoption->left->len; i++)
                import_say("network", adoption->def->base.name, "%s",
                           (const char *)g_ptr_array_index(adoption->left, i));
        if (!ok || (!adoption->has_ended && !import_put_aside(path, error)))
                return false;
        if (!adoption->has_ended)
                describe(import, adoption);
        return true;
}

static void look_at(struct import *import, const char *file, pid_t holder)
{
        g_autofree char *path = g_build_filename(import->run, "network", file, NULL);
        g_autofree char *name = g_strndup(file, strlen(file) - strlen(".xml"));
        g_autoptr(GError) error = NULL;
        g_autofree char *text = store_read(path, &error);
        CLEANUP(network_adoption_free)
        struct network_adoption *adoption =
                text ? network_adoption_new(text, import->run, import->state, &error) : NULL;

        if (adoption && adopt(import, adoption, path, file, holder, &error))
                return;
        import->refused++;
        import_say("network", name, "runs under libvirt, and is not adopted: %s", error->message);
}

void import_adopt_networks(struct import *import)
{
        g_autofree char *dir = g_build_filename(import->run, "network", NULL);
        g_autoptr(GPtrArray) files = import_list_names(dir, ".xml");
        pid_t holder = find_holder(import);

        for (unsigned i = 0; i < files->len && !import->agent->ending; i++)
                look_at(import, g_ptr_array_index(files, i), holder);
}
