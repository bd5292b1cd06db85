/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The storage of one connection: the kind of managed object that pools are, the connection's objects, lookups
 * and reads. Loop thread, but for the hooks of the kind and what is marked.
 */
#include "drivers/storage/storage.h"

#include "base/cleanup.h"
#include "base/lane.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/store.h"
#include "drivers/secret/secret.h"
#include "drivers/storage/model.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define DEV "/dev/"

/* ---- the kind ---- */

static struct definition *kind_parse(void *context, const char *xml, GError **error)
{
        struct pool_def *def = pool_def_parse(xml, error);

        return def ? &def->base : NULL;
}

static void kind_state_copy(struct managed_state *to, const struct managed_state *from)
{
        struct storage_pool_state *state = (struct storage_pool_state *)to;

        state->volumes = state->volumes ? object_set_ref(state->volumes) : NULL;
        state->problem = g_strdup(state->problem);
}

static void kind_state_clear(struct managed_state *base)
{
        struct storage_pool_state *state = (struct storage_pool_state *)base;

        object_set_unref(state->volumes);
        g_free(state->problem);
}

static void kind_object_init(struct managed *object, void *context)
{
        struct storage_pool *pool = storage_pool_from(object);

        pool->storage = context;
        lane_set_lending(object->lane);
        pool->reader = lane_new(pool->storage->pool, pool->storage->loop, object->uuid_text);
        lane_set_lending(pool->reader);
        pool->busy = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        pool->users =
                g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_ptr_array_unref);
        pool->changed = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        pool->left_out = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, storage_left_out_free);
}

static void kind_object_clear(struct managed *object)
{
        struct storage_pool *pool = storage_pool_from(object);
        const struct backend *backend = pool->storage->backend;
        struct backend_context context = { .live = &pool->live };

        /* What the backends of the table hold ended when the pool was stopped. */
        if (backend && pool->live)
                backend->forget(&context);
        lane_unref(pool->reader);
        g_hash_table_unref(pool->busy);
        g_hash_table_unref(pool->users);
        g_hash_table_unref(pool->changed);
        g_hash_table_unref(pool->left_out);
}

const struct managed_kind storage_pool_kind = {
        .noun = "storage pool",
        .from = ERROR_FROM_STORAGE,
        .missing = ERROR_NO_STORAGE_POOL,
        .exists = ERROR_OPERATION_FAILED,
        .object_size = sizeof(struct storage_pool),
        .state_size = sizeof(struct storage_pool_state),
        .parse = kind_parse,
        .definition_free = pool_def_free,
        .state_copy = kind_state_copy,
        .state_clear = kind_state_clear,
        .object_init = kind_object_init,
        .object_clear = kind_object_clear,
};

/* ---- volumes on the whole connection ---- */

/* A volume is its key; another one may come under its name. */
static bool is_same_volume(const void *before, const void *after)
{
        return strcmp(((const struct volume *)before)->key, ((const struct volume *)after)->key) == 0;
}

static void hold_pool(void *pool)
{
        managed_hold(pool);
}

static void release_pool(void *pool)
{
        managed_release(pool);
}

static const struct collection_kind volume_kind = {
        .set = &volume_set_kind,
        .noun = "storage vol",
        .from = ERROR_FROM_STORAGE,
        .missing = ERROR_NO_STORAGE_VOL,
        .is_same = is_same_volume,
        .hold = hold_pool,
        .release = release_pool,
};

/* Before all who listen to pools: what a pool has is there, and told, before the pool's own events. */
static void follow_volumes(const struct registry_change *change, void *data)
{
        struct storage *storage = data;
        const struct storage_pool_state *after = (const struct storage_pool_state *)change->after;

        collection_show(storage->volumes, change->object, after ? after->volumes : NULL);
}

/* ---- the storage of a connection ---- */

struct storage *storage_new(struct loop *loop, struct pool *pool, struct job_list *jobs,
                            const char *state_dir, const char *runtime_dir)
{
        struct storage *storage = g_new0(struct storage, 1);
        g_autoptr(GPtrArray) none = g_ptr_array_new();

        storage->loop = loop;
        storage->pool = pool;
        storage->jobs = jobs;
        storage->runtime_dir = g_strdup(runtime_dir);
        storage->volumes = collection_new(&volume_kind, loop, NULL);
        storage->no_volumes = object_set_new(&volume_set_kind, none);
        storage->claims = g_ptr_array_new();
        storage->pools = registry_new(&storage_pool_kind, storage, loop, pool, state_dir);
        registry_listen(storage->pools, follow_volumes, storage);
        return storage;
}

void storage_free(struct storage *storage)
{
        if (!storage)
                return;
        registry_free(storage->pools);
        collection_free(storage->volumes);
        object_set_unref(storage->no_volumes);
        g_ptr_array_unref(storage->claims);
        g_free(storage->runtime_dir);
        g_free(storage);
}

struct registry *storage_get_registry(const struct storage *storage)
{
        return storage->pools;
}

struct collection *storage_get_volumes(const struct storage *storage)
{
        return storage->volumes;
}

const struct backend *storage_get_backend(const struct storage *storage, enum pool_type type, GError **error)
{
        return storage->backend ? storage->backend : backend_require(type, error);
}

void storage_set_secrets(struct storage *storage, struct secrets *secrets)
{
        storage->secrets = secrets;
}

bool storage_get_secret(struct storage *storage, const struct secret_ref *ref, GBytes **value, GError **error)
{
        *value = NULL;
        if (!secret_ref_is_given(ref))
                return true;
        if (storage->secrets)
                *value = secret_find_value(storage->secrets, ref, error);
        else
                error_set(error, ERROR_FROM_STORAGE, ERROR_NO_SECRET, "there are no secrets here");
        return *value != NULL;
}

/* ---- pools: lookups ---- */

struct storage_pool *storage_pool_lookup_name(struct storage *storage, const char *name, GError **error)
{
        return storage_pool_from(registry_lookup_name(storage->pools, name, error));
}

struct storage_pool *storage_pool_lookup_uuid(struct storage *storage, const char *uuid, GError **error)
{
        return storage_pool_from(registry_lookup_uuid(storage->pools, uuid, error));
}

#define LIST_TYPES (((1u << POOL_TYPE_COUNT) - 1) * STORAGE_POOL_LIST_DIR)

/* Bits of one group are alternatives; no bit of a group asks for all. */
static const unsigned list_groups[] = {
        STORAGE_POOL_LIST_INACTIVE | STORAGE_POOL_LIST_ACTIVE,
        STORAGE_POOL_LIST_PERSISTENT | STORAGE_POOL_LIST_TRANSIENT,
        STORAGE_POOL_LIST_AUTOSTART | STORAGE_POOL_LIST_NO_AUTOSTART,
        LIST_TYPES,
};

static unsigned describe(const void *object)
{
        static const struct managed_flags common = {
                .active = STORAGE_POOL_LIST_ACTIVE,
                .inactive = STORAGE_POOL_LIST_INACTIVE,
                .persistent = STORAGE_POOL_LIST_PERSISTENT,
                .transient = STORAGE_POOL_LIST_TRANSIENT,
                .autostart = STORAGE_POOL_LIST_AUTOSTART,
                .no_autostart = STORAGE_POOL_LIST_NO_AUTOSTART,
        };
        const struct managed_state *state = ((const struct managed *)object)->published;
        enum pool_type type = pool_def_of(managed_state_get_definition(state))->type;

        return managed_state_describe(state, &common) | (unsigned)STORAGE_POOL_LIST_DIR << type;
}

static const struct filter list_filter = {
        .groups = list_groups,
        .n_groups = G_N_ELEMENTS(list_groups),
        .describe = describe,
};

GPtrArray *storage_pool_list(struct storage *storage, unsigned flags, GError **error)
{
        return registry_select(storage->pools, &list_filter, flags, "ListStoragePools", error);
}

/* ---- pools: reads ---- */

bool storage_pool_is_active(const struct storage_pool *pool)
{
        return pool->base.published->active != NULL;
}

void storage_pool_get_info(const struct storage_pool *pool, struct storage_pool_info *info)
{
        const struct storage_pool_state *state = storage_pool_get_published(pool);

        *info = (struct storage_pool_info){
                .state = storage_pool_state_get(state),
                .numbers = state->numbers,
        };
}

char *storage_pool_get_xml(const struct storage_pool *pool, unsigned flags, GError **error)
{
        const struct storage_pool_state *state = storage_pool_get_published(pool);
        struct definition *definition = managed_state_get_definition(&state->base);

        if (!flags_check(flags, 1, ERROR_FROM_STORAGE, "GetXMLDesc", error))
                return NULL;
        if ((flags & 1) && state->base.persistent)
                definition = state->base.persistent;
        if (definition != state->base.active)
                return g_strdup(definition->xml);
        return pool_def_format(pool_def_of(definition), &state->numbers);
}

/* ---- volumes: lookups ---- */

struct volume *storage_volume_lookup_key(struct storage *storage, const char *key, GError **error)
{
        struct volume *volume = collection_find_by(storage->volumes, VOLUME_KEY, key, NULL);

        if (!volume) {
                g_autofree char *quoted = error_quote(key);

                error_set(error, ERROR_FROM_STORAGE, ERROR_NO_STORAGE_VOL,
                          "no storage vol with matching key %s", quoted);
        }
        return volume;
}

/* Without "//", "/./" and a trailing slash; owned. ".." is not resolved: what it means depends on links. */
static char *plain_path(const char *path)
{
        GString *plain = g_string_sized_new(strlen(path));

        for (const char *c = path; *c; c++) {
                if (c[0] == '/' && (c[1] == '/' || c[1] == '\0'))
                        continue;
                if (c[0] == '/' && c[1] == '.' && (c[2] == '/' || c[2] == '\0')) {
                        c++;
                        continue;
                }
                g_string_append_c(plain, *c);
        }
        return g_string_free(plain, FALSE);
}

/*
 * The number of the block device that path, a name below /dev, leads to; 0: none. Nothing outside of that
 * file system is looked at, which answers from memory.
 */
static dev_t find_device(int dev_fd, const char *path)
{
        struct open_how how = {
                .flags = O_PATH | O_CLOEXEC,
                .resolve = RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS,
        };
        CLEANUP_FD int fd = -1;
        struct stat st;

        if (!g_str_has_prefix(path, DEV))
                return 0;
        fd = (int)syscall(SYS_openat2, dev_fd, path + strlen(DEV), &how, sizeof(how));
        return fd >= 0 && fstat(fd, &st) == 0 && S_ISBLK(st.st_mode) ? st.st_rdev : 0;
}

static struct volume *find_in_set(const struct object_set *set, int dev_fd, dev_t device)
{
        for (unsigned i = 0; i < set->count; i++) {
                struct volume *volume = set->objects[i];

                if (volume->type == VOLUME_BLOCK && volume->path &&
                    find_device(dev_fd, volume->path) == device)
                        return volume;
        }
        return NULL;
}

/* Block devices have several names, in /dev/disk and elsewhere: any of them will do. */
static struct volume *find_alias(struct storage *storage, const char *path)
{
        CLEANUP_FD int dev_fd = open(DEV, O_PATH | O_DIRECTORY | O_CLOEXEC);
        dev_t device = dev_fd >= 0 ? find_device(dev_fd, path) : 0;
        const struct object_set *set;
        struct volume *volume = NULL;

        for (unsigned n = 0; device && !volume && (set = collection_get_nth(storage->volumes, n, NULL)); n++)
                volume = find_in_set(set, dev_fd, device);
        return volume;
}

struct volume *storage_volume_lookup_path(struct storage *storage, const char *path, GError **error)
{
        g_autofree char *plain = plain_path(path), *quoted = error_quote(path);
        struct volume *volume = collection_find_by(storage->volumes, VOLUME_PATH, plain, NULL);

        if (!volume)
                volume = find_alias(storage, plain);
        if (!volume)
                error_set(error, ERROR_FROM_STORAGE, ERROR_NO_STORAGE_VOL,
                          "no storage vol with matching path '%s'", quoted);
        return volume;
}

bool storage_volume_require_made(const struct volume *volume, GError **error)
{
        if (volume)
                return true;
        return error_set(error, ERROR_FROM_STORAGE, ERROR_NO_STORAGE_VOL,
                         "no storage vol with matching name: it was made, and removed by another at once");
}

static bool check_published_active(const struct storage_pool *pool, GError **error)
{
        if (pool->base.published && pool->base.published->active)
                return true;
        return error_set(error, ERROR_FROM_STORAGE, ERROR_OPERATION_INVALID,
                         "storage pool '%s' is not active", pool->base.name);
}

struct volume *storage_volume_lookup_name(struct storage_pool *pool, const char *name, GError **error)
{
        struct volume *volume;

        if (!check_published_active(pool, error))
                return NULL;
        volume = object_set_find(storage_pool_get_published(pool)->volumes, name);
        if (!volume) {
                g_autofree char *quoted = error_quote(name);

                error_set(error, ERROR_FROM_STORAGE, ERROR_NO_STORAGE_VOL,
                          "no storage vol with matching name '%s'", quoted);
        }
        return volume;
}

struct storage_pool *storage_volume_get_pool(struct storage *storage, const struct volume *volume,
                                             GError **error)
{
        void *pool = NULL;

        if (collection_find_by(storage->volumes, VOLUME_KEY, volume->key, &pool))
                return pool;
        error_set(error, ERROR_FROM_STORAGE, ERROR_NO_STORAGE_VOL,
                  "volume '%s' is in no active storage pool any more", volume->name);
        return NULL;
}

struct object_set *storage_volume_list(struct storage_pool *pool, unsigned flags, GError **error)
{
        struct object_set *volumes;

        if (!flags_check(flags, 0, ERROR_FROM_STORAGE, "ListStorageVolumes", error) ||
            !check_published_active(pool, error))
                return NULL;
        volumes = storage_pool_get_published(pool)->volumes;
        return volumes ? volumes : pool->storage->no_volumes;
}

/* Of a volume that was found, not made, only the header is known: the secret for its path opens it. */
static char *format_found(const struct storage *storage, const struct volume *volume)
{
        const struct secret *secret =
                secret_lookup_usage(storage->secrets, SECRET_USAGE_VOLUME, volume->path, NULL);
        CLEANUP(volume_unref) struct volume *shown = NULL;

        if (!secret)
                return volume_format_xml(volume);
        shown = volume_copy(volume);
        secret_ref_copy(&shown->encryption.secret,
                        &(struct secret_ref){ SECRET_USAGE_VOLUME, (char *)secret->base.uuid_text, NULL });
        return volume_format_xml(shown);
}

char *storage_volume_get_xml(const struct storage *storage, const struct volume *volume, unsigned flags,
                             GError **error)
{
        if (!flags_check(flags, 0, ERROR_FROM_STORAGE, "GetXMLDesc", error))
                return NULL;
        if (storage->secrets && volume->encryption.format && volume->path &&
            !secret_ref_is_given(&volume->encryption.secret))
                return format_found(storage, volume);
        return volume_format_xml(volume);
}
