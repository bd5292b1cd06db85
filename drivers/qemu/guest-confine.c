/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What confines a guest's emulator beyond its user: its profile of AppArmor. It is made of what the status
 * document says that the guest opens, so the next agent makes the same one. Lane of the domain.
 */
#include "drivers/qemu/guest.h"

#include "base/error.h"
#include "base/log.h"
#include "drivers/security/apparmor.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static bool has_host_devices(const struct domain_def *def)
{
        for (unsigned i = 0; i < def->devices.n_interfaces; i++)
                if (def->devices.interfaces[i].type == DOMAIN_INTERFACE_HOSTDEV)
                        return true;
        return def->devices.n_hostdevs > 0;
}

static bool has_sound(const struct domain_def *def)
{
        for (unsigned i = 0; i < def->devices.n_audios; i++) {
                const char *type = def->devices.audios[i].type;

                if (g_strcmp0(type, "none") != 0 && g_strcmp0(type, "spice") != 0)
                        return true;
        }
        return false;
}

static bool load_profile(struct guest *guest, const struct domain_def *def, GError **error)
{
        const GPtrArray *files = guest->status->files;
        g_autofree struct apparmor_rule *rules = g_new0(struct apparmor_rule, MAX(files->len, 1U));
        const struct apparmor_profile profile = {
                .name = guest->profile,
                .emulator = def->devices.emulator,
                .rules = rules,
                .n_rules = files->len,
                .host_devices = has_host_devices(def),
                .sound = has_sound(def),
        };
        g_autofree char *text = NULL;

        for (unsigned i = 0; i < files->len; i++) {
                const struct status_file *file = g_ptr_array_index(files, i);

                rules[i] = (struct apparmor_rule){ file->path, file->write, file->tree };
        }
        text = apparmor_format(&profile, error);
        return text && apparmor_load(guest->domain->base.lane, text, error);
}

bool guest_confine(struct guest *guest, const struct domain_def *def, GError **error)
{
        return !guest->owns_profile || load_profile(guest, def, error);
}

static const struct domain_def *get_def(const struct guest *guest)
{
        return domain_state_get_def(domain_get_current(guest->domain));
}

void guest_confine_again(struct guest *guest)
{
        g_autoptr(GError) failure = NULL;

        if (!guest_confine(guest, get_def(guest), &failure))
                log_gerror(LOG_LEVEL_WARNING, failure, "%s may open what it could before", guest->who);
}

/* Whoever removes a profile frees those whom it confined, for good. */
void guest_confine_found(struct guest *guest, const struct domain_def *def)
{
        g_autoptr(GError) failure = NULL;

        if (!guest->owns_profile || apparmor_is_loaded(guest->profile))
                return;
        log_warning("the profile '%s' of AppArmor was removed while %s runs, which is not confined any more",
                    guest->profile, guest->who);
        if (!load_profile(guest, def, &failure))
                log_gerror(LOG_LEVEL_WARNING, failure, "it is not there again");
}

void guest_unconfine(struct guest *guest)
{
        if (guest->owns_profile)
                apparmor_remove(guest->profile);
        guest->owns_profile = false;
}

char *guest_find_fd_path(int fd)
{
        static const char deleted[] = " (deleted)";
        g_autofree char *link = g_strdup_printf("/proc/self/fd/%d", fd), *path = g_file_read_link(link, NULL);

        if (!path || *path != '/' || g_str_has_prefix(path, "/memfd:"))
                return NULL;
        if (g_str_has_suffix(path, deleted))
                path[strlen(path) - strlen(deleted)] = '\0';
        return g_steal_pointer(&path);
}

bool guest_allow_fd(struct guest *guest, const char *alias, int fd, GError **error)
{
        g_autofree char *path = guest->owns_profile ? guest_find_fd_path(fd) : NULL;

        if (!path)
                return true;
        status_add_file(guest->status, alias, path, (fcntl(fd, F_GETFL) & O_ACCMODE) != O_RDONLY, false);
        guest->changed = true;
        return guest_confine(guest, get_def(guest), error);
}
