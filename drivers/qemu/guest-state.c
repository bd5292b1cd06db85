/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a domain owns beside its definition and longer than it runs: the variable store of its firmware, the
 * state of its TPM, its pstore. They go with the definition, or, when the guest outlives that, at its end. Of
 * a guest that never had one the store stays, as with libvirt, and what was there before it. Lane of the
 * domain.
 */
#include "drivers/qemu/guest.h"

#include "base/error.h"
#include "base/log.h"
#include "drivers/qemu/firmware.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define NVRAM_FLAGS (DOMAIN_UNDEFINE_NVRAM | DOMAIN_UNDEFINE_KEEP_NVRAM)

/* ---- what there is ---- */

/* Of which format a store is that the agent has found the place for, its name says. */
static char *find_own_place(const struct qemu_driver *driver, const struct domain_def *def)
{
        g_autofree char *image = guest_get_nvram_path(driver, &def->base.uuid, "qcow2");

        return access(image, F_OK) == 0 ? g_steal_pointer(&image)
                                        : guest_get_nvram_path(driver, &def->base.uuid, "raw");
}

/* Owned; NULL: it is a device, or on a server, and stays there. */
static char *get_nvram_path(const struct qemu_driver *driver, const struct domain_def *def)
{
        if (domain_nvram_get_server(&def->os.nvram) || domain_nvram_is_device(&def->os.nvram))
                return NULL;
        return def->os.nvram.path ? g_strdup(def->os.nvram.path) : find_own_place(driver, def);
}

/* What a package has brought is everybody's, whatever a definition says. */
static bool is_template(const char *path)
{
        CLEANUP(firmware_list_free)
        struct firmware_list *list = firmware_list_load(geteuid() == 0 ? NULL : g_get_user_config_dir());

        return firmware_list_has_file(list, path);
}

static bool keeps_tpm(const struct domain_def *def)
{
        for (unsigned i = 0; i < def->devices.n_tpms; i++) {
                if (def->devices.tpms[i].persistent_state == DOMAIN_SWITCH_ON)
                        return true;
        }
        return false;
}

/* ---- removing it ---- */

static bool remove_nvram(const char *path, GError **error)
{
        if (is_template(path) || unlink(path) == 0 || errno == ENOENT)
                return true;
        return error_set_errno(error, ERROR_FROM_QEMU, errno, "cannot remove NVRAM file '%s'", path);
}

static void remove_tpm(const struct qemu_driver *driver, const struct domain_def *def, unsigned flags)
{
        static const char *const files[] = { "tpm2-00.permall", "tpm2-00.volatilestate", "tpm-00.permall",
                                             "tpm-00.volatilestate", ".lock" };
        char uuid[UUID_STRING_LENGTH + 1];
        g_autofree char *dir = g_build_filename(driver->tpm_dir, uuid_format(&def->base.uuid, uuid), NULL);

        if (flags & DOMAIN_UNDEFINE_KEEP_TPM || (keeps_tpm(def) && !(flags & DOMAIN_UNDEFINE_TPM)))
                return;
        for (unsigned i = 0; i < G_N_ELEMENTS(files); i++) {
                g_autofree char *path = g_build_filename(dir, files[i], NULL);

                unlink(path);
        }
        rmdir(dir);
}

/* Of a guest that has not come: what was made for it, if nothing is in it. */
static void remove_empty_tpm(const struct guest *guest)
{
        g_autofree char *dir = g_build_filename(guest->driver->tpm_dir, guest->domain->base.uuid_text, NULL);

        rmdir(dir);
}

/* One that the definition names is somebody's who wants to read it. */
static void remove_pstore(const struct qemu_driver *driver, const struct domain_def *def, unsigned flags)
{
        g_autofree char *path = guest_get_pstore_path(driver, &def->base.uuid);

        if (!(flags & DOMAIN_UNDEFINE_KEEP_NVRAM))
                unlink(path);
}

/* ---- at the end of the definition ---- */

/* The guest runs on: its end is when. */
static bool note(struct domain *domain, unsigned flags, GError **error)
{
        struct guest *guest = guest_of(domain);

        guest->status->undefine_flags = flags;
        guest->changed = true;
        return guest_save(guest, domain_get_current(domain), error);
}

bool guest_undefine(struct domain *domain, const struct domain_def *def, unsigned flags, GError **error)
{
        const struct qemu_driver *driver = qemu_driver_of(domain);
        g_autofree char *nvram = get_nvram_path(driver, def);
        bool has_nvram = nvram && access(nvram, F_OK) == 0 && !is_template(nvram);

        if (has_nvram && !(flags & NVRAM_FLAGS))
                return error_set(
                        error, ERROR_FROM_QEMU, ERROR_OPERATION_INVALID,
                        "cannot undefine domain '%s' with nvram '%s': say whether to remove or to keep it",
                        def->base.name, nvram);
        if (guest_of(domain))
                return note(domain, flags, error);
        if (has_nvram && flags & DOMAIN_UNDEFINE_NVRAM && !remove_nvram(nvram, error))
                return false;
        remove_tpm(driver, def, flags);
        remove_pstore(driver, def, flags);
        return true;
}

/* ---- of a guest without a definition ---- */

static bool has_tpm(const struct qemu_driver *driver, const struct uuid *uuid)
{
        char text[UUID_STRING_LENGTH + 1];
        g_autofree char *dir = g_build_filename(driver->tpm_dir, uuid_format(uuid, text), NULL);
        g_autoptr(GDir) state = g_dir_open(dir, 0, NULL);

        return state && g_dir_read_name(state);
}

void guest_keep_state(const struct guest *guest)
{
        const struct uuid *uuid = &guest->domain->base.uuid;
        g_autofree char *pstore = guest_get_pstore_path(guest->driver, uuid);

        if (access(pstore, F_OK) == 0)
                guest->status->undefine_flags |= DOMAIN_UNDEFINE_KEEP_NVRAM;
        if (has_tpm(guest->driver, uuid))
                guest->status->undefine_flags |= DOMAIN_UNDEFINE_KEEP_TPM;
}

/* ---- at the end of the guest ---- */

void guest_forget_state(const struct guest *guest)
{
        const struct domain_state *current = domain_get_current(guest->domain);
        unsigned flags = guest->status->undefine_flags;
        CLEANUP(domain_def_unref) struct domain_def *def = NULL;
        g_autofree char *nvram = NULL;
        g_autoptr(GError) error = NULL;

        if (guest->status->phase == STATUS_INCOMING)
                remove_empty_tpm(guest);
        /* A start that failed has undone what it did; a definition that there is keeps its own. */
        if (guest->status->phase != STATUS_RUNNING || (current && current->base.persistent) ||
            !guest->status->xml)
                return;
        def = domain_def_parse_stored(guest->status->xml, &error);
        if (!def) {
                log_gerror(LOG_LEVEL_WARNING, error, "what belongs to %s is not removed", guest->who);
                return;
        }
        nvram = get_nvram_path(guest->driver, def);
        if (nvram && flags & DOMAIN_UNDEFINE_NVRAM && !remove_nvram(nvram, &error))
                log_gerror(LOG_LEVEL_WARNING, error, "the NVRAM of %s stays", guest->who);
        remove_tpm(guest->driver, def, flags);
        remove_pstore(guest->driver, def, flags);
}
