/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sizes of a volume as they are now. They are read in the pool's second lane, so that a refresh delays
 * nobody; storage that does not tell in time does not, either: then the sizes that are published are the
 * answer. Loop, but for info_work.
 */
#include "base/lane.h"
#include "base/loop.h"
#include "drivers/storage/model.h"

#define GET_PHYSICAL 1
/* How long storage may take to tell; once it took longer, nobody waits until it has told. */
#define PATIENCE_MS 500

struct info {
        /* const */
        struct storage_pool *pool; /* ref */
        struct pool_def *def;      /* ref */
        struct volume *volume;     /* ref */
        const struct backend *backend;
        unsigned flags;
        /* lane, then loop */
        struct storage_volume_info result;
        GError *error; /* owned */
        /* loop */
        struct loop_timer *timer; /* owned; NULL: it has been answered */
        storage_info_done done;
        void *data; /* owned by done */
};

static struct storage_volume_info make_result(const struct volume *volume, unsigned flags, uint64_t capacity,
                                              uint64_t allocation, uint64_t physical)
{
        return (struct storage_volume_info){
                .type = volume->type,
                .capacity = capacity,
                .allocation = (flags & GET_PHYSICAL) ? physical : allocation,
        };
}

static struct storage_volume_info get_published(const struct volume *volume, unsigned flags)
{
        return make_result(volume, flags, volume->capacity, volume->allocation, volume->physical);
}

static void answer(struct info *info, const struct storage_volume_info *result, const GError *error)
{
        g_clear_pointer(&info->timer, loop_timer_free);
        info->done(result, error, info->data);
}

static void info_late(void *data)
{
        struct info *info = data;
        struct storage_volume_info result = get_published(info->volume, info->flags);

        info->pool->late_reads++;
        answer(info, &result, NULL);
}

static void info_read(void *data)
{
        struct info *info = data;

        if (info->timer)
                answer(info, info->error ? NULL : &info->result, info->error);
        else
                info->pool->late_reads--;
        pool_def_unref(info->def);
        volume_unref(info->volume);
        managed_unref(&info->pool->base);
        g_clear_error(&info->error);
        g_free(info);
}

static void info_work(void *data)
{
        struct info *info = data;
        const struct volume *volume = info->volume;
        uint64_t capacity = volume->capacity, allocation = volume->allocation, physical = volume->physical;
        struct backend_context context = { .lane = info->pool->reader, .def = info->def };

        if (info->backend->stat)
                info->backend->stat(&context, volume, &capacity, &allocation, &physical, &info->error);
        info->result = make_result(volume, info->flags, capacity, allocation, physical);
        loop_post(lane_get_loop(info->pool->reader), info_read, info);
}

static void read_sizes(struct storage_pool *pool, const struct volume *volume, unsigned flags,
                       storage_info_done done, void *data)
{
        struct info *info = g_new0(struct info, 1);

        info->pool = storage_pool_from(managed_ref(&pool->base));
        info->def = pool_def_ref(pool_def_of(managed_state_get_definition(pool->base.published)));
        info->volume = volume_ref((struct volume *)volume);
        info->backend = storage_get_backend(pool->storage, info->def->type, NULL);
        info->flags = flags;
        info->timer = loop_timer_new(pool->storage->loop, PATIENCE_MS, info_late, info);
        info->done = done;
        info->data = data;
        lane_post(pool->reader, info_work, info);
}

void storage_volume_get_info(struct storage *storage, const struct volume *volume, unsigned flags,
                             storage_info_done done, void *data)
{
        struct storage_volume_info published = get_published(volume, flags);
        struct storage_pool *pool = NULL;
        g_autoptr(GError) error = NULL;

        if (flags_check(flags, GET_PHYSICAL, ERROR_FROM_STORAGE, "GetInfo", &error))
                pool = storage_volume_get_pool(storage, volume, &error);
        if (!pool)
                done(NULL, error, data);
        else if (pool->late_reads)
                done(&published, NULL, data);
        else
                read_sizes(pool, volume, flags, done, data);
}
