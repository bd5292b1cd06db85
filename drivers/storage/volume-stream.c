/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Upload and download of volumes through pipes. Entry points run on the loop; *_begin and *_end in the pool's
 * lane, *_work in a job's.
 */
#include "base/job.h"
#include "base/lane.h"
#include "base/loop.h"
#include "drivers/storage/model.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define CHUNK_SIZE (256 * 1024)

/* Our end and the client's. */
enum {
        OURS,
        THEIRS,
};

struct transfer {
        struct storage_operation base;
        uint64_t offset, length;         /* as asked for; length 0: to the end */
        uint64_t expected;               /* bytes, at most */
        int fd;                          /* owned; the volume, -1 none */
        int pipe[2];                     /* owned; OURS, THEIRS; -1 none */
        bool counted;                    /* loop; in storage.transfers */
        storage_stream_done stream_done; /* NULL: it was called, when the job had started */
};

static struct transfer *transfer_of(const struct storage_operation *op)
{
        return (struct transfer *)op;
}

/* ---- both directions ---- */

static bool transfer_begin(struct storage_operation *op, bool writable, GError **error)
{
        const struct backend *backend = storage_get_backend(op->pool->storage, op->def->type, NULL);
        struct backend_context context;
        uint64_t size;

        if (!(writable ? storage_operation_find_volume : storage_operation_find_volume_to_read)(op, error))
                return false;
        if (!backend->open)
                return error_set(error, ERROR_FROM_STORAGE, ERROR_NO_SUPPORT,
                                 "storage pool does not support volume %s", op->base.kind->name);
        storage_pool_get_context(op->pool, op->pool->base.lane, NULL, op->def, NULL, &context);
        transfer_of(op)->fd = backend->open(&context, op->volume, writable, &size, error);
        if (transfer_of(op)->fd < 0)
                return false;
        if (transfer_of(op)->offset > size || transfer_of(op)->length > size - transfer_of(op)->offset)
                return error_set(error, ERROR_FROM_STORAGE, ERROR_INVALID_ARG,
                                 "range is beyond the %" G_GUINT64_FORMAT " bytes of volume '%s'", size,
                                 op->name);
        transfer_of(op)->expected =
                transfer_of(op)->length ? transfer_of(op)->length : size - transfer_of(op)->offset;
        if (writable)
                storage_volume_hold(op->pool, op->name);
        else
                storage_volume_hold_to_read(op->pool, op->name);
        return true;
}

static bool make_pipe(struct storage_operation *op, bool ours_reads, GError **error)
{
        int fds[2];

        if (op->pool->storage->transfers >= STORAGE_TRANSFER_MAX)
                return error_set(error, ERROR_FROM_STORAGE, ERROR_RESOURCE_BUSY,
                                 "%d uploads and downloads run already: that of volume '%s' has to wait",
                                 STORAGE_TRANSFER_MAX, op->name);
        if (pipe2(fds, O_CLOEXEC) < 0)
                return error_set_errno(error, ERROR_FROM_STORAGE, errno, "cannot make a pipe");
        transfer_of(op)->pipe[OURS] = fds[ours_reads ? 0 : 1];
        transfer_of(op)->pipe[THEIRS] = fds[ours_reads ? 1 : 0];
        fcntl(transfer_of(op)->pipe[OURS], F_SETFL, O_NONBLOCK);
        transfer_of(op)->counted = true;
        op->pool->storage->transfers++;
        return true;
}

static void transfer_clear(struct operation *base)
{
        struct transfer *transfer = (struct transfer *)base;

        transfer->base.pool->storage->transfers -= transfer->counted;
        fd_cleanup(&transfer->fd);
        fd_cleanup(&transfer->pipe[OURS]);
        fd_cleanup(&transfer->pipe[THEIRS]);
        storage_operation_clear(base);
}

static void transfer_done(struct operation *base, const GError *error)
{
        struct transfer *transfer = (struct transfer *)base;

        if (transfer->stream_done)
                transfer->stream_done(-1, error, transfer->base.data);
}

static void transfer_started(struct storage_operation *op)
{
        storage_stream_done done = g_steal_pointer(&transfer_of(op)->stream_done);

        done(transfer_of(op)->pipe[THEIRS], NULL, op->data);
        close(transfer_of(op)->pipe[THEIRS]);
        transfer_of(op)->pipe[THEIRS] = -1;
}

static bool transfer_end(struct storage_operation *op, const GError *failure, GError **error)
{
        storage_volume_release(op->pool, op->name);
        return true;
}

static bool interrupted(const struct storage_operation *op, GError **error)
{
        return error_set(error, ERROR_FROM_STORAGE, ERROR_OPERATION_ABORTED,
                         "%s of volume '%s' was interrupted", op->base.kind->name, op->name);
}

static bool wait_for_client(const struct backend_context *context, const struct storage_operation *op,
                            short events, GError **error)
{
        return lane_wait(context->lane, transfer_of(op)->pipe[OURS], events, NULL, LANE_FOREVER) ==
                       LANE_READY ||
               interrupted(op, error);
}

/* A client that keeps up never makes us wait: so this is asked after every piece, too. */
static bool go_on(const struct backend_context *context, const struct storage_operation *op,
                  uint64_t processed, GError **error)
{
        job_set_progress(context->job, processed, transfer_of(op)->expected);
        return !lane_is_interrupted(context->lane) || interrupted(op, error);
}

static bool volume_error(const struct storage_operation *op, const char *what, GError **error)
{
        return error_set_errno(error, ERROR_FROM_STORAGE, errno, "cannot %s volume '%s'", what, op->name);
}

static bool client_error(const struct storage_operation *op, GError **error)
{
        return error_set_errno(error, ERROR_FROM_STORAGE, errno, "%s of volume '%s' broke off",
                               op->base.kind->name, op->name);
}

static bool write_all(const struct storage_operation *op, const char *data, size_t length, uint64_t at,
                      GError **error)
{
        while (length) {
                ssize_t written = pwrite(transfer_of(op)->fd, data, length, (off_t)at);

                if (written < 0 && errno == EINTR)
                        continue;
                if (written <= 0)
                        return volume_error(op, "write", error);
                data += written;
                at += (uint64_t)written;
                length -= (size_t)written;
        }
        return true;
}

#define TRANSFER_KIND(label)                                                                                 \
        {                                                                                                    \
                .name = (label), .steps = storage_steps, .n_steps = STORAGE_N_STEPS,                         \
                .size = sizeof(struct transfer), .done = transfer_done, .clear = transfer_clear              \
        }

/* ---- upload ---- */

static bool upload_begin(struct storage_operation *op, GError **error)
{
        return transfer_begin(op, true, error);
}

static bool upload_gather(struct storage_operation *op, GError **error)
{
        return make_pipe(op, true, error);
}

static bool upload_is_whole(const struct storage_operation *op, uint64_t processed, GError **error)
{
        if (!transfer_of(op)->length || processed == transfer_of(op)->length)
                return fdatasync(transfer_of(op)->fd) == 0 || volume_error(op, "write", error);
        return error_set(error, ERROR_FROM_STORAGE, ERROR_OPERATION_FAILED,
                         "upload to volume '%s' ended after %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT
                         " bytes",
                         op->name, processed, transfer_of(op)->length);
}

static bool upload_work(struct storage_operation *op, const struct backend_context *context, GError **error)
{
        g_autofree char *chunk = g_malloc(CHUNK_SIZE);
        uint64_t processed = 0;

        for (;;) {
                ssize_t length = read(transfer_of(op)->pipe[OURS], chunk, CHUNK_SIZE);

                if (length == 0)
                        return upload_is_whole(op, processed, error);
                if (length < 0 && errno == EAGAIN) {
                        if (!wait_for_client(context, op, POLLIN, error))
                                return false;
                        continue;
                }
                if (length < 0)
                        return client_error(op, error);
                if ((uint64_t)length > transfer_of(op)->expected - processed)
                        return error_set(error, ERROR_FROM_STORAGE, ERROR_OPERATION_FAILED,
                                         "more than %" G_GUINT64_FORMAT " bytes were sent for volume '%s'",
                                         transfer_of(op)->expected, op->name);
                if (!write_all(op, chunk, (size_t)length, transfer_of(op)->offset + processed, error))
                        return false;
                processed += (uint64_t)length;
                if (!go_on(context, op, processed, error))
                        return false;
        }
}

static bool upload_end(struct storage_operation *op, const GError *failure, GError **error)
{
        storage_volume_release(op->pool, op->name);
        if (!op->pool->base.current || !op->pool->base.current->active)
                return true;
        return storage_pool_rescan_volume(op->pool, op->name, NULL, error);
}

static const struct storage_kind upload_kind = {
        .base = TRANSFER_KIND("upload"),
        .begin = upload_begin,
        .gather = upload_gather,
        .started = transfer_started,
        .work = upload_work,
        .end = upload_end,
};

/* ---- download ---- */

static bool download_begin(struct storage_operation *op, GError **error)
{
        return transfer_begin(op, false, error);
}

static bool download_gather(struct storage_operation *op, GError **error)
{
        return make_pipe(op, false, error);
}

static bool send_all(const struct storage_operation *op, const struct backend_context *context,
                     const char *data, size_t length, GError **error)
{
        while (length) {
                ssize_t written = write(transfer_of(op)->pipe[OURS], data, length);

                if (written < 0 && errno != EAGAIN)
                        return client_error(op, error);
                if (written < 0) {
                        if (!wait_for_client(context, op, POLLOUT, error))
                                return false;
                        continue;
                }
                data += written;
                length -= (size_t)written;
        }
        return true;
}

static bool download_work(struct storage_operation *op, const struct backend_context *context, GError **error)
{
        g_autofree char *chunk = g_malloc(CHUNK_SIZE);
        uint64_t processed = 0;

        while (processed < transfer_of(op)->expected) {
                size_t wanted = (size_t)MIN(transfer_of(op)->expected - processed, CHUNK_SIZE);
                ssize_t length = pread(transfer_of(op)->fd, chunk, wanted,
                                       (off_t)(transfer_of(op)->offset + processed));

                if (length < 0 && errno == EINTR)
                        continue;
                if (length < 0)
                        return volume_error(op, "read", error);
                if (length == 0)
                        return error_set(error, ERROR_FROM_STORAGE, ERROR_OPERATION_FAILED,
                                         "volume '%s' became shorter while it was read", op->name);
                if (!send_all(op, context, chunk, (size_t)length, error))
                        return false;
                processed += (uint64_t)length;
                if (!go_on(context, op, processed, error))
                        return false;
        }
        /* The client sees the end now, not when the job is forgotten. */
        close(transfer_of(op)->pipe[OURS]);
        transfer_of(op)->pipe[OURS] = -1;
        return true;
}

static const struct storage_kind download_kind = {
        .base = TRANSFER_KIND("download"),
        .begin = download_begin,
        .gather = download_gather,
        .started = transfer_started,
        .work = download_work,
        .end = transfer_end,
};

/* ---- entry points ---- */

static void transfer(const struct storage_kind *kind, struct storage *storage, struct volume *volume,
                     uint64_t offset, uint64_t length, unsigned flags, const char *function,
                     storage_stream_done done, void *data)
{
        struct storage_pool *pool = NULL;
        g_autoptr(GError) error = NULL;
        struct storage_operation *op;

        if (flags_check(flags, 0, ERROR_FROM_STORAGE, function, &error))
                pool = storage_volume_get_pool(storage, volume, &error);
        if (!pool) {
                done(-1, error, data);
                return;
        }
        op = storage_operation_new(kind, pool);
        transfer_of(op)->fd = transfer_of(op)->pipe[OURS] = transfer_of(op)->pipe[THEIRS] = -1;
        op->name = g_strdup(volume->name);
        transfer_of(op)->offset = offset;
        transfer_of(op)->length = length;
        transfer_of(op)->stream_done = done;
        op->data = data;
        storage_operation_run(op);
}

void storage_volume_upload(struct storage *storage, struct volume *volume, uint64_t offset, uint64_t length,
                           unsigned flags, storage_stream_done done, void *data)
{
        transfer(&upload_kind, storage, volume, offset, length, flags, "Upload", done, data);
}

void storage_volume_download(struct storage *storage, struct volume *volume, uint64_t offset, uint64_t length,
                             unsigned flags, storage_stream_done done, void *data)
{
        transfer(&download_kind, storage, volume, offset, length, flags, "Download", done, data);
}
