/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the tests of storage share: a storage on a temporary directory, and calls that are waited for. */

#include "drivers/storage/storage.h"

#include "base/error.h"
#include "base/job.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/pool.h"
#include "drivers/storage/backend.h"
#include "tests/unit/check-main.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct loop *loop;
static struct pool *threads;
static struct job_list *jobs;
static struct storage *storage;
static char *top;
static GString *events;

static inline char *under_top(const char *name)
{
        return g_build_filename(top, name, NULL);
}

static inline void note_change(const struct registry_change *change, void *data)
{
        if (change->event && change->event->id == MANAGED_EVENT_LIFECYCLE)
                g_string_append_c(events, (char)('0' + change->event->type));
        else if (change->event)
                g_string_append_c(events, 'R');
}

static inline void note_volume(void *old, void *new, void *data)
{
        const struct volume *before = old, *after = new;

        if (before && after && volume_equal(before, after))
                return;
        g_string_append_printf(events, "%c%s ",
                               !before  ? '+'
                               : !after ? '-'
                                        : '*',
                               after ? after->name : before->name);
}

static const struct collection_listener note_volumes = { .tell = note_volume };

static inline void open_storage(void)
{
        g_autofree char *state = under_top("state"), *run = under_top("run");

        jobs = job_list_new(loop, threads);
        storage = storage_new(loop, threads, jobs, state, run);
        registry_listen(storage_get_registry(storage), note_change, NULL);
        collection_listen(storage_get_volumes(storage), &note_volumes, NULL);
        ck_assert(storage_load(storage, NULL));
}

static inline void settle(void)
{
        while (registry_get_pending(storage_get_registry(storage)) || job_list_get_count(jobs))
                loop_step(loop, true);
}

static inline void close_storage(void)
{
        storage_quiesce(storage);
        settle();
        storage_free(storage);
        job_list_free(jobs);
}

static inline void setup(void)
{
        log_init(LOG_LEVEL_ERROR);
        top = g_dir_make_tmp("virtbus-storage-XXXXXX", NULL);
        events = g_string_new(NULL);
        loop = loop_new(NULL);
        threads = pool_new(2, NULL);
        open_storage();
}

static inline void remove_tree(const char *path)
{
        GDir *dir = g_dir_open(path, 0, NULL);
        const char *name;

        while (dir && (name = g_dir_read_name(dir))) {
                g_autofree char *child = g_build_filename(path, name, NULL);

                if (g_file_test(child, G_FILE_TEST_IS_DIR) && !g_file_test(child, G_FILE_TEST_IS_SYMLINK))
                        remove_tree(child);
                else
                        unlink(child);
        }
        if (dir)
                g_dir_close(dir);
        rmdir(path);
}

static inline void teardown(void)
{
        close_storage();
        pool_free(threads);
        loop_free(loop);
        remove_tree(top);
        g_string_free(events, TRUE);
        g_free(top);
}

/* ---- calls, waited for ---- */

struct answer {
        bool done;
        char *error; /* NULL: success */
        struct managed *object;
        struct volume *volume;
};

static inline void answered(struct managed *object, const GError *error, void *data)
{
        struct answer *answer = data;

        answer->done = true;
        answer->object = object;
        answer->error = error ? g_strdup(error->message) : NULL;
}

static inline void answered_volume(struct storage_pool *pool, struct volume *volume, const GError *error,
                                   void *data)
{
        struct answer *answer = data;

        answer->done = true;
        answer->volume = volume;
        answer->error = error ? g_strdup(error->message) : NULL;
}

static inline void await(struct answer *answer)
{
        while (!answer->done)
                loop_step(loop, true);
}

/* NULL on success, else what went wrong; to be freed. */
#define CALL(function, ...)                                                                                  \
        ({                                                                                                   \
                struct answer answer_ = { 0 };                                                               \
                function(__VA_ARGS__, answered, &answer_);                                                   \
                await(&answer_);                                                                             \
                answer_;                                                                                     \
        })
#define CALL_VOLUME(function, ...)                                                                           \
        ({                                                                                                   \
                struct answer answer_ = { 0 };                                                               \
                function(__VA_ARGS__, answered_volume, &answer_);                                            \
                await(&answer_);                                                                             \
                answer_;                                                                                     \
        })

static inline struct answer expect(struct answer answer)
{
        ck_assert_msg(!answer.error, "%s", answer.error);
        return answer;
}

static inline void refuse(struct answer answer, const char *part)
{
        ck_assert_msg(answer.error && strstr(answer.error, part), "%s",
                      answer.error ? answer.error : "(no error)");
        g_free(answer.error);
}

static inline struct storage_pool *define(const char *name, const char *directory)
{
        g_autofree char *xml =
                g_strdup_printf("<pool type='dir'><name>%s</name><target><path>%s/%s</path></target></pool>",
                                name, top, directory);

        return (struct storage_pool *)expect(CALL(storage_pool_define_xml, storage, xml, 0)).object;
}

static inline struct storage_pool *make_pool(const char *name)
{
        struct storage_pool *pool = define(name, name);

        expect(CALL(storage_pool_build, pool, 0));
        expect(CALL(storage_pool_create, pool, 0));
        return pool;
}

static inline struct answer create_volume(struct storage_pool *pool, const char *xml)
{
        return CALL_VOLUME(storage_volume_create_xml, pool, xml, 0);
}

static inline struct volume *find(struct storage_pool *pool, const char *name)
{
        return storage_volume_lookup_name(pool, name, NULL);
}

static inline char *volume_path(struct storage_pool *pool, const char *name)
{
        return g_build_filename(top, pool->base.name, name, NULL);
}

/* ---- volumes ---- */

static inline struct volume *make(struct storage_pool *pool, const char *xml)
{
        return expect(create_volume(pool, xml)).volume;
}

static inline void shell(const char *format, ...)
{
        g_autofree char *command = NULL;
        va_list args;

        va_start(args, format);
        command = g_strdup_vprintf(format, args);
        va_end(args);
        ck_assert_msg(system(command) == 0, "%s", command);
}

static inline struct answer clone_volume(struct storage_pool *pool, const char *xml, const char *source,
                                         unsigned flags)
{
        g_autofree char *key = volume_path(pool, source);

        return CALL_VOLUME(storage_volume_create_xml_from, pool, xml, key, flags);
}

static inline unsigned count_entries(struct storage_pool *pool)
{
        g_autofree char *path = g_build_filename(top, pool->base.name, NULL);
        GDir *dir = g_dir_open(path, 0, NULL);
        unsigned count = 0;

        while (g_dir_read_name(dir))
                count++;
        g_dir_close(dir);
        return count;
}

struct stream {
        int fd;
        char *error;
        bool done;
};

static inline void streaming(int fd, const GError *error, void *data)
{
        struct stream *stream = data;

        stream->fd = fd >= 0 ? dup(fd) : -1;
        stream->error = error ? g_strdup(error->message) : NULL;
        stream->done = true;
}
