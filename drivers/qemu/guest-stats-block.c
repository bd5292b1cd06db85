/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What QEMU says of disks, found by the aliases of devices and the names of block nodes. What is not there,
 * or not of its type, is not known. No state.
 */
#include "drivers/qemu/block.h"
#include "drivers/qemu/guest-stats.h"

#include <string.h>

uint64_t guest_stats_get_count(const json_t *object, const char *name)
{
        json_int_t value = json_integer_value(json_object_get(object, name));

        return value > 0 ? (uint64_t)value : 0;
}

/* "/machine/peripheral/virtio-disk0/virtio-backend", or the alias itself. */
static bool is_of_device(const char *path, const char *alias)
{
        static const char prefix[] = "/machine/peripheral/";
        size_t length = strlen(alias);

        if (!path)
                return false;
        if (g_str_has_prefix(path, prefix))
                path += strlen(prefix);
        return strncmp(path, alias, length) == 0 && (path[length] == '\0' || path[length] == '/');
}

static const json_t *find_device(const json_t *list, const char *alias)
{
        for (size_t i = 0; alias && i < json_array_size(list); i++) {
                const json_t *entry = json_array_get(list, i);

                if (is_of_device(json_string_value(json_object_get(entry, "qdev")), alias))
                        return entry;
        }
        return NULL;
}

/* ---- sizes ---- */

/* By name; borrowed from nodes. */
static GHashTable *index_nodes(const json_t *nodes)
{
        GHashTable *table = g_hash_table_new(g_str_hash, g_str_equal);

        for (size_t i = 0; i < json_array_size(nodes); i++) {
                json_t *node = json_array_get(nodes, i);
                const char *name = json_string_value(json_object_get(node, "node-name"));

                if (name)
                        g_hash_table_replace(table, (char *)name, node);
        }
        return table;
}

static void read_sizes(struct domain_image_stats *image, GHashTable *nodes)
{
        const struct block_image names = { .index = image->index };
        char name[BLOCK_NODE_NAME_SIZE];
        const json_t *format, *storage, *described;

        block_format_node_name(&names, name);
        format = g_hash_table_lookup(nodes, name);
        described = json_object_get(format, "image");
        if (!json_is_integer(json_object_get(described, "virtual-size")))
                return;
        image->has_size = true;
        image->capacity = guest_stats_get_count(described, "virtual-size");
        image->allocation = guest_stats_get_count(described, "actual-size");
        block_storage_node_name(&names, name);
        storage = g_hash_table_lookup(nodes, name);
        image->length = guest_stats_get_count(json_object_get(storage, "image"), "virtual-size");
        image->threshold = MAX(guest_stats_get_count(format, "write_threshold"),
                               guest_stats_get_count(storage, "write_threshold"));
}

/* ---- counters ---- */

static void read_counters(struct domain_image_stats *image, const json_t *entry)
{
        static const char *const requests[DOMAIN_IO_KINDS] = { "rd_operations", "wr_operations",
                                                               "flush_operations" };
        static const char *const times[DOMAIN_IO_KINDS] = { "rd_total_time_ns", "wr_total_time_ns",
                                                            "flush_total_time_ns" };
        const json_t *stats = json_object_get(entry, "stats");

        if (!stats)
                return;
        image->has_counters = true;
        for (unsigned i = 0; i < DOMAIN_IO_KINDS; i++) {
                image->requests[i] = guest_stats_get_count(stats, requests[i]);
                image->times_ns[i] = guest_stats_get_count(stats, times[i]);
        }
        image->bytes[DOMAIN_IO_READ] = guest_stats_get_count(stats, "rd_bytes");
        image->bytes[DOMAIN_IO_WRITE] = guest_stats_get_count(stats, "wr_bytes");
}

static void read_highest(struct domain_image_stats *image, const json_t *entry)
{
        const json_t *stats = json_object_get(json_object_get(entry, "parent"), "stats");

        image->highest = guest_stats_get_count(stats, "wr_highest_offset");
}

static const char *get_node(const json_t *entry, const char *below)
{
        return json_string_value(json_object_get(json_object_get(entry, below), "node-name"));
}

/* Limits of a disk, and what copies what it reads, are nodes above the image: the same one is all below them.
 */
static const json_t *skip_filters(const json_t *entry)
{
        const char *node;

        while ((node = get_node(entry, "backing")) && g_strcmp0(node, get_node(entry, "parent")) == 0)
                entry = json_object_get(entry, "backing");
        return entry;
}

static void read_disk(struct domain_answer *answer, const struct domain_disk *disk, const json_t *entry,
                      GHashTable *nodes)
{
        unsigned depth = 0;

        for (const struct domain_storage *source = &disk->source; source; source = source->backing) {
                bool is_file = source->type == DOMAIN_STORAGE_FILE || source->type == DOMAIN_STORAGE_BLOCK ||
                               source->type == DOMAIN_STORAGE_VOLUME;
                struct domain_image_stats *image;

                if (depth > 0 && source->index == 0)
                        break;
                image = domain_answer_add_image(answer, disk->target, is_file ? source->path : NULL);
                image->index = source->index;
                image->depth = depth++;
                if (image->depth == 0)
                        read_counters(image, entry);
                entry = skip_filters(entry);
                read_highest(image, entry);
                if (image->index > 0)
                        read_sizes(image, nodes);
                entry = json_object_get(entry, "backing");
        }
}

void guest_stats_read_images(struct domain_answer *answer, const struct domain_def *def, const json_t *stats,
                             const json_t *nodes)
{
        g_autoptr(GHashTable) index = index_nodes(nodes);

        for (unsigned i = 0; i < def->devices.n_disks; i++) {
                const struct domain_disk *disk = &def->devices.disks[i];

                read_disk(answer, disk, find_device(stats, disk->info.alias), index);
        }
}

void guest_stats_read_errors(struct domain_answer *answer, const struct domain_def *def,
                             const json_t *devices)
{
        for (unsigned i = 0; i < def->devices.n_disks; i++) {
                const struct domain_disk *disk = &def->devices.disks[i];
                const json_t *entry = find_device(devices, disk->info.alias);
                const char *status = json_string_value(json_object_get(entry, "io-status"));
                struct domain_image_stats *image = domain_answer_add_image(answer, disk->target, NULL);

                if (g_strcmp0(status, "nospace") == 0)
                        image->error = DOMAIN_DISK_ERROR_NO_SPACE;
                else if (g_strcmp0(status, "failed") == 0)
                        image->error = DOMAIN_DISK_ERROR_UNSPEC;
        }
}
