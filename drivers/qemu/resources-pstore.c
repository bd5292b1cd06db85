/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The file of a <pstore>: made where it is not there, and one guest's at a time. Lane of the domain.
 */
#include "drivers/qemu/resources.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "drivers/qemu/device.h"
#include "drivers/qemu/nvram.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

static bool make(struct resources *resources, const char *path, GError **error)
{
        CLEANUP_FD int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

        if (fd < 0 && errno == EEXIST)
                return true;
        if (fd < 0)
                return error_set_errno(error, ERROR_FROM_QEMU, errno, "cannot make pstore file '%s'", path);
        resources->made_pstore = g_strdup(path);
        return true;
}

/* An empty file has just been made, or was by an agent that was killed before it had its size. */
static bool check_size(int fd, const char *path, uint64_t size, GError **error)
{
        struct stat st;

        if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
                return error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_FAILED, "pstore '%s' is no file",
                                 path);
        if (st.st_size == 0)
                return ftruncate(fd, (off_t)size) == 0 ||
                       error_set_errno(error, ERROR_FROM_QEMU, errno, "cannot make pstore file '%s'", path);
        return (uint64_t)st.st_size == size ||
               error_set(error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                         "pstore file '%s' has %" PRIu64 " bytes, and the <size> says %" PRIu64, path,
                         (uint64_t)st.st_size, size);
}

/* QEMU would let two guests write to one. */
static bool claim(struct resources *resources, const char *path, uint64_t size, GError **error)
{
        bool busy;
        int fd = nvram_claim(path, &busy, error);

        /* On storage that hosts share, the guest has it there as long as it is not here. */
        if (busy && resources->start->arrival)
                return true;
        if (busy)
                return error_set(error, ERROR_FROM_QEMU, ERROR_RESOURCE_BUSY,
                                 "pstore file '%s' is in use by another guest, which runs: each needs one of "
                                 "its own",
                                 path);
        if (fd < 0)
                return false;
        resources_add_fd(resources, fd);
        return check_size(fd, path, size, error);
}

bool resources_prepare_pstore(struct resources *resources, const void *device, GError **error)
{
        const struct domain_pstore *pstore = device;
        g_autofree char *path =
                pstore->path ? g_strdup(pstore->path)
                             : guest_get_pstore_path(resources->guest->driver, &resources->def->base.uuid);
        uint64_t size = pstore->size_kib * 1024;

        if (!make(resources, path, error) || !claim(resources, path, size, error))
                return false;
        resources_add_file(resources, path, true, "pstore file '%s'", path);
        domain_edit_set_pstore_path(resources->edit, path);
        resources_get(resources, pstore->info.alias)->path = g_steal_pointer(&path);
        return true;
}
