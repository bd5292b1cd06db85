/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Volumes in use by guests: taken and given back in the lane of their pool, where changes of volumes ask for
 * it. The record is by name, so that it holds while a pool is refreshed, stopped or taken over.
 */
#include "base/cleanup.h"
#include "base/lane.h"
#include "base/loop.h"
#include "drivers/storage/model.h"

#include <fcntl.h>
#include <string.h>

/* The bytes of an image that QEMU locks to tell others what it does with it (its block/file-posix.c). */
#define QEMU_LOCKS_START  100
#define QEMU_LOCKS_LENGTH 200

struct storage_use {
        /* const */
        struct storage_pool *pool; /* ref */
        char *volume_name;         /* owned */
        char *user;                /* owned */
        /* lane of the pool; from then on const */
        bool taken;
        struct volume *volume; /* ref; NULL: see problem */
        struct pool_def *def;  /* ref */
        GError *problem;       /* owned; why there is no volume */
};

static struct storage_use *use_new(struct storage_pool *pool, const char *volume, const char *user)
{
        struct storage_use *use = g_new0(struct storage_use, 1);

        use->pool = storage_pool_from(managed_ref(&pool->base));
        use->volume_name = g_strdup(volume);
        use->user = g_strdup(user);
        return use;
}

struct storage_use *storage_use_new(struct storage *storage, const char *pool, const char *volume,
                                    const char *user, GError **error)
{
        struct storage_pool *found = storage_pool_lookup_name(storage, pool, error);

        return found ? use_new(found, volume, user) : NULL;
}

/* A pool that is being taken over has no volumes yet, but a place: the name of the volume that path would be.
 */
static const char *guess_name(const struct managed *object, const char *path)
{
        const struct storage_pool_state *state = (const struct storage_pool_state *)object->published;
        const struct pool_def *def = pool_def_of(state->base.active);
        const char *rest;

        if (!def || state->state != STORAGE_POOL_BUILDING || !def->path || !g_str_has_prefix(path, def->path))
                return NULL;
        rest = path + strlen(def->path);
        return rest[0] == '/' && rest[1] && !strchr(rest + 1, '/') ? rest + 1 : NULL;
}

struct storage_use *storage_use_new_path(struct storage *storage, const char *path, const char *user)
{
        g_autoptr(GPtrArray) pools = NULL;
        void *pool = NULL;
        const struct volume *volume = collection_find_by(storage->volumes, VOLUME_PATH, path, &pool);

        if (volume)
                return use_new(pool, volume->name, user);
        pools = registry_list(storage->pools);
        for (unsigned i = 0; i < pools->len; i++) {
                const char *name = guess_name(g_ptr_array_index(pools, i), path);

                if (name)
                        return use_new(g_ptr_array_index(pools, i), name, user);
        }
        return NULL;
}

void storage_use_free(struct storage_use *use)
{
        if (!use)
                return;
        g_clear_error(&use->problem);
        volume_unref(use->volume);
        if (use->def)
                pool_def_unref(use->def);
        g_free(use->user);
        g_free(use->volume_name);
        managed_unref(&use->pool->base);
        g_free(use);
}

struct managed *storage_use_get_pool(const struct storage_use *use)
{
        return &use->pool->base;
}

/* ---- lane ---- */

static void record(struct storage_use *use)
{
        GPtrArray *users = g_hash_table_lookup(use->pool->users, use->volume_name);

        if (!users) {
                users = g_ptr_array_new_with_free_func(g_free);
                g_hash_table_insert(use->pool->users, g_strdup(use->volume_name), users);
        }
        g_ptr_array_add(users, g_strdup(use->user));
        use->taken = true;
}

static struct volume *find(const struct storage_use *use, GError **error)
{
        struct storage_pool *pool = use->pool;
        const char *name = use->volume_name;
        struct volume *volume;

        if (!storage_pool_require_active(pool, error))
                return NULL;
        volume = object_set_find(storage_pool_get_current(pool)->volumes, name);
        if (!volume)
                error_set(error, ERROR_FROM_STORAGE, ERROR_NO_STORAGE_VOL,
                          "no storage vol with matching name '%s' in pool '%s'", name,
                          managed_get_current_name(&pool->base));
        return volume;
}

bool storage_use_take(struct storage_use *use, GError **error)
{
        struct volume *volume;

        g_assert(in_lane(use->pool->base.lane));
        if (storage_volume_is_written(use->pool, use->volume_name))
                return storage_volume_refuse_use(use->volume_name, error);
        volume = find(use, &use->problem);
        if (volume) {
                use->volume = volume_ref(volume);
                use->def = pool_def_ref(storage_pool_get_def(use->pool));
                record(use);
        }
        return true;
}

void storage_use_drop(struct storage_use *use)
{
        struct storage_pool *pool = use->pool;
        GPtrArray *users = g_hash_table_lookup(pool->users, use->volume_name);
        guint position;

        g_assert(in_lane(pool->base.lane));
        if (!use->taken)
                return;
        use->taken = false;
        if (users && g_ptr_array_find_with_equal_func(users, use->user, g_str_equal, &position))
                g_ptr_array_remove_index(users, position);
        if (users && users->len == 0)
                g_hash_table_remove(pool->users, use->volume_name);
}

static void give_back(void *data)
{
        struct storage_use *use = data;

        storage_use_drop(use);
        storage_use_free(use);
}

void storage_use_give_back(struct storage_use *use)
{
        if (use)
                lane_post(use->pool->base.lane, give_back, use);
}

static void restore(void *data)
{
        record(data);
}

void storage_use_restore(struct storage_use *use)
{
        lane_post(use->pool->base.lane, restore, use);
}

/* ---- what was taken ---- */

const struct volume *storage_use_get_volume(const struct storage_use *use, const struct pool_def **def,
                                            GError **error)
{
        if (use->volume)
                *def = use->def;
        else if (error && use->problem)
                *error = g_error_copy(use->problem);
        return use->volume;
}

/*
 * Who uses the volume: directly, or as what one of their volumes in this pool stands on. The chains are those
 * of now, so that they need no record. NULL: nobody.
 */
static const char *find_user(const struct storage_pool *pool, const char *name)
{
        const struct object_set *volumes = storage_pool_get_current(pool)->volumes;
        const struct volume *wanted = object_set_find(volumes, name);
        GHashTableIter iter;
        void *used, *users;

        g_hash_table_iter_init(&iter, pool->users);
        while (g_hash_table_iter_next(&iter, &used, &users)) {
                const struct volume *volume = object_set_find(volumes, used);
                const char *user = g_ptr_array_index((const GPtrArray *)users, 0);

                if (strcmp(used, name) == 0)
                        return user;
                for (unsigned i = 0; wanted && volume && i < STORAGE_CHAIN_MAX; i++) {
                        if (volume == wanted)
                                return user;
                        volume = volume->backing.path
                                         ? object_set_find_by(volumes, VOLUME_PATH, volume->backing.path)
                                         : NULL;
                }
        }
        return NULL;
}

bool storage_volume_require_unused(const struct storage_pool *pool, const char *name, GError **error)
{
        const char *user = find_user(pool, name);

        return !user || error_set(error, ERROR_FROM_STORAGE, ERROR_OPERATION_INVALID,
                                  "volume '%s' is in use by %s", name, user);
}

/*
 * What is in use without a record of ours is locked: the base of an overlay that is in another pool or in
 * none, a volume whose pool was not there when its guest started, an image of another agent's guest or of
 * qemu-img.
 */
bool storage_volume_require_unlocked(const struct volume *volume, GError **error)
{
        int follow = volume->type == VOLUME_BLOCK ? 0 : O_NOFOLLOW;
        CLEANUP_FD int fd = -1;
        struct flock lock = { .l_type = F_WRLCK,
                              .l_whence = SEEK_SET,
                              .l_start = QEMU_LOCKS_START,
                              .l_len = QEMU_LOCKS_LENGTH };

        if (volume->type != VOLUME_FILE && volume->type != VOLUME_BLOCK)
                return true;
        fd = open(volume->path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | follow);
        /* What cannot be opened, or not be asked, is no guest's here. */
        if (fd < 0 || fcntl(fd, F_OFD_GETLK, &lock) < 0 || lock.l_type == F_UNLCK)
                return true;
        return error_set(error, ERROR_FROM_STORAGE, ERROR_OPERATION_INVALID,
                         "volume '%s' is in use: a guest, or a tool of QEMU's, has '%s' open", volume->name,
                         volume->path);
}

bool storage_pool_require_unused(const struct storage_pool *pool, GError **error)
{
        GHashTableIter iter;
        void *name;

        g_hash_table_iter_init(&iter, pool->users);
        return !g_hash_table_iter_next(&iter, &name, NULL) ||
               storage_volume_require_unused(pool, name, error);
}
