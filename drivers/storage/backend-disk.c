/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pools of type disk: a disk whose partitions are the volumes. Lanes as in backend.h; keeps nothing: the
 * disk's table is read each time, as others may change it.
 */
#include "drivers/storage/backend.h"

#include "base/error.h"
#include "base/lane.h"
#include "base/log.h"
#include "base/spawn.h"
#include "drivers/storage/block.h"
#include "drivers/storage/partition-table.h"
#include "drivers/storage/tool.h"

#include <string.h>

/* Pool formats and what sfdisk calls them. */
static const struct {
        const char *format;
        const char *label;
} labels[] = { { "dos", "dos" }, { "gpt", "gpt" }, { "sun", "sun" }, { "dvh", "sgi" } };

/* Volume formats and their partition types; the first one of a type is the one that is shown. */
static const struct {
        const char *format;
        const char *dos;
        const char *gpt;
} types[] = {
        { "linux", "83", "0FC63DAF-8483-4772-8E79-3D69D8477DE4" },
        { "fat16", "6", "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7" },
        { "fat32", "c", "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7" },
        { "linux-swap", "82", "0657FD6D-A4AB-43C4-84E5-0933C84B4F4F" },
        { "linux-lvm", "8e", "E6D6D379-F507-44C2-A23C-238F2A3DF928" },
        { "linux-raid", "fd", "A19D880F-05FC-4D3B-A006-743F0F84911E" },
        { "extended", "f", NULL },
        { "extended", "5", NULL },
        { "none", "83", "0FC63DAF-8483-4772-8E79-3D69D8477DE4" },
};

static const char *device_of(const struct backend_context *context)
{
        return context->def->source.devices[0].path;
}

static const char *label_of(const char *format)
{
        for (unsigned i = 0; i < G_N_ELEMENTS(labels); i++) {
                if (g_strcmp0(labels[i].format, format) == 0)
                        return labels[i].label;
        }
        return NULL;
}

static bool is_any(const char *format)
{
        return !format || strcmp(format, "unknown") == 0;
}

static bool check_def(const struct pool_def *def, GError **error)
{
        if (def->source.n_devices != 1)
                return error_set(error, ERROR_FROM_STORAGE, ERROR_XML_ERROR,
                                 "a pool of type 'disk' has one source device, not %u",
                                 def->source.n_devices);
        return tool_check_path("source device", def->source.devices[0].path, error) &&
               tool_check_names_path("target path", def->path, error);
}

/* ---- life ---- */

/* The table, which must be of the pool's format. */
static struct partition_table *read_table(const struct backend_context *context, GError **error)
{
        CLEANUP(partition_table_free)
        struct partition_table *table = partition_table_read(context->lane, device_of(context), error);
        const char *format = context->def->source.format;

        if (!table)
                return NULL;
        if (!is_any(format) && g_strcmp0(table->label, label_of(format)) != 0) {
                error_set(error, ERROR_FROM_STORAGE, ERROR_OPERATION_FAILED,
                          "'%s' has a partition table of format '%s', not the pool's '%s'",
                          device_of(context), table->label, format);
                return NULL;
        }
        return g_steal_pointer(&table);
}

static bool check(const struct backend_context *context, bool *active, GError **error)
{
        CLEANUP(partition_table_free) struct partition_table *table = read_table(context, NULL);

        *active = table != NULL;
        return true;
}

static bool start(const struct backend_context *context, GError **error)
{
        CLEANUP(partition_table_free) struct partition_table *table = read_table(context, error);

        return table && partition_table_tell_kernel(context->lane, table, error);
}

/* Runs sfdisk with a script; the kernel is told by us. */
static bool run_sfdisk(const struct backend_context *context, const char *option, const char *value,
                       const char *script, GError **error)
{
        const char *argv[] = { "sfdisk",
                               "--quiet",
                               "--no-reread",
                               "--no-tell-kernel",
                               "--wipe=always",
                               "--wipe-partitions=always",
                               NULL,
                               NULL,
                               NULL,
                               NULL };
        unsigned n = 6;

        if (option)
                argv[n++] = option;
        argv[n++] = device_of(context);
        if (value)
                argv[n++] = value;
        return tool_run_input(context->lane, argv, script, TOOL_TIMEOUT_MS, error);
}

static bool build(const struct backend_context *context, unsigned flags, GError **error)
{
        const char *format = context->def->source.format;
        const char *label = is_any(format) ? "dos" : label_of(format);
        CLEANUP(partition_table_free) struct partition_table *table = NULL;
        g_autofree char *script = NULL;

        if (!label)
                return error_set(error, ERROR_FROM_STORAGE, ERROR_CONFIG_UNSUPPORTED,
                                 "cannot make a partition table of format '%s'", format);
        if (!block_check_build(device_of(context), flags, error))
                return false;
        script = g_strdup_printf("label: %s\n", label);
        if (!run_sfdisk(context, NULL, NULL, script, error))
                return false;
        table = partition_table_read(context->lane, device_of(context), error);
        return table && partition_table_tell_kernel(context->lane, table, error);
}

/* ---- volumes ---- */

static const char *format_of(const struct partition_table *table, const char *type)
{
        bool dos = strcmp(table->label, "dos") == 0;

        for (unsigned i = 0; i < G_N_ELEMENTS(types); i++) {
                const char *known = dos ? types[i].dos : types[i].gpt;

                if (known && g_ascii_strcasecmp(known, type) == 0)
                        return types[i].format;
        }
        return "none";
}

/* The table's name of a volume's format; NULL: the table's own choice. False: the table has none for it. */
static bool type_of(const struct partition_table *table, const char *format, const char **type)
{
        bool dos = strcmp(table->label, "dos") == 0;

        *type = NULL;
        if (!dos && strcmp(table->label, "gpt") != 0)
                return strcmp(format, "extended") != 0;
        for (unsigned i = 0; i < G_N_ELEMENTS(types); i++) {
                if (strcmp(types[i].format, format) != 0)
                        continue;
                *type = dos ? types[i].dos : types[i].gpt;
                return *type != NULL;
        }
        return false;
}

static void describe(const struct backend_context *context, const struct partition_table *table,
                     const struct partition *partition, struct volume *volume)
{
        volume->type = VOLUME_BLOCK;
        volume->format = VOLUME_FORMAT_NONE;
        volume->capacity = volume->allocation = partition->size * table->sector;
        g_free(volume->part_type);
        volume->part_type = g_strdup(partition_kind_get_name(partition->kind));
        volume->extents = g_new0(struct volume_extent, 1);
        volume->n_extents = 1;
        volume->extents[0].path = g_strdup(table->device);
        volume->extents[0].start = partition->start * table->sector;
        volume->extents[0].end = (partition->start + partition->size) * table->sector;
}

static struct volume *read_volume(const struct backend_context *context, GHashTable *names,
                                  const struct partition_table *table, const struct partition *partition,
                                  GError **error)
{
        g_autofree char *name = g_path_get_basename(partition->node);
        g_autofree char *path = block_get_name(names, partition->node);
        struct volume *volume = block_volume_new(name, path ? path : partition->node, error);

        if (!volume)
                return NULL;
        describe(context, table, partition, volume);
        volume->physical = volume->capacity;
        volume->format_name = g_strdup(format_of(table, partition->type));
        volume->key = g_strdup(volume->path);
        return volume;
}

static void measure_table(const struct partition_table *table, struct pool_numbers *numbers)
{
        numbers->capacity = table->sectors * table->sector;
        numbers->available = partition_table_get_free(table);
        numbers->allocation = numbers->capacity - numbers->available;
}

static bool refresh(const struct backend_context *context, struct pool_scan *scan, GError **error)
{
        CLEANUP(partition_table_free) struct partition_table *table = read_table(context, error);
        g_autoptr(GHashTable) names = block_read_names(context->def->path);

        if (!table)
                return false;
        for (unsigned i = 0; i < table->partitions->len; i++) {
                const struct partition *partition = &g_array_index(table->partitions, struct partition, i);
                g_autoptr(GError) problem = NULL;
                struct volume *volume = read_volume(context, names, table, partition, &problem);

                if (volume)
                        g_ptr_array_add(scan->volumes, volume);
                else
                        log_gerror(LOG_LEVEL_WARNING, problem, "partition '%s' is left out", partition->node);
        }
        measure_table(table, &scan->numbers);
        return true;
}

/* Primary as long as there is a number for one, then logical. */
static bool choose_kind(const struct partition_table *table, const char *format, enum partition_kind *kind,
                        GError **error)
{
        const struct partition *extended = partition_table_find_extended(table);
        unsigned primaries = 0;

        *kind = PARTITION_PRIMARY;
        if (strcmp(table->label, "dos") != 0)
                return true;
        if (strcmp(format, "extended") == 0) {
                *kind = PARTITION_EXTENDED;
                return !extended || error_set(error, ERROR_FROM_STORAGE, ERROR_OPERATION_FAILED,
                                              "'%s' has an extended partition already", table->device);
        }
        for (unsigned number = 1; number <= 4; number++)
                primaries += partition_table_find(table, number) != NULL;
        if (primaries == 4 && extended)
                *kind = PARTITION_LOGICAL;
        return true;
}

static bool place(const struct backend_context *context, const struct partition_table *table,
                  const struct volume *volume, struct partition *partition, GError **error)
{
        const char *format = volume->format_name ? volume->format_name : "none";
        g_autofree char *node = NULL, *name = NULL, *quoted = NULL;
        enum partition_kind kind;
        const char *type;

        if (!type_of(table, format, &type))
                return error_set(error, ERROR_FROM_STORAGE, ERROR_CONFIG_UNSUPPORTED,
                                 "a partition table of format '%s' has no partitions of type '%s'",
                                 table->label, format);
        if (!choose_kind(table, format, &kind, error) ||
            !partition_table_place(table, kind, volume->capacity, partition, error))
                return false;
        partition->type = g_strdup(type);
        node = partition_table_get_node(table, partition->number,
                                        context->def->source.devices[0].part_separator);
        name = g_path_get_basename(node);
        /* The kernel names partitions: only the name that the next one will have can be asked for. */
        quoted = error_quote(volume->name);
        if (strcmp(volume->name, name) != 0)
                return error_set(error, ERROR_FROM_STORAGE, ERROR_INVALID_ARG,
                                 "invalid partition name '%s', expected '%s'", quoted, name);
        partition->node = g_steal_pointer(&node);
        return true;
}

static void partition_clear(struct partition *partition)
{
        g_free(partition->node);
        g_free(partition->type);
}

#define PARTITION __attribute__((cleanup(partition_clear))) struct partition

static bool prepare(const struct backend_context *context, struct volume *volume, unsigned flags, bool *slow,
                    GError **error)
{
        CLEANUP(partition_table_free) struct partition_table *table = read_table(context, error);
        PARTITION partition = { 0 };

        if (!table || !place(context, table, volume, &partition, error))
                return false;
        describe(context, table, &partition, volume);
        volume->path = g_strdup(partition.node);
        volume->key = g_strdup(partition.node);
        return true;
}

/* Takes the entry away again; the kernel is told. */
static bool delete_entry(const struct backend_context *context, unsigned number, GError **error)
{
        g_autofree char *text = g_strdup_printf("%u", number);
        CLEANUP(partition_table_free) struct partition_table *table = NULL;
        bool deleted = run_sfdisk(context, "--delete", text, NULL, error);

        table = partition_table_read(context->lane, device_of(context), deleted ? error : NULL);
        if (!table || !partition_table_tell_kernel(context->lane, table, deleted ? error : NULL))
                return false;
        return deleted;
}

static bool write_entry(const struct backend_context *context, const struct partition *partition,
                        GError **error)
{
        g_autoptr(GString) script = g_string_new(NULL);
        g_autofree char *option = g_strdup_printf("--partno=%u", partition->number);

        g_string_printf(script, "start=%" G_GUINT64_FORMAT ", size=%" G_GUINT64_FORMAT, partition->start,
                        partition->size);
        if (partition->type)
                g_string_append_printf(script, ", type=%s", partition->type);
        g_string_append_c(script, '\n');
        return run_sfdisk(context, option, NULL, script->str, error);
}

/* Makes the partition known: to the kernel, and by the name that the pool uses. */
static bool announce(const struct backend_context *context, struct volume *volume,
                     const struct partition *partition, GError **error)
{
        CLEANUP(partition_table_free) struct partition_table *table = read_table(context, error);
        char *name;

        if (!table || !partition_table_tell_kernel(context->lane, table, error))
                return false;
        /* Names in /dev/disk come a moment after their device. */
        if (strcmp(context->def->path, "/dev") != 0)
                tool_settle(context->lane);
        name = block_find_name(context->def->path, partition->node);
        if (!name)
                return true;
        g_free(volume->path);
        g_free(volume->key);
        volume->path = name;
        volume->key = g_strdup(name);
        return true;
}

static bool create(const struct backend_context *context, struct volume *volume, unsigned flags,
                   GError **error)
{
        CLEANUP(partition_table_free) struct partition_table *table = read_table(context, error);
        PARTITION partition = { 0 };

        /* Placed again, as somebody else may have changed the table since. */
        if (!table || !place(context, table, volume, &partition, error) ||
            !write_entry(context, &partition, error))
                return false;
        if (announce(context, volume, &partition, error))
                return true;
        lane_shield(context->lane);
        delete_entry(context, partition.number, NULL);
        return false;
}

/* Deleting a logical partition renumbers those behind it, so none of them may be in use. */
static bool forget(struct lane *lane, const struct partition_table *table, const struct partition *partition,
                   GError **error)
{
        if (!partition_table_forget(lane, table, partition->number, error))
                return false;
        for (unsigned number = partition->number + 1;
             partition->kind == PARTITION_LOGICAL && partition_table_find(table, number); number++) {
                if (!partition_table_forget(lane, table, number, error))
                        return false;
        }
        return true;
}

static const struct partition *find_volume(const struct partition_table *table, const struct volume *volume,
                                           GError **error)
{
        for (unsigned i = 0; i < table->partitions->len; i++) {
                const struct partition *partition = &g_array_index(table->partitions, struct partition, i);
                g_autofree char *name = g_path_get_basename(partition->node);

                if (strcmp(name, volume->name) == 0)
                        return partition;
        }
        error_set(error, ERROR_FROM_STORAGE, ERROR_NO_STORAGE_VOL, "'%s' has no partition '%s' any more",
                  table->device, volume->name);
        return NULL;
}

static bool has_logical(const struct partition_table *table)
{
        return partition_table_find(table, 5) != NULL;
}

static bool destroy(const struct backend_context *context, const struct volume *volume, unsigned flags,
                    GError **error)
{
        CLEANUP(partition_table_free) struct partition_table *table = read_table(context, error);
        const struct partition *partition = table ? find_volume(table, volume, error) : NULL;

        if (!partition)
                return false;
        if (partition->kind == PARTITION_EXTENDED && has_logical(table))
                return error_set(error, ERROR_FROM_STORAGE, ERROR_OPERATION_INVALID,
                                 "extended partition '%s' has logical partitions in it", volume->name);
        if (forget(context->lane, table, partition, error))
                return delete_entry(context, partition->number, error);
        partition_table_tell_kernel(context->lane, table, NULL);
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
        destroy(context, volume, 0, NULL);
        return false;
}

const struct backend backend_disk = {
        .type = POOL_DISK,
        .flags = { .build = POOL_BUILD_OVERWRITE | POOL_BUILD_NO_OVERWRITE },
        .check_def = check_def,
        .check = check,
        .start = start,
        .refresh = refresh,
        .build = build,
        .prepare = prepare,
        .create = create,
        .clone = create_copy,
        .destroy = destroy,
        .open = block_volume_open,
};
