/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the emulator of a guest that runs can do. Lane of the domain. */
#include "drivers/qemu/guest.h"
#include "drivers/qemu/probe-cache.h"

#include <inttypes.h>
#include <sys/stat.h>

static const struct domain_def *get_def(const struct guest *guest)
{
        return domain_state_get_def(domain_get_current(guest->domain));
}

/* The program that it runs, which may have no name any more. */
static bool stat_program(const struct guest *guest, struct stat *program)
{
        g_autofree char *link = g_strdup_printf("/proc/%d/exe", (int)guest->emulator.pid);

        return stat(link, program) == 0;
}

/* A script that starts another program never is what runs. */
static bool is_installed(const char *path, const struct stat *program)
{
        struct stat installed;

        return stat(path, &installed) == 0 && installed.st_dev == program->st_dev &&
               installed.st_ino == program->st_ino;
}

/* What is there to be started again has lost its modules and libraries; what runs can be asked. */
static const struct qemu_caps *ask(struct guest *guest, const struct stat *program, GError **error)
{
        const struct domain_def *def = get_def(guest);
        struct qmp *qmp = guest_get_monitor(guest, error);
        g_autofree char *name = NULL;

        if (!qmp)
                return NULL;
        if (program)
                name = g_strdup_printf("%s %" PRIu64 ":%" PRIu64 " %" PRId64 " %" PRId64, def->type,
                                       (uint64_t)program->st_dev, (uint64_t)program->st_ino,
                                       (int64_t)program->st_mtim.tv_sec, (int64_t)program->st_size);
        return probe_cache_get_running(guest->driver->probes, guest->domain->base.lane, qmp,
                                       def->devices.emulator, name, error);
}

static const struct qemu_caps *get_installed(struct guest *guest, GError **error)
{
        return probe_cache_get(guest->driver->probes, guest->domain->base.lane,
                               get_def(guest)->devices.emulator, error);
}

const struct qemu_caps *guest_get_caps(struct guest *guest, GError **error)
{
        struct stat program;
        bool known;

        if (!guest->caps) {
                known = stat_program(guest, &program);
                guest->caps = known && is_installed(get_def(guest)->devices.emulator, &program)
                                      ? get_installed(guest, error)
                                      : ask(guest, known ? &program : NULL, error);
        }
        return guest->caps ? qemu_caps_ref(guest->caps) : NULL;
}

const struct qemu_caps *guest_get_names_caps(struct guest *guest)
{
        const struct qemu_caps *caps = guest->caps ? qemu_caps_ref(guest->caps) : get_installed(guest, NULL);

        return caps ? caps : guest_get_caps(guest, NULL);
}
