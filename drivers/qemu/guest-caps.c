/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the emulator of a guest that runs can do. Lane of the domain. */
#include "drivers/qemu/guest.h"
#include "drivers/qemu/probe-cache.h"
#include "drivers/qemu/probe.h"

#include <sys/stat.h>

/* Is the program that it runs what is there now? A script that starts another one never is. */
static bool is_installed(const struct guest *guest, const char *path)
{
        g_autofree char *program = g_strdup_printf("/proc/%d/exe", (int)guest->emulator.pid);
        struct stat runs, installed;

        return stat(program, &runs) == 0 && stat(path, &installed) == 0 && runs.st_dev == installed.st_dev &&
               runs.st_ino == installed.st_ino;
}

/* The program may have no name any more, and nothing to be started with again, but it can be asked. */
static const struct qemu_caps *ask(struct guest *guest, const char *path, GError **error)
{
        struct qmp *qmp = guest_get_monitor(guest, error);
        json_t *document = qmp ? probe_ask(guest->domain->base.lane, qmp, path, error) : NULL;
        const struct qemu_caps *caps = document ? qemu_caps_new(document, error) : NULL;

        json_decref(document);
        return caps;
}

const struct qemu_caps *guest_get_caps(struct guest *guest, GError **error)
{
        const char *path = domain_state_get_def(domain_get_current(guest->domain))->devices.emulator;

        if (!guest->caps)
                guest->caps = is_installed(guest, path)
                                      ? probe_cache_get(guest->driver->probes, guest->domain->base.lane, path,
                                                        error)
                                      : ask(guest, path, error);
        return guest->caps ? qemu_caps_ref(guest->caps) : NULL;
}
