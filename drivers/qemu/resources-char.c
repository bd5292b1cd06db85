/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Character devices: sockets to listen on, files to write to. Lane of the domain.
 */
#include "drivers/qemu/resources.h"

#include "base/error.h"
#include "drivers/qemu/device.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* For the emulator's user and group: who is in it may connect. */
#define SOCKET_MODE     0660
#define SOCKET_NAME_MAX 60

/* A channel's socket is called as the channel, the others as their device. */
static char *choose_path(const struct resources *resources, const struct domain_char *chr)
{
        const char *name = chr->target_name;
        g_autofree char *other = g_strconcat(chr->info.alias, ".sock", NULL);

        if (!name || !*name || *name == '.' || strchr(name, '/') || strlen(name) > SOCKET_NAME_MAX)
                name = other;
        return guest_get_io_path(resources->guest, name);
}

static bool prepare_socket(struct resources *resources, const struct domain_char *chr, GError **error)
{
        g_autofree char *path = chr->source.path ? g_strdup(chr->source.path) : choose_path(resources, chr);
        struct device_resources *device = resources_get(resources, chr->info.alias);
        int fd = guest_listen(resources->guest, path, SOCKET_MODE, error);

        if (fd < 0)
                return false;
        resources_add_fd(resources, fd);
        device->fds = g_array_new(FALSE, FALSE, sizeof(int));
        g_array_append_val(device->fds, fd);
        if (chr->source.path)
                guest_add_socket(resources->guest, chr->info.alias, path);
        else
                domain_edit_set_socket(resources->edit, chr->info.alias, path);
        return true;
}

/*
 * Opened here, where the emulator's user need not even get into its folder, and made if it is not there; -1
 * with an error.
 */
static int open_file(struct resources *resources, const char *path, const char *alias, GError **error)
{
        const int flags = O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
        int fd = open(path, flags | O_CREAT | O_EXCL, 0600);

        if (fd >= 0)
                g_ptr_array_add(resources->made_files, g_strdup(path));
        else if (errno == EEXIST)
                fd = open(path, flags);
        if (fd >= 0 && fcntl(fd, F_SETFL, 0) < 0) {
                close(fd);
                fd = -1;
        }
        if (fd < 0)
                error_set_errno(error, ERROR_FROM_QEMU, errno, "cannot open file '%s' of device '%s'", path,
                                alias);
        return fd;
}

/* *place: where the device finds it. */
static bool prepare_file(struct resources *resources, const char *path, const char *alias, int *place,
                         GError **error)
{
        int fd = open_file(resources, path, alias, error);

        if (fd < 0)
                return false;
        resources_add_fd(resources, fd);
        resources_label_file(resources, path, true);
        *place = fd;
        return true;
}

/* What the emulator opens by itself, if it is there. */
static void label_pipe(struct resources *resources, const char *path)
{
        g_autofree char *in = g_strconcat(path, ".in", NULL), *out = g_strconcat(path, ".out", NULL);
        const char *const ends[] = { path, in, out };

        for (unsigned i = 0; i < G_N_ELEMENTS(ends); i++)
                resources_label_file(resources, ends[i], true);
}

bool resources_prepare_char(struct resources *resources, const void *device, GError **error)
{
        const struct domain_char *chr = device;
        const struct domain_char_source *source = &chr->source;
        struct device_resources *own;

        if (chr->is_serial_alias)
                return true;
        if (!resources_use_labels(resources, &source->labels, chr->info.alias, error))
                return false;
        own = resources_get(resources, chr->info.alias);
        if (source->log_file &&
            !prepare_file(resources, source->log_file, chr->info.alias, &own->log_fd, error))
                return false;
        switch (source->type) {
        case DOMAIN_CHAR_UNIX:
                if (source->listen || !source->path)
                        return prepare_socket(resources, chr, error);
                resources_label_file(resources, source->path, true);
                return true;
        case DOMAIN_CHAR_PIPE:
                if (source->path)
                        label_pipe(resources, source->path);
                return true;
        case DOMAIN_CHAR_FILE:
                return !source->path ||
                       prepare_file(resources, source->path, chr->info.alias, &own->out_fd, error);
        case DOMAIN_CHAR_DEV:
                if (source->path)
                        resources_add_file(resources, source->path, true, "'%s' of device '%s'", source->path,
                                           chr->info.alias);
                return true;
        case DOMAIN_CHAR_TCP:
                if (source->tls == DOMAIN_SWITCH_ON)
                        resources_add_tls_check(resources, resources->guest->driver->tls_dir, source->listen);
                return true;
        default:
                return true;
        }
}
