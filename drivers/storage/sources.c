/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What storage there is to make pools of: FindStoragePoolSources, as a job of no pool. Loop, but for
 * find_work. */
#include "base/job.h"
#include "drivers/storage/model.h"

struct find {
        const struct backend *backend;
        struct pool_def *def; /* ref; type and source only */
        bool has_source;
        GBytes *secret;     /* ref; may be NULL */
        char *runtime_dir;  /* owned */
        GPtrArray *sources; /* owned */
        storage_text_done done;
        void *data; /* owned by done */
};

static void find_free(struct find *find)
{
        if (find->def)
                pool_def_unref(find->def);
        if (find->secret)
                g_bytes_unref(find->secret);
        if (find->sources)
                g_ptr_array_unref(find->sources);
        g_free(find->runtime_dir);
        g_free(find);
}

static bool find_work(struct job *job, void *data, GError **error)
{
        struct find *find = data;
        struct backend_context context = {
                .lane = job_get_lane(job),
                .def = find->def,
                .runtime_dir = find->runtime_dir,
                .secret = find->secret,
                .job = job,
        };

        return find->backend->find(&context, find->has_source, find->sources, error);
}

static void find_done(struct job *job, const GError *error, void *data)
{
        struct find *find = data;
        g_autofree char *text = error ? NULL : pool_sources_format(find->sources);

        find->done(text, error, find->data);
        find_free(find);
}

static bool prepare(struct find *find, struct storage *storage, const char *type, const char *source,
                    GError **error)
{
        g_autofree char *quoted = error_quote(type);
        enum pool_type pool_type;

        if (!pool_type_parse(type, &pool_type))
                return error_set(error, ERROR_FROM_STORAGE, ERROR_INVALID_ARG, "unknown storage pool type %s",
                                 quoted);
        find->backend = storage_get_backend(storage, pool_type, error);
        if (!find->backend)
                return false;
        if (!find->backend->find)
                return error_set(error, ERROR_FROM_STORAGE, ERROR_NO_SUPPORT,
                                 "pool type '%s' does not support source discovery",
                                 pool_type_get_name(pool_type));
        find->def = g_new0(struct pool_def, 1);
        definition_init(&find->def->base, &storage_pool_kind);
        find->def->type = pool_type;
        find->has_source = source && *source;
        find->runtime_dir = g_strdup(storage->runtime_dir);
        find->sources = g_ptr_array_new_with_free_func(g_free);
        return pool_source_parse(source, pool_type, &find->def->source, error) &&
               storage_get_secret(storage, &find->def->source.auth.secret, &find->secret, error);
}

void storage_find_sources(struct storage *storage, const char *type, const char *source, unsigned flags,
                          storage_text_done done, void *data)
{
        struct find *find = g_new0(struct find, 1);
        g_autoptr(GError) error = NULL;

        find->done = done;
        find->data = data;
        if (flags_check(flags, 0, ERROR_FROM_STORAGE, "FindStoragePoolSources", &error) &&
            prepare(find, storage, type, source, &error) &&
            job_run(storage->jobs, "find", NULL, find_work, find_done, find, &error))
                return;
        done(NULL, error, data);
        find_free(find);
}
