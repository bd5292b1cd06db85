/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What QEMU tells of its guest's memory and changes at its disks. Lane of the domain.
 */
#include "drivers/qemu/peek.h"

#include "base/error.h"
#include "drivers/qemu/block.h"
#include "drivers/qemu/guest.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static bool execute(struct domain *domain, const char *command, json_t *arguments, unsigned timeout_ms,
                    GError **error)
{
        struct qmp *qmp = guest_get_monitor(guest_of(domain), error);

        if (qmp)
                return qmp_execute(qmp, command, arguments, timeout_ms, NULL, error);
        json_decref(arguments);
        return false;
}

/* ---- memory ---- */

/*
 * QEMU saves memory to a file that it opens by name; the name is that of a descriptor of its own, which it
 * has been given and which is taken back.
 */
static bool save_memory(struct domain *domain, const char *command, uint64_t offset, uint64_t size, int fd,
                        GError **error)
{
        struct qmp *qmp = guest_get_monitor(guest_of(domain), error);
        lane_deadline deadline = lane_deadline_in(QMP_TIMEOUT_MS);
        g_autofree char *name = NULL;
        json_t *answer = NULL;
        int set;
        bool ok;

        if (!qmp || !qmp_receive(qmp, qmp_send_fd(qmp, "add-fd", NULL, fd), deadline, &answer, error))
                return false;
        set = (int)json_integer_value(json_object_get(answer, "fdset-id"));
        name = g_strdup_printf("/proc/self/fd/%d", (int)json_integer_value(json_object_get(answer, "fd")));
        json_decref(answer);
        /* QEMU takes addresses beyond INT64_MAX as negative numbers, and no others. */
        ok = qmp_execute(qmp, command,
                         json_pack("{s:I, s:I, s:s}", "val", (json_int_t)offset, "size", (json_int_t)size,
                                   "filename", name),
                         QMP_TIMEOUT_MS, NULL, error);
        qmp_forget(qmp, qmp_send(qmp, "remove-fd", json_pack("{s:i}", "fdset-id", set)));
        qmp_flush(qmp);
        return ok;
}

bool peek_memory(struct domain *domain, uint64_t offset, void *bytes, uint64_t size, bool physical,
                 GError **error)
{
        const struct guest *guest = guest_of(domain);
        CLEANUP_FD int fd = memfd_create("memory", MFD_CLOEXEC);
        ssize_t got;

        /* The emulator opens it anew, as its own user; nobody else has a name for it. */
        if (fd < 0 || fchmod(fd, 0666) < 0)
                return error_set_errno(error, ERROR_FROM_QEMU, errno,
                                       "cannot make a file for the memory of %s", guest->who);
        if (!save_memory(domain, physical ? "pmemsave" : "memsave", offset, size, fd, error))
                return false;
        got = pread(fd, bytes, size, 0);
        if (got < 0)
                return error_set_errno(error, ERROR_FROM_QEMU, errno, "cannot read the memory of %s",
                                       guest->who);
        if ((uint64_t)got < size)
                return error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_FAILED,
                                 "QEMU of %s saved less memory than it was asked for", guest->who);
        return true;
}

/* ---- disks ---- */

bool peek_resize_block(struct domain *domain, const struct domain_disk *disk, uint64_t bytes, GError **error)
{
        enum { SECTOR = 512 };
        const struct block_image image = { .index = disk->source.index };
        char name[BLOCK_NODE_NAME_SIZE];

        if (image.index == 0)
                return error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_INVALID,
                                 "disk '%s' of %s has no image of QEMU's", disk->target,
                                 guest_of(domain)->who);
        block_format_node_name(&image, name);
        bytes = bytes / SECTOR * SECTOR + (bytes % SECTOR ? SECTOR : 0);
        return execute(domain, "block_resize",
                       json_pack("{s:s, s:I}", "node-name", name, "size", (json_int_t)bytes),
                       QMP_TIMEOUT_JOB_MS, error);
}

bool peek_set_threshold(struct domain *domain, const struct domain_storage *source, uint64_t bytes,
                        GError **error)
{
        const struct block_image image = { .index = source->index };
        char name[BLOCK_NODE_NAME_SIZE];

        block_storage_node_name(&image, name);
        return execute(domain, "block-set-write-threshold",
                       json_pack("{s:s, s:I}", "node-name", name, "write-threshold", (json_int_t)bytes),
                       QMP_TIMEOUT_MS, error);
}
