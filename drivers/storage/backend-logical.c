/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pools of type logical: an LVM volume group whose logical volumes are the volumes. Sparse volumes come from
 * a thin pool of the group when it has one. Lanes as in backend.h; keeps nothing: LVM's metadata are read
 * each time.
 */
#include "drivers/storage/backend.h"

#include "base/error.h"
#include "base/lane.h"
#include "base/log.h"
#include "drivers/storage/block.h"
#include "drivers/storage/lvm.h"
#include "drivers/storage/tool.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

/* virStorageVolDeleteFlags */

static const char *group_of(const struct backend_context *context)
{
        return context->def->source.name;
}

static bool check_def(const struct pool_def *def, GError **error)
{
        for (unsigned i = 0; i < def->source.n_devices; i++) {
                if (!tool_check_path("source device", def->source.devices[i].path, error))
                        return false;
        }
        return lvm_check_name("volume group name", def->source.name, error) &&
               tool_check_path("target path", def->path, error);
}

/* ---- life ---- */

/* Not a group without a volume: that has no directory. */
static bool check(const struct backend_context *context, bool *active, GError **error)
{
        g_autoptr(GPtrArray) volumes = lvm_read_volumes(context->lane, group_of(context), NULL);

        *active = volumes && volumes->len == 0;
        for (unsigned i = 0; volumes && i < volumes->len && !*active; i++)
                *active = ((const struct lvm_volume *)g_ptr_array_index(volumes, i))->is_active;
        return true;
}

static bool activate(const struct backend_context *context, bool on, GError **error)
{
        const char *const argv[] = { "vgchange", on ? "--activate=ly" : "--activate=ln", "--",
                                     group_of(context), NULL };

        return tool_run(context->lane, argv, error);
}

static bool start(const struct backend_context *context, GError **error)
{
        bool active;

        check(context, &active, NULL);
        if (activate(context, true, error))
                return true;
        /* What was active before stays so. */
        if (!active) {
                lane_shield(context->lane);
                activate(context, false, NULL);
        }
        return false;
}

static bool stop(const struct backend_context *context, GError **error)
{
        return activate(context, false, error);
}

static bool make_device(const struct backend_context *context, const char *device, unsigned flags,
                        GError **error)
{
        const char *const argv[] = { "pvcreate", "--yes", "--force", "--force", "--", device, NULL };

        return block_check_build(device, flags, error) && block_wipe_signatures(device, error) &&
               tool_run(context->lane, argv, error);
}

static bool remove_device(const struct backend_context *context, const char *device, GError **error)
{
        const char *const argv[] = { "pvremove", "--yes", "--", device, NULL };

        return tool_run(context->lane, argv, error);
}

static bool make_group(const struct backend_context *context, GError **error)
{
        const struct pool_source *source = &context->def->source;
        const char *argv[POOL_DEVICES_MAX + 4] = { "vgcreate", "--", group_of(context) };
        unsigned n = 3;

        for (unsigned i = 0; i < source->n_devices; i++)
                argv[n++] = source->devices[i].path;
        return tool_run(context->lane, argv, error);
}

static bool build(const struct backend_context *context, unsigned flags, GError **error)
{
        const struct pool_source *source = &context->def->source;
        unsigned made = 0;

        if (!source->n_devices)
                return error_set(error, ERROR_FROM_STORAGE, ERROR_CONFIG_UNSUPPORTED,
                                 "volume group '%s' cannot be made without source devices",
                                 group_of(context));
        while (made < source->n_devices && make_device(context, source->devices[made].path, flags, error))
                made++;
        if (made == source->n_devices && make_group(context, error))
                return true;
        lane_shield(context->lane);
        while (made > 0)
                remove_device(context, source->devices[--made].path, NULL);
        return false;
}

static bool remove_group(const struct backend_context *context, GError **error)
{
        const struct pool_source *source = &context->def->source;
        const char *const argv[] = { "vgremove", "--yes", "--force", "--", group_of(context), NULL };

        if (!tool_run(context->lane, argv, error))
                return false;
        for (unsigned i = 0; i < source->n_devices; i++) {
                if (!remove_device(context, source->devices[i].path, error))
                        return false;
        }
        return true;
}

/* ---- sources ---- */

static void add_device(const char *device, const char *group, void *data)
{
        GHashTable *groups = data; /* name -> GPtrArray of devices */
        GPtrArray *devices = g_hash_table_lookup(groups, group);

        if (!devices) {
                devices = g_ptr_array_new_with_free_func(g_free);
                g_hash_table_insert(groups, g_strdup(group), devices);
        }
        g_ptr_array_add(devices, g_strdup(device));
}

static char *format_group(const char *group, const GPtrArray *devices)
{
        g_autofree struct pool_device *list = g_new0(struct pool_device, devices->len);
        struct pool_source source = {
                .name = (char *)group,
                .format = (char *)"lvm2",
                .devices = list,
                .n_devices = devices->len,
        };

        for (unsigned i = 0; i < devices->len; i++)
                list[i].path = g_ptr_array_index(devices, i);
        return pool_source_format(&source);
}

static bool find(const struct backend_context *context, bool has_source, GPtrArray *sources, GError **error)
{
        g_autoptr(GHashTable) groups =
                g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_ptr_array_unref);
        g_autoptr(GList) names = NULL;

        if (!lvm_foreach_device(context->lane, add_device, groups, error))
                return false;
        names = g_list_sort(g_hash_table_get_keys(groups), (GCompareFunc)strcmp);
        for (GList *name = names; name; name = name->next)
                g_ptr_array_add(sources, format_group(name->data, g_hash_table_lookup(groups, name->data)));
        return true;
}

/* ---- volumes ---- */

static char *path_of(const struct backend_context *context, const char *name)
{
        return g_build_filename(context->def->path, name, NULL);
}

static void set_extents(struct volume *volume, const struct lvm_volume *from)
{
        volume->n_extents = from->extents->len;
        volume->extents = g_new0(struct volume_extent, volume->n_extents);
        for (unsigned i = 0; i < volume->n_extents; i++) {
                const struct lvm_extent *extent = &g_array_index(from->extents, struct lvm_extent, i);

                volume->extents[i].path = g_strdup(extent->device);
                volume->extents[i].start = extent->start;
                volume->extents[i].end = extent->start + extent->size;
        }
}

static struct volume *describe(const struct backend_context *context, const struct lvm_volume *from)
{
        struct volume *volume = volume_new();
        struct stat status;

        volume->name = g_strdup(from->name);
        volume->key = g_strdup(from->uuid);
        volume->path = path_of(context, from->name);
        volume->type = VOLUME_BLOCK;
        volume->capacity = volume->physical = from->size;
        volume->allocation = from->allocation;
        volume->sparse = from->allocation < from->size;
        set_extents(volume, from);
        if (*from->origin) {
                volume->backing.path = path_of(context, from->origin);
                volume->backing.format = VOLUME_FORMAT_RAW;
        }
        if (stat(volume->path, &status) == 0)
                block_volume_set_status(volume, &status);
        return volume;
}

/* What is a volume to a user, and there: not the pools that thin volumes are in, nor what is inactive. */
static bool is_shown(const struct lvm_volume *volume)
{
        return volume->is_active && !strchr("tTdDeCvi", volume->kind);
}

static bool measure(const struct backend_context *context, struct pool_numbers *numbers, GError **error)
{
        struct lvm_group group;

        if (!lvm_read_group(context->lane, group_of(context), &group, error))
                return false;
        numbers->capacity = group.size;
        numbers->available = group.free;
        numbers->allocation = group.size - MIN(group.free, group.size);
        return true;
}

static bool refresh(const struct backend_context *context, struct pool_scan *scan, GError **error)
{
        g_autoptr(GPtrArray) volumes = lvm_read_volumes(context->lane, group_of(context), error);

        if (!volumes || !measure(context, &scan->numbers, error))
                return false;
        for (unsigned i = 0; i < volumes->len; i++) {
                const struct lvm_volume *volume = g_ptr_array_index(volumes, i);

                if (is_shown(volume))
                        g_ptr_array_add(scan->volumes, describe(context, volume));
        }
        return true;
}

static bool probe(const struct backend_context *context, const char *name, const struct volume *before,
                  struct volume **volume, GError **error)
{
        g_autoptr(GPtrArray) volumes = lvm_read_volumes(context->lane, group_of(context), error);
        const struct lvm_volume *found;

        *volume = NULL;
        if (!volumes)
                return false;
        found = lvm_find(volumes, name);
        if (found && is_shown(found))
                *volume = describe(context, found);
        return true;
}

static uint64_t round_up(uint64_t size, uint64_t extent)
{
        return MAX(size / extent + (size % extent != 0), 1) * extent;
}

static bool prepare(const struct backend_context *context, struct volume *volume, unsigned flags, bool *slow,
                    GError **error)
{
        struct lvm_group group;

        if (!lvm_check_name("volume name", volume->name, error))
                return false;
        if (volume->encryption.format)
                return error_set(error, ERROR_FROM_STORAGE, ERROR_CONFIG_UNSUPPORTED,
                                 "encryption of logical volume '%s'", volume->name);
        if (!lvm_read_group(context->lane, group_of(context), &group, error))
                return false;
        volume->type = VOLUME_BLOCK;
        volume->format = VOLUME_FORMAT_NONE;
        volume->sparse = volume->allocation < volume->capacity;
        volume->capacity = round_up(volume->capacity, group.extent);
        volume->allocation = volume->sparse ? round_up(volume->allocation, group.extent) : volume->capacity;
        volume->path = path_of(context, volume->name);
        volume->key = g_strdup(volume->path); /* until LVM has given it a uuid */
        *slow = false;
        return true;
}

/* The thin pool with the most room; NULL when there is none. Owned. */
static char *find_thin_pool(const struct backend_context *context)
{
        g_autoptr(GPtrArray) volumes = lvm_read_volumes(context->lane, group_of(context), NULL);
        const struct lvm_volume *best = NULL;

        for (unsigned i = 0; volumes && i < volumes->len; i++) {
                const struct lvm_volume *volume = g_ptr_array_index(volumes, i);

                if (volume->kind == 't' && (!best || volume->size > best->size))
                        best = volume;
        }
        return best ? g_strdup(best->name) : NULL;
}

static bool check_origin(const struct backend_context *context, const struct volume *volume, char **origin,
                         GError **error)
{
        g_autofree char *dir = g_path_get_dirname(volume->backing.path);

        *origin = g_path_get_basename(volume->backing.path);
        if (strcmp(dir, context->def->path) != 0)
                return error_set(error, ERROR_FROM_STORAGE, ERROR_CONFIG_UNSUPPORTED,
                                 "backing store '%s' of a logical volume is not in its volume group",
                                 volume->backing.path);
        return lvm_check_name("backing store", *origin, error);
}

/* A snapshot in the thin pool of its origin needs no room of its own, and goes without the origin's. */
static bool is_thin(const struct backend_context *context, const char *origin)
{
        g_autoptr(GPtrArray) volumes = lvm_read_volumes(context->lane, group_of(context), NULL);
        const struct lvm_volume *found = volumes ? lvm_find(volumes, origin) : NULL;

        return found && found->is_thin;
}

static bool run_snapshot(const struct backend_context *context, const struct volume *volume, GError **error)
{
        g_autofree char *name = g_strdup_printf("--name=%s", volume->name), *origin = NULL, *place = NULL;
        g_autofree char *size = g_strdup_printf("--size=%" G_GUINT64_FORMAT "b", volume->allocation);
        const char *argv[] = { "lvcreate", "--yes", name, "--snapshot", size, "--", NULL, NULL };

        if (!check_origin(context, volume, &origin, error))
                return false;
        /* Which LVM would otherwise leave inactive. */
        if (is_thin(context, origin))
                argv[4] = "--setactivationskip=n";
        place = g_strdup_printf("%s/%s", group_of(context), origin);
        argv[6] = place;
        return tool_run(context->lane, argv, error);
}

static bool run_lvcreate(const struct backend_context *context, const struct volume *volume, GError **error)
{
        g_autofree char *name = g_strdup_printf("--name=%s", volume->name), *pool = NULL, *thin = NULL;
        g_autofree char *size = g_strdup_printf("--size=%" G_GUINT64_FORMAT "b", volume->allocation);
        g_autofree char *capacity = g_strdup_printf("--virtualsize=%" G_GUINT64_FORMAT "b", volume->capacity);
        const char *argv[9] = { "lvcreate", "--yes", name };
        unsigned n = 3;

        if (volume->sparse) {
                pool = find_thin_pool(context);
                thin = pool ? g_strdup_printf("--thinpool=%s", pool) : NULL;
                argv[n++] = capacity;
                argv[n++] = thin ? thin : "--type=snapshot";
        }
        if (!thin)
                argv[n++] = size;
        argv[n++] = "--";
        argv[n++] = group_of(context);
        return tool_run(context->lane, argv, error);
}

static bool run_lvremove(const struct backend_context *context, const char *name, GError **error)
{
        g_autofree char *full = g_strdup_printf("%s/%s", group_of(context), name);
        const char *const argv[] = { "lvremove", "--yes", "--force", "--", full, NULL };

        return tool_run(context->lane, argv, error);
}

/* Its uuid, and the permissions that were asked for. */
static bool finish(const struct backend_context *context, struct volume *volume, GError **error)
{
        g_autoptr(GPtrArray) volumes = lvm_read_volumes(context->lane, group_of(context), error);
        const struct lvm_volume *made = volumes ? lvm_find(volumes, volume->name) : NULL;

        if (!volumes)
                return false;
        if (!made)
                return error_set(error, ERROR_FROM_STORAGE, ERROR_OPERATION_FAILED,
                                 "LVM made '%s' and does not report it", volume->name);
        g_free(volume->key);
        volume->key = g_strdup(made->uuid);
        return block_volume_apply_permissions(volume, error);
}

static bool create(const struct backend_context *context, struct volume *volume, unsigned flags,
                   GError **error)
{
        if (!(volume->backing.path ? run_snapshot(context, volume, error)
                                   : run_lvcreate(context, volume, error)))
                return false;
        if (finish(context, volume, error))
                return true;
        lane_shield(context->lane);
        run_lvremove(context, volume->name, NULL);
        return false;
}

static bool create_copy(const struct backend_context *context, struct volume *volume,
                        const struct volume *source, unsigned flags, GError **error)
{
        if (!create(context, volume, flags, error))
                return false;
        if (block_volume_copy(context, volume, source, error))
                return true;
        lane_shield(context->lane);
        run_lvremove(context, volume->name, NULL);
        return false;
}

/* lvremove would take the snapshots with it. */
static bool check_snapshots(const GPtrArray *volumes, const char *name, GError **error)
{
        for (unsigned i = 0; i < volumes->len; i++) {
                const struct lvm_volume *other = g_ptr_array_index(volumes, i);

                if (lvm_is_copy_on_write(other) && strcmp(other->origin, name) == 0)
                        return error_set(error, ERROR_FROM_STORAGE, ERROR_OPERATION_INVALID,
                                         "volume '%s' has a snapshot, '%s'", name, other->name);
        }
        return true;
}

static bool destroy(const struct backend_context *context, const struct volume *volume, unsigned flags,
                    GError **error)
{
        g_autoptr(GPtrArray) volumes = NULL;

        volumes = lvm_read_volumes(context->lane, group_of(context), error);
        if (!volumes)
                return false;
        if (!(flags & VOLUME_DELETE_WITH_SNAPSHOTS) && !check_snapshots(volumes, volume->name, error))
                return false;
        return run_lvremove(context, volume->name, error);
}

/* Of a snapshot lvresize would change the room for what differs, and say that all went well. */
static bool check_resizable(const struct backend_context *context, const struct volume *volume,
                            GError **error)
{
        g_autoptr(GPtrArray) volumes = lvm_read_volumes(context->lane, group_of(context), error);
        const struct lvm_volume *found = volumes ? lvm_find(volumes, volume->name) : NULL;

        if (!volumes)
                return false;
        if (!found || !lvm_is_copy_on_write(found))
                return true;
        return error_set(error, ERROR_FROM_STORAGE, ERROR_CONFIG_UNSUPPORTED,
                         "volume '%s' is a snapshot of LVM: its capacity is the one of its origin",
                         volume->name);
}

static bool resize(const struct backend_context *context, const struct volume *volume, uint64_t capacity,
                   unsigned flags, GError **error)
{
        g_autofree char *full = g_strdup_printf("%s/%s", group_of(context), volume->name), *size = NULL;
        const char *argv[] = { "lvresize", "--yes", "--force", NULL, "--", full, NULL };
        struct lvm_group group;

        if (!check_resizable(context, volume, error) ||
            !lvm_read_group(context->lane, group_of(context), &group, error))
                return false;
        capacity = round_up(capacity, group.extent);
        if (capacity == volume->capacity)
                return true;
        size = g_strdup_printf("--size=%" G_GUINT64_FORMAT "b", capacity);
        argv[3] = size;
        return tool_run(context->lane, argv, error);
}

const struct backend backend_logical = {
        .type = POOL_LOGICAL,
        .flags = { .build = POOL_BUILD_OVERWRITE | POOL_BUILD_NO_OVERWRITE,
                   .destroy = VOLUME_DELETE_WITH_SNAPSHOTS,
                   .resize = VOLUME_RESIZE_ALLOCATE | VOLUME_RESIZE_SHRINK },
        .check_def = check_def,
        .check = check,
        .start = start,
        .stop = stop,
        .remove = remove_group,
        .refresh = refresh,
        .build = build,
        .find = find,
        .prepare = prepare,
        .create = create,
        .clone = create_copy,
        .destroy = destroy,
        .resize = resize,
        .open = block_volume_open,
        .probe = probe,
        .measure = measure,
        .stat = block_volume_stat,
};
