/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What confines a guest's emulator beyond its user: its profile of AppArmor, and the list of device nodes of
 * its control group. Both are made of what the status document says that the guest opens, so the next agent
 * makes the same. Lane of the domain.
 */
#include "drivers/qemu/guest.h"

#include "base/error.h"
#include "base/log.h"
#include "drivers/security/apparmor.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static bool has_host_devices(const struct domain_def *def)
{
        for (unsigned i = 0; i < def->devices.n_interfaces; i++)
                if (def->devices.interfaces[i].type == DOMAIN_INTERFACE_HOSTDEV)
                        return true;
        for (unsigned i = 0; i < def->devices.n_disks; i++)
                if (def->devices.disks[i].source.nvme)
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

/* ---- the profile ---- */

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
                .raw_io = domain_def_wants_raw_io(def),
                .sound = has_sound(def),
        };
        g_autofree char *text = NULL;

        for (unsigned i = 0; i < files->len; i++) {
                const struct status_file *file = g_ptr_array_index(files, i);

                rules[i] = (struct apparmor_rule){ file->path, file->write, file->tree };
        }
        text = apparmor_format(&profile, error);
        /* To compile one takes longer than all else about a device that opens no file. */
        if (!text || g_strcmp0(text, guest->profile_text) == 0)
                return text != NULL;
        g_clear_pointer(&guest->profile_text, g_free);
        if (!apparmor_load(guest->domain->base.lane, text, error))
                return false;
        guest->profile_text = g_steal_pointer(&text);
        return true;
}

/* ---- device nodes ---- */

#define MAJOR_PTS   136
#define MAJOR_SOUND 116
#define VFIO        "/dev/vfio/vfio"

/* What everybody may open anyway, terminals among it. */
static const struct cgroup_device common_devices[] = {
        { .major = 1, .minor = 3, .write = true }, /* null */
        { .major = 1, .minor = 5, .write = true }, /* zero */
        { .major = 1, .minor = 7, .write = true }, /* full */
        { .major = 1, .minor = 8, .write = true }, /* random */
        { .major = 1, .minor = 9, .write = true }, /* urandom */
        { .major = 5, .minor = 2, .write = true }, /* ptmx */
        { .major = MAJOR_PTS, .any_minor = true, .write = true },
};

static void add_device(GArray *devices, mode_t type, dev_t device, bool write)
{
        const struct cgroup_device entry = {
                .block = type == S_IFBLK, .major = major(device), .minor = minor(device), .write = write
        };

        if (type == S_IFBLK || type == S_IFCHR)
                g_array_append_val(devices, entry);
}

static void add_node(GArray *devices, const char *path)
{
        struct stat st;

        if (stat(path, &st) == 0)
                add_device(devices, st.st_mode & S_IFMT, st.st_rdev, true);
}

static GArray *list_devices(const struct guest *guest, const struct domain_def *def)
{
        GArray *devices = g_array_new(FALSE, FALSE, sizeof(struct cgroup_device));
        const struct cgroup_device sound = { .major = MAJOR_SOUND, .any_minor = true, .write = true };
        const GPtrArray *files = guest->status->files;

        g_array_append_vals(devices, common_devices, G_N_ELEMENTS(common_devices));
        for (unsigned i = 0; i < files->len; i++) {
                const struct status_file *file = g_ptr_array_index(files, i);

                add_device(devices, file->type, file->device, file->write);
        }
        if (has_host_devices(def))
                add_node(devices, VFIO);
        if (has_sound(def))
                g_array_append_val(devices, sound);
        for (unsigned i = 0; guest->driver->devices && guest->driver->devices[i]; i++)
                add_node(devices, guest->driver->devices[i]);
        return devices;
}

static bool is_same_device(const struct cgroup_device *one, const struct cgroup_device *other)
{
        return one->block == other->block && one->major == other->major && one->minor == other->minor &&
               one->any_minor == other->any_minor && one->write == other->write;
}

static bool is_same_list(const GArray *one, const GArray *other)
{
        if (!one || one->len != other->len)
                return false;
        for (unsigned i = 0; i < one->len; i++) {
                if (!is_same_device(&g_array_index(one, struct cgroup_device, i),
                                    &g_array_index(other, struct cgroup_device, i)))
                        return false;
        }
        return true;
}

/* Most devices that come and go open no node of the host, and change nothing here. */
static bool limit_devices(struct guest *guest, const struct domain_def *def, GError **error)
{
        g_autoptr(GArray) devices = list_devices(guest, def);

        if (is_same_list(guest->devices, devices))
                return true;
        g_clear_pointer(&guest->devices, g_array_unref);
        if (!cgroup_set_devices(guest->cgroup, (const struct cgroup_device *)(const void *)devices->data,
                                devices->len, error))
                return false;
        guest->devices = g_steal_pointer(&devices);
        return true;
}

/* ---- both ---- */

bool guest_confine(struct guest *guest, const struct domain_def *def, GError **error)
{
        return (!guest->owns_profile || load_profile(guest, def, error)) &&
               (!guest->cgroup || !guest->status->limits_devices || limit_devices(guest, def, error));
}

bool guest_confine_new(struct guest *guest, const struct domain_def *def, GError **error)
{
        g_autoptr(GError) reason = NULL;

        if (guest->cgroup && !guest->driver->all_devices) {
                guest->status->limits_devices = limit_devices(guest, def, &reason);
                guest->changed = true;
                /* No reason to refuse a start: its user opens few of them. */
                if (!guest->status->limits_devices)
                        log_gerror(LOG_LEVEL_INFO, reason, "%s may open what its user may", guest->who);
        }
        return !guest->owns_profile || load_profile(guest, def, error);
}

/* As it is; one that is just being started, and that nothing defines, is known from its status document
 * alone. */
static bool confine_again(struct guest *guest, GError **error)
{
        const struct domain_state *state = domain_get_current(guest->domain);
        CLEANUP(domain_def_unref)
        struct domain_def *def = state && state->base.active
                                         ? domain_def_ref((struct domain_def *)domain_state_get_def(state))
                                         : domain_def_parse_stored(guest->status->xml, error);

        return def && guest_confine(guest, def, error);
}

void guest_confine_again(struct guest *guest)
{
        g_autoptr(GError) failure = NULL;

        if (!confine_again(guest, &failure))
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
        g_clear_pointer(&guest->profile_text, g_free);
        if (!load_profile(guest, def, &failure))
                log_gerror(LOG_LEVEL_WARNING, failure, "it is not there again");
}

void guest_unconfine(struct guest *guest)
{
        if (guest->owns_profile)
                apparmor_remove(guest->profile);
        g_clear_pointer(&guest->profile_text, g_free);
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
        struct status_file file;

        if (!path)
                return true;
        file = (struct status_file){ .alias = (char *)alias,
                                     .path = path,
                                     .write = (fcntl(fd, F_GETFL) & O_ACCMODE) != O_RDONLY };
        status_add_file(guest->status, &file);
        guest->changed = true;
        return confine_again(guest, error);
}
