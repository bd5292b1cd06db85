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
                                 "storage pool does not support volume %s", op->steps->name);
        storage_pool_get_context(op->pool, op->pool->base.lane, NULL, op->def, NULL, &context);
        op->fd = backend->open(&context, op->volume, writable, &size, error);
        if (op->fd < 0)
                return false;
        if (op->offset > size || op->length > size - op->offset)
                return error_set(error, ERROR_FROM_STORAGE, ERROR_INVALID_ARG,
                                 "range is beyond the %" G_GUINT64_FORMAT " bytes of volume '%s'", size,
                                 op->name);
        /* number: how much there is to come at most; length stays what was asked for. */
        op->number = op->length ? op->length : size - op->offset;
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
        op->pipe[OURS] = fds[ours_reads ? 0 : 1];
        op->pipe[THEIRS] = fds[ours_reads ? 1 : 0];
        fcntl(op->pipe[OURS], F_SETFL, O_NONBLOCK);
        op->counted = true;
        op->pool->storage->transfers++;
        return true;
}

static void transfer_started(struct storage_operation *op)
{
        storage_stream_done done = g_steal_pointer(&op->stream_done);

        done(op->pipe[THEIRS], NULL, op->data);
        close(op->pipe[THEIRS]);
        op->pipe[THEIRS] = -1;
}

static bool transfer_end(struct storage_operation *op, const GError *failure, GError **error)
{
        storage_volume_release(op->pool, op->name);
        return true;
}

static bool interrupted(const struct storage_operation *op, GError **error)
{
        return error_set(error, ERROR_FROM_STORAGE, ERROR_OPERATION_ABORTED,
                         "%s of volume '%s' was interrupted", op->steps->name, op->name);
}

static bool wait_for_client(const struct backend_context *context, const struct storage_operation *op,
                            short events, GError **error)
{
        return lane_wait(context->lane, op->pipe[OURS], events, NULL, LANE_FOREVER) == LANE_READY ||
               interrupted(op, error);
}

/* A client that keeps up never makes us wait: so this is asked after every piece, too. */
static bool go_on(const struct backend_context *context, const struct storage_operation *op,
                  uint64_t processed, GError **error)
{
        job_set_progress(context->job, processed, op->number);
        return !lane_is_interrupted(context->lane) || interrupted(op, error);
}

static bool volume_error(const struct storage_operation *op, const char *what, GError **error)
{
        return error_set_errno(error, ERROR_FROM_STORAGE, errno, "cannot %s volume '%s'", what, op->name);
}

static bool client_error(const struct storage_operation *op, GError **error)
{
        return error_set_errno(error, ERROR_FROM_STORAGE, errno, "%s of volume '%s' broke off",
                               op->steps->name, op->name);
}

static bool write_all(const struct storage_operation *op, const char *data, size_t length, uint64_t at,
                      GError **error)
{
        while (length) {
                ssize_t written = pwrite(op->fd, data, length, (off_t)at);

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
        if (!op->length || processed == op->length)
                return fdatasync(op->fd) == 0 || volume_error(op, "write", error);
        return error_set(error, ERROR_FROM_STORAGE, ERROR_OPERATION_FAILED,
                         "upload to volume '%s' ended after %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT
                         " bytes",
                         op->name, processed, op->length);
}

static bool upload_work(struct storage_operation *op, const struct backend_context *context, GError **error)
{
        g_autofree char *chunk = g_malloc(CHUNK_SIZE);
        uint64_t processed = 0;

        for (;;) {
                ssize_t length = read(op->pipe[OURS], chunk, CHUNK_SIZE);

                if (length == 0)
                        return upload_is_whole(op, processed, error);
                if (length < 0 && errno == EAGAIN) {
                        if (!wait_for_client(context, op, POLLIN, error))
                                return false;
                        continue;
                }
                if (length < 0)
                        return client_error(op, error);
                if ((uint64_t)length > op->number - processed)
                        return error_set(error, ERROR_FROM_STORAGE, ERROR_OPERATION_FAILED,
                                         "more than %" G_GUINT64_FORMAT " bytes were sent for volume '%s'",
                                         op->number, op->name);
                if (!write_all(op, chunk, (size_t)length, op->offset + processed, error))
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

static const struct storage_operation_steps upload_steps = {
        .name = "upload",
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
                ssize_t written = write(op->pipe[OURS], data, length);

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

        while (processed < op->number) {
                size_t wanted = (size_t)MIN(op->number - processed, CHUNK_SIZE);
                ssize_t length = pread(op->fd, chunk, wanted, (off_t)(op->offset + processed));

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
        close(op->pipe[OURS]);
        op->pipe[OURS] = -1;
        return true;
}

static const struct storage_operation_steps download_steps = {
        .name = "download",
        .begin = download_begin,
        .gather = download_gather,
        .started = transfer_started,
        .work = download_work,
        .end = transfer_end,
};

/* ---- entry points ---- */

static void transfer(const struct storage_operation_steps *steps, struct storage *storage,
                     struct volume *volume, uint64_t offset, uint64_t length, unsigned flags,
                     const char *function, storage_stream_done done, void *data)
{
        struct storage_pool *pool = NULL;
        g_autoptr(GError) error = NULL;
        struct storage_operation *op;

        if (storage_check_flags(flags, 0, function, &error))
                pool = storage_volume_get_pool(storage, volume, &error);
        if (!pool) {
                done(-1, error, data);
                return;
        }
        op = storage_operation_new(steps, pool);
        op->name = g_strdup(volume->name);
        op->offset = offset;
        op->length = length;
        op->stream_done = done;
        op->data = data;
        storage_operation_run(op);
}

void storage_volume_upload(struct storage *storage, struct volume *volume, uint64_t offset, uint64_t length,
                           unsigned flags, storage_stream_done done, void *data)
{
        transfer(&upload_steps, storage, volume, offset, length, flags, "Upload", done, data);
}

void storage_volume_download(struct storage *storage, struct volume *volume, uint64_t offset, uint64_t length,
                             unsigned flags, storage_stream_done done, void *data)
{
        transfer(&download_steps, storage, volume, offset, length, flags, "Download", done, data);
}
