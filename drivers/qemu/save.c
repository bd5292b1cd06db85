/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Saving a guest with QEMU: a migration into a file, straight or through programs. Where each function runs
 * says struct domain_driver_ops.
 */
#include "drivers/qemu/save.h"

#include "base/error.h"
#include "base/log.h"
#include "drivers/qemu/dump-job.h"
#include "drivers/qemu/guest-job.h"
#include "drivers/qemu/migration.h"
#include "drivers/qemu/save-file.h"
#include "drivers/qemu/save-image.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#define PIPE_BYTES (1024 * 1024)

struct work {
        struct save_file *file; /* owned */
        struct save_filters filters;
        struct guest_job job;
        struct dump_job dump;
        uint64_t head; /* bytes */
        int fd;        /* owned; what QEMU is to write to, until it has it; -1: none */
        int out;       /* owned; the file as it is written to, which shares its offset; -1: none */
        char *label;   /* owned; what the file is to be labelled with again; NULL: nothing */
};

static struct work *work_of(struct domain_save *save)
{
        return save->file;
}

static struct domain *domain_of(const struct domain_save *save)
{
        return (struct domain *)save->base.object;
}

/* ---- programs on the way ---- */

static bool make_pipe(int ends[2], GError **error)
{
        if (pipe2(ends, O_CLOEXEC) < 0)
                return error_set_errno(error, ERROR_FROM_QEMU, errno, "cannot make a pipe");
        /* As much as we may. */
        fcntl(ends[0], F_SETPIPE_SZ, PIPE_BYTES);
        return true;
}

/* The last part of a file is no whole block: dd writes that one through the cache. */
static const char *const direct_writer[] = { "dd",    "oflag=direct", "iflag=fullblock",
                                             "bs=1M", "status=none",  NULL };

void save_filters_clear(struct save_filters *filters)
{
        for (unsigned i = 0; i < G_N_ELEMENTS(filters->filters); i++)
                g_clear_pointer(&filters->filters[i], filter_free);
}

/* Puts argv in front of *fd, the place to write to, which becomes the end of a pipe. */
static bool put_before(struct filter **filter, const char *const argv[], int *fd, GError **error)
{
        int ends[2];

        if (!make_pipe(ends, error))
                return false;
        *filter = filter_start(argv, ends[0], *fd, error);
        close(ends[0]);
        if (!*filter) {
                close(ends[1]);
                return false;
        }
        close(*fd);
        *fd = ends[1];
        return true;
}

/* The same behind *fd, the place to read from; the one before is closed unless it is kept. */
static bool put_behind(struct filter **filter, const char *const argv[], int *fd, int kept, GError **error)
{
        int ends[2];

        if (!make_pipe(ends, error))
                return false;
        *filter = filter_start(argv, *fd, ends[1], error);
        close(ends[1]);
        if (!*filter) {
                close(ends[0]);
                return false;
        }
        if (*fd != kept)
                close(*fd);
        *fd = ends[0];
        return true;
}

/* The file once more, behind its head, for who goes around the host's cache; -1 with an error. */
static int open_direct(const struct work *work, GError **error)
{
        g_autofree char *self = g_strdup_printf("/proc/self/fd/%d", work->file->fd);
        CLEANUP_FD int fd = open(self, O_WRONLY | O_DIRECT | O_CLOEXEC);

        if (fd >= 0 && lseek(fd, (off_t)work->head, SEEK_SET) >= 0)
                return fd_steal(&fd);
        error_set_errno(error, ERROR_FROM_QEMU, errno, "the cache cannot be bypassed for '%s'",
                        work->file->path);
        return -1;
}

/* ---- saving ---- */

static bool open_way(struct work *work, enum save_format format, bool bypass_cache, GError **error)
{
        const char *const compress[] = { save_format_get_name(format), "-c", NULL };
        struct filter **filters = work->filters.filters;

        work->out = bypass_cache ? open_direct(work, error) : fcntl(work->file->fd, F_DUPFD_CLOEXEC, 0);
        if (work->out < 0)
                return !bypass_cache && error_set_errno(error, ERROR_FROM_QEMU, errno, "cannot save to '%s'",
                                                        work->file->path);
        work->fd = fcntl(work->out, F_DUPFD_CLOEXEC, 0);
        if (work->fd < 0)
                return error_set_errno(error, ERROR_FROM_QEMU, errno, "cannot save to '%s'",
                                       work->file->path);
        return (!bypass_cache || put_before(&filters[0], direct_writer, &work->fd, error)) &&
               (format == SAVE_RAW || put_before(&filters[1], compress, &work->fd, error));
}

/* The emulator has done with it. */
static void label_again(int fd, const char *label)
{
        g_autoptr(GError) failure = NULL;

        if (label && fd >= 0 && !relabel_fd(fd, label, NULL, &failure))
                log_gerror(LOG_LEVEL_WARNING, failure, "a file that was saved keeps its guest's label");
}

static void drop(struct work *work)
{
        label_again(work->file ? work->file->fd : -1, work->label);
        g_free(work->label);
        if (work->fd >= 0)
                close(work->fd);
        if (work->out >= 0)
                close(work->out);
        save_filters_clear(&work->filters);
        save_file_free(work->file);
        g_free(work);
}

bool save_open(struct domain_save *save, GError **error)
{
        enum save_format format = save->is_dump ? SAVE_RAW : qemu_driver_of(domain_of(save))->save_format;
        struct work *work = g_new0(struct work, 1);

        work->fd = work->out = -1;
        work->file =
                save->managed ? save_file_new(save->path, error) : save_file_new_named(save->path, error);
        if (work->file &&
            (save->is_dump || save_image_begin(work->file->fd, save->path, save->xml, save->runs, format,
                                               &work->head, error)) &&
            open_way(work, format, save->bypass_cache, error)) {
                save->file = work;
                return true;
        }
        drop(work);
        return false;
}

/* *before: owned; what the file was labelled with, NULL: it keeps what it has. */
static bool hand_over(struct guest *guest, int fd, char **before, GError **error)
{
        return guest_allow_fd(guest, MIGRATION_FD, fd, error) &&
               (!guest->image_context || relabel_fd(fd, guest->image_context, before, error)) &&
               migration_hand_fd(guest, fd, error);
}

/* What a program on the way says is why QEMU could not go on. */
static void explain(struct guest_job *job, GError **error)
{
        struct work *work = work_of((struct domain_save *)job->op);

        for (unsigned i = 0; i < G_N_ELEMENTS(work->filters.filters); i++) {
                g_autoptr(GError) reason = NULL;

                if (!work->filters.filters[i] || !filter_has_failed(work->filters.filters[i], &reason))
                        continue;
                g_clear_error(error);
                g_propagate_error(error, g_steal_pointer(&reason));
                return;
        }
}

static bool dump_memory(struct domain_save *save, GError **error)
{
        static const char *const formats[] = {
                [DOMAIN_DUMP_RAW] = NULL,
                [DOMAIN_DUMP_KDUMP_ZLIB] = "kdump-zlib",
                [DOMAIN_DUMP_KDUMP_LZO] = "kdump-lzo",
                [DOMAIN_DUMP_KDUMP_SNAPPY] = "kdump-snappy",
                [DOMAIN_DUMP_WIN_DMP] = "win-dmp",
        };
        struct work *work = work_of(save);
        bool ok = hand_over(guest_of(domain_of(save)), work->fd, &work->label, error);

        close(work->fd);
        work->fd = -1;
        return ok &&
               dump_job_begin(&work->dump, &save->base, MIGRATION_FD, formats[save->dump_format], error);
}

bool save_begin(struct domain_save *save, GError **error)
{
        struct work *work = work_of(save);
        struct guest *guest = guest_of(domain_of(save));
        bool ok;

        if (!guest_get_monitor(guest, error))
                return false;
        if (save->memory_only)
                return dump_memory(save, error);
        ok = migration_borrow_speed(guest, error) && hand_over(guest, work->fd, &work->label, error);
        close(work->fd);
        work->fd = -1;
        if (!ok || !guest_job_begin_migration(&work->job, &save->base, "fd:" MIGRATION_FD,
                                              migration_make_capabilities(0), error))
                return false;
        work->job.explain = explain;
        return true;
}

void save_cancel(struct domain_save *save)
{
        guest_job_cancel(&work_of(save)->job);
}

bool save_finish(struct domain_save *save, GError **error)
{
        struct work *work = work_of(save);
        struct lane *lane = job_get_lane(save->base.job);
        off_t end;

        for (unsigned i = G_N_ELEMENTS(work->filters.filters); i-- > 0;) {
                if (work->filters.filters[i] && !filter_wait(work->filters.filters[i], lane, error))
                        return false;
        }
        if (save->is_dump)
                return fsync(work->file->fd) == 0 ||
                       error_set_errno(error, ERROR_FROM_QEMU, errno, "cannot write '%s'", save->path);
        end = lseek(work->out, 0, SEEK_CUR);
        if (end < (off_t)work->head)
                return error_set(error, ERROR_FROM_QEMU, ERROR_INTERNAL_ERROR, "no state was written to '%s'",
                                 save->path);
        /* A device is there already: it says so last of all. */
        return save_image_finish(work->file->fd, save->path, work->head, (uint64_t)end, error) &&
               (work->file->in_place || save_image_seal(work->file->fd, save->path, true, error));
}

/* A successor that finds the file knows that the guest must not go on. */
static bool note(struct guest *guest, const struct save_file *file, GError **error)
{
        struct status *status = guest->status;

        if (!save_file_identify(file, &status->saved.device, &status->saved.inode, error))
                return false;
        g_free(status->saved.path);
        status->saved.path = g_strdup(file->path);
        guest->changed = true;
        return guest_save(guest, domain_get_current(guest->domain), error);
}

static void forget_note(struct guest *guest)
{
        g_autoptr(GError) error = NULL;

        g_clear_pointer(&guest->status->saved.path, g_free);
        guest->changed = true;
        if (!guest_save(guest, domain_get_current(guest->domain), &error))
                log_gerror(LOG_LEVEL_ERROR, error, "cannot write down the state of %s", guest->who);
}

void save_retract(struct domain_save *save)
{
        const struct save_file *file = work_of(save)->file;
        g_autoptr(GError) error = NULL;

        if (!file->in_place)
                unlink(file->path);
        else if (!save_image_seal(file->fd, save->path, false, &error))
                log_gerror(LOG_LEVEL_ERROR, error, "a guest that goes on can be restored from '%s'",
                           save->path);
}

bool save_publish(struct domain_save *save, GError **error)
{
        struct guest *guest = guest_of(domain_of(save));

        struct save_file *file = work_of(save)->file;

        if (save->is_dump)
                return save_file_publish(file, error);
        if (note(guest, file, error) && (file->in_place ? save_image_seal(file->fd, save->path, true, error)
                                                        : save_file_publish(file, error)))
                return true;
        if (file->in_place)
                save_retract(save);
        forget_note(guest);
        return false;
}

/* The guest runs on, without the file. */
static void take_file_back(const struct domain_save *save)
{
        struct guest *guest = guest_of(domain_of(save));

        if (guest && domain_get_current(domain_of(save))->id == save->id)
                guest_release_device(guest, MIGRATION_FD);
}

/* A limit that somebody has set is for migrations, and holds again for a guest that runs on. */
static void restore_speed(const struct domain_save *save)
{
        struct guest *guest = guest_of(domain_of(save));

        if (guest && domain_get_current(domain_of(save))->id == save->id)
                migration_give_back(guest);
}

void save_free(struct domain_save *save)
{
        restore_speed(save);
        take_file_back(save);
        drop(g_steal_pointer(&save->file));
}

/* ---- restoring ---- */

int save_open_state(struct save_filters *filters, struct domain_image *image, GError **error)
{
        const char *const expand[] = { save_format_get_name(image->format), "-dc", NULL };
        g_autofree char *length = g_strdup_printf("%" PRIu64, image->length);
        const char *const limit[] = { "head", "-c", length, NULL };
        const char *const direct_reader[] = { "dd", "iflag=direct", "bs=1M", "status=none", NULL };
        struct filter **next = filters->filters;
        int fd = image->fd;

        if (lseek(fd, (off_t)image->offset, SEEK_SET) < 0) {
                error_set_errno(error, ERROR_FROM_QEMU, errno, "cannot read '%s'", image->path);
                return -1;
        }
        /* Others' heads, of any length, are read through the cache, as is what comes after them. */
        if (image->bypass_cache && image->offset % SAVE_IMAGE_ALIGNMENT == 0) {
                if (!put_behind(next++, direct_reader, &fd, image->fd, error))
                        return -1;
        }
        /* QEMU sees where a state ends, those programs do not. */
        if (image->format != SAVE_RAW &&
            ((image->length > 0 && !put_behind(next++, limit, &fd, image->fd, error)) ||
             !put_behind(next, expand, &fd, image->fd, error))) {
                if (fd != image->fd)
                        close(fd);
                return -1;
        }
        return fd;
}

static bool is_end(const char *name, const json_t *arguments, void *data)
{
        const char *status = json_string_value(json_object_get(arguments, "status"));
        bool *completed = data;

        if (strcmp(name, "MIGRATION") != 0 || !status)
                return false;
        *completed = strcmp(status, "completed") == 0;
        return *completed || strcmp(status, "failed") == 0;
}

/* As long as the emulator gets anywhere it is waited for. */
static bool wait_for_end(struct guest *guest, GError **error)
{
        uint64_t before = 0, now = 0;
        bool completed = false, runs;

        for (;;) {
                g_autoptr(GError) failure = NULL;

                if (qmp_wait_event(guest->qmp, is_end, &completed, lane_deadline_in(QMP_TIMEOUT_JOB_MS),
                                   &failure))
                        return completed ||
                               error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_FAILED,
                                         "the emulator of %s refuses the state that was saved", guest->who);
                if (!error_is(failure, ERROR_OPERATION_TIMEOUT) ||
                    !process_read_progress(&guest->emulator, &now, &runs) || (now == before && !runs)) {
                        g_propagate_error(error, g_steal_pointer(&failure));
                        return false;
                }
                before = now;
        }
}

static bool take_in(struct guest *guest, int fd, char **before, GError **error)
{
        struct qmp *qmp = guest->qmp;

        return qmp_execute(qmp, "migrate-set-capabilities",
                           json_pack("{s:[{s:s, s:b}]}", "capabilities", "capability", "events", "state", 1),
                           QMP_TIMEOUT_MS, NULL, error) &&
               hand_over(guest, fd, before, error) &&
               qmp_execute(qmp, "migrate-incoming", json_pack("{s:s}", "uri", "fd:" MIGRATION_FD),
                           QMP_TIMEOUT_JOB_MS, NULL, error);
}

bool save_restore(struct guest *guest, struct domain_image *image, GError **error)
{
        __attribute__((cleanup(save_filters_clear))) struct save_filters filters = { 0 };
        int fd = save_open_state(&filters, image, error);
        g_autofree char *before = NULL;
        bool ok = fd >= 0 && take_in(guest, fd, &before, error);

        if (fd >= 0 && fd != image->fd)
                close(fd);
        ok = ok && wait_for_end(guest, error);
        label_again(image->fd, before);
        if (ok)
                guest_release_device(guest, MIGRATION_FD);
        for (unsigned i = 0; !ok && i < G_N_ELEMENTS(filters.filters); i++) {
                g_autoptr(GError) reason = NULL;

                if (filters.filters[i] && filter_has_failed(filters.filters[i], &reason)) {
                        g_clear_error(error);
                        error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_FAILED, "'%s' cannot be read: %s",
                                  image->path, reason->message);
                        return false;
                }
        }
        return ok;
}
