/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Keeping the capabilities of emulators. The table of what is known is shared by all lanes that start guests
 * and by the loop, and guarded by a mutex: a leaf, held for a look-up or an insertion only. Questions on the
 * way are the loop's.
 */

#include "drivers/qemu/probe-cache.h"
#include "base/error.h"
#include "base/lane.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/store.h"
#include "drivers/qemu/probe.h"
#include "drivers/security/account.h"

#include <pthread.h>
#include <string.h>
#include <sys/stat.h>

/* To be raised when the document's content changes. */
#define PROBE_FORMAT 7

/* Where QEMU's loadable modules are: installing one changes what the same binary can do. */
static const char *const module_dirs[] = { "/usr/lib/qemu", "/usr/lib64/qemu",
                                           "/usr/lib/x86_64-linux-gnu/qemu",
                                           "/usr/lib/aarch64-linux-gnu/qemu" };

struct entry {
        char *stamp;                  /* owned */
        const struct qemu_caps *caps; /* ref */
};

struct probe_cache {
        /* atomic */
        gint refs; /* the owner's and one per question on the way */
        /* const */
        struct loop *loop;             /* borrowed */
        struct pool *pool;             /* borrowed */
        char *directory;               /* owned; NULL: none */
        const struct account *account; /* ref */
        char *boot;                    /* owned; the kernel's boot id */
        /* mutex */
        pthread_mutex_t mutex;
        GHashTable *entries; /* owned; path, or program that has none any more -> struct entry */
        /* loop */
        GHashTable *questions; /* owned; path -> struct question, borrowed */
};

struct waiter {
        probe_cache_done done;
        void *data;
};

/* One probe on the way. */
struct question {
        struct probe_cache *cache; /* ref */
        char *path;                /* owned */
        struct lane *lane;         /* ref */
        gint abandoned;            /* atomic; nobody waits any more */
        GArray *waiters;           /* owned; loop */
        /* lane, then loop */
        const struct qemu_caps *caps; /* ref */
        GError *error;                /* owned */
};

static void entry_free(void *data)
{
        struct entry *entry = data;

        g_free(entry->stamp);
        qemu_caps_unref(entry->caps);
        g_free(entry);
}

static void cache_unref(struct probe_cache *cache)
{
        if (!g_atomic_int_dec_and_test(&cache->refs))
                return;
        g_hash_table_unref(cache->entries);
        g_hash_table_unref(cache->questions);
        pthread_mutex_destroy(&cache->mutex);
        account_unref(cache->account);
        g_free(cache->directory);
        g_free(cache->boot);
        g_free(cache);
}

struct probe_cache *probe_cache_new(struct loop *loop, struct pool *pool, const char *directory,
                                    const struct account *account)
{
        struct probe_cache *cache = g_new0(struct probe_cache, 1);

        cache->refs = 1;
        cache->loop = loop;
        cache->pool = pool;
        cache->directory = g_strdup(directory);
        cache->account = account_ref(account);
        cache->entries = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, entry_free);
        cache->questions = g_hash_table_new(g_str_hash, g_str_equal);
        pthread_mutex_init(&cache->mutex, NULL);
        if (!g_file_get_contents("/proc/sys/kernel/random/boot_id", &cache->boot, NULL, NULL))
                cache->boot = g_strdup("");
        g_strchomp(cache->boot);
        return cache;
}

/* ---- what an answer depends on ---- */

/* Seconds since 1970 when the directory last changed; 0 when there is none. */
static int64_t dir_time(const char *path)
{
        struct stat st;

        return stat(path, &st) == 0 ? (int64_t)st.st_mtim.tv_sec : 0;
}

/* Changes when a new probe could bring other answers; NULL when there is no such file. */
static char *make_stamp(const struct probe_cache *cache, const char *path)
{
        GString *stamp = g_string_new(NULL);
        struct stat st;

        if (stat(path, &st) < 0) {
                g_string_free(stamp, TRUE);
                return NULL;
        }
        g_string_printf(stamp, "%d %s %s %u", PROBE_FORMAT, VIRTBUS_VERSION, cache->boot,
                        (unsigned)cache->account->uid);
        g_string_append_printf(stamp, " %lld.%09ld %lld %llu", (long long)st.st_mtim.tv_sec,
                               st.st_mtim.tv_nsec, (long long)st.st_size, (unsigned long long)st.st_ino);
        if (stat("/dev/kvm", &st) == 0)
                g_string_append_printf(
                        stamp, " kvm%d",
                        account_may_open(cache->account, st.st_uid, st.st_gid, st.st_mode, true));
        for (unsigned i = 0; i < G_N_ELEMENTS(module_dirs); i++)
                g_string_append_printf(stamp, " %lld", (long long)dir_time(module_dirs[i]));
        return g_string_free(stamp, FALSE);
}

/* ---- memory ---- */

static const struct qemu_caps *find(struct probe_cache *cache, const char *path, const char *stamp)
{
        const struct qemu_caps *caps = NULL;
        const struct entry *entry;

        pthread_mutex_lock(&cache->mutex);
        entry = g_hash_table_lookup(cache->entries, path);
        if (entry && g_str_equal(entry->stamp, stamp))
                caps = qemu_caps_ref(entry->caps);
        pthread_mutex_unlock(&cache->mutex);
        return caps;
}

static void keep(struct probe_cache *cache, const char *path, const char *stamp, const struct qemu_caps *caps)
{
        struct entry *entry = g_new0(struct entry, 1);

        entry->stamp = g_strdup(stamp);
        entry->caps = qemu_caps_ref(caps);
        pthread_mutex_lock(&cache->mutex);
        g_hash_table_replace(cache->entries, g_strdup(path), entry);
        pthread_mutex_unlock(&cache->mutex);
}

const struct qemu_caps *probe_cache_peek(struct probe_cache *cache, const char *path)
{
        g_autofree char *stamp = NULL;
        bool known;

        /* A path nobody probed may be on storage that hangs. */
        pthread_mutex_lock(&cache->mutex);
        known = g_hash_table_contains(cache->entries, path);
        pthread_mutex_unlock(&cache->mutex);
        stamp = known ? make_stamp(cache, path) : NULL;
        return stamp ? find(cache, path, stamp) : NULL;
}

/* ---- disk ---- */

static char *file_name(const char *path)
{
        g_autofree char *sum = g_compute_checksum_for_string(G_CHECKSUM_SHA256, path, -1);

        return g_strconcat(sum, ".json", NULL);
}

/* Whatever is wrong with the file, a new probe puts it right. */
static const struct qemu_caps *load(const struct probe_cache *cache, const char *path, const char *stamp)
{
        CLEANUP(qemu_caps_unref) const struct qemu_caps *caps = NULL;
        g_autofree char *name = file_name(path);
        g_autofree char *file = NULL;
        g_autofree char *text = NULL;
        json_t *root;

        if (!cache->directory)
                return NULL;
        file = g_build_filename(cache->directory, name, NULL);
        text = store_read(file, NULL);
        root = text ? json_loads(text, 0, NULL) : NULL;
        if (g_strcmp0(json_string_value(json_object_get(root, "stamp")), stamp) == 0)
                caps = qemu_caps_new(json_object_get(root, "caps"), NULL);
        json_decref(root);
        if (!caps || !g_str_equal(qemu_caps_get_path(caps), path))
                return NULL;
        return g_steal_pointer(&caps);
}

static void save(const struct probe_cache *cache, const char *path, const char *stamp,
                 const struct qemu_caps *caps)
{
        g_autoptr(GError) error = NULL;
        g_autofree char *name = file_name(path);
        json_t *root;
        char *text;

        if (!cache->directory)
                return;
        root = json_pack("{s:s, s:O}", "stamp", stamp, "caps", qemu_caps_get_document(caps));
        text = json_dumps(root, JSON_COMPACT);
        if (!text || !store_make_dir(cache->directory, &error) ||
            !store_write(cache->directory, name, text, false, &error))
                log_gerror(LOG_LEVEL_WARNING, error, "cannot keep the capabilities of emulator '%s'", path);
        free(text);
        json_decref(root);
}

/* ---- asking ---- */

const struct qemu_caps *probe_cache_get(struct probe_cache *cache, struct lane *lane, const char *path,
                                        GError **error)
{
        g_autofree char *stamp = make_stamp(cache, path);
        const struct qemu_caps *caps = stamp ? find(cache, path, stamp) : NULL;
        json_t *document;

        if (caps)
                return caps;
        caps = stamp ? load(cache, path, stamp) : NULL;
        if (caps) {
                keep(cache, path, stamp, caps);
                return caps;
        }
        document = probe_run(lane, path, cache->account, error);
        if (!document)
                return NULL;
        caps = qemu_caps_new(document, error);
        json_decref(document);
        /* Replaced during the probe: good for this call, but not kept. */
        if (caps && stamp) {
                g_autofree char *after = make_stamp(cache, path);

                if (g_strcmp0(stamp, after) == 0) {
                        keep(cache, path, stamp, caps);
                        save(cache, path, stamp, caps);
                }
        }
        return caps;
}

const struct qemu_caps *probe_cache_get_running(struct probe_cache *cache, struct lane *lane, struct qmp *qmp,
                                                const char *path, const char *program, GError **error)
{
        const struct qemu_caps *caps = program ? find(cache, program, program) : NULL;
        json_t *document;

        if (caps)
                return caps;
        document = probe_ask(lane, qmp, path, error);
        caps = document ? qemu_caps_new(document, error) : NULL;
        if (caps && program)
                keep(cache, program, program, caps);
        json_decref(document);
        return caps;
}

static void question_free(struct question *question)
{
        lane_unref(question->lane);
        cache_unref(question->cache);
        g_array_unref(question->waiters);
        qemu_caps_unref(question->caps);
        g_clear_error(&question->error);
        g_free(question->path);
        g_free(question);
}

static void answer(struct question *question, const struct qemu_caps *caps, const GError *error)
{
        g_autoptr(GArray) waiters = g_steal_pointer(&question->waiters);

        question->waiters = g_array_new(FALSE, FALSE, sizeof(struct waiter));
        for (unsigned i = 0; i < waiters->len; i++) {
                const struct waiter *waiter = &g_array_index(waiters, struct waiter, i);

                waiter->done(caps, error, waiter->data);
        }
}

static void finish(void *data)
{
        struct question *question = data;

        /* A freed cache has forgotten it. */
        if (g_hash_table_lookup(question->cache->questions, question->path) == question)
                g_hash_table_remove(question->cache->questions, question->path);
        answer(question, question->caps, question->error);
        question_free(question);
}

static void probe(void *data)
{
        struct question *question = data;

        /* An interrupt reaches a job that runs, not one that has yet to. */
        if (!g_atomic_int_get(&question->abandoned))
                question->caps =
                        probe_cache_get(question->cache, question->lane, question->path, &question->error);
        loop_post(question->cache->loop, finish, question);
}

static struct question *question_new(struct probe_cache *cache, const char *path)
{
        struct question *question = g_new0(struct question, 1);

        g_atomic_int_inc(&cache->refs);
        question->cache = cache;
        question->path = g_strdup(path);
        question->lane = lane_new(cache->pool, cache->loop, "probe");
        question->waiters = g_array_new(FALSE, FALSE, sizeof(struct waiter));
        g_hash_table_insert(cache->questions, question->path, question);
        lane_post(question->lane, probe, question);
        return question;
}

void probe_cache_ask(struct probe_cache *cache, const char *path, probe_cache_done done, void *data)
{
        CLEANUP(qemu_caps_unref) const struct qemu_caps *caps = probe_cache_peek(cache, path);
        struct waiter waiter = { .done = done, .data = data };
        struct question *question;

        if (caps) {
                done(caps, NULL, data);
                return;
        }
        question = g_hash_table_lookup(cache->questions, path);
        if (!question)
                question = question_new(cache, path);
        g_array_append_val(question->waiters, waiter);
}

static void nothing(void *data)
{
}

void probe_cache_free(struct probe_cache *cache)
{
        g_autoptr(GError) error = NULL;
        GHashTableIter iter;
        void *value;

        if (!cache)
                return;
        error_set(&error, ERROR_FROM_QEMU, ERROR_OPERATION_ABORTED, "the agent ends");
        g_hash_table_iter_init(&iter, cache->questions);
        while (g_hash_table_iter_next(&iter, NULL, &value)) {
                struct question *question = value;

                g_hash_table_iter_steal(&iter);
                g_atomic_int_set(&question->abandoned, 1);
                lane_post_urgent(question->lane, nothing, NULL);
                answer(question, NULL, error);
        }
        cache_unref(cache);
}

/* ---- several at once ---- */

struct several {
        GPtrArray *caps; /* owned; by index, NULL: failed or still missing */
        unsigned missing;
        probe_cache_all_done done;
        void *data;
};

/* One of several. */
struct part {
        struct several *several;
        unsigned index;
};

static void release_caps(void *data)
{
        qemu_caps_unref(data);
}

static void several_finish(struct several *several)
{
        if (--several->missing)
                return;
        while (g_ptr_array_remove(several->caps, NULL))
                continue;
        several->done(several->caps, several->data);
        g_ptr_array_unref(several->caps);
        g_free(several);
}

static void part_done(const struct qemu_caps *caps, const GError *error, void *data)
{
        struct part *part = data;
        struct several *several = part->several;

        if (caps)
                several->caps->pdata[part->index] = (void *)qemu_caps_ref(caps);
        else if (!error_is(error, ERROR_OPERATION_ABORTED))
                log_gerror(LOG_LEVEL_WARNING, error, "left out of the capabilities");
        g_free(part);
        several_finish(several);
}

void probe_cache_ask_all(struct probe_cache *cache, const char *const *paths, probe_cache_all_done done,
                         void *data)
{
        struct several *several = g_new0(struct several, 1);
        unsigned count = g_strv_length((char **)paths);

        several->caps = g_ptr_array_new_with_free_func(release_caps);
        g_ptr_array_set_size(several->caps, (int)count);
        several->done = done;
        several->data = data;
        /* One more, so that answers given at once do not end it. */
        several->missing = count + 1;
        for (unsigned i = 0; i < count; i++) {
                struct part *part = g_new0(struct part, 1);

                part->several = several;
                part->index = i;
                probe_cache_ask(cache, paths[i], part_done, part);
        }
        several_finish(several);
}
