/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Partition tables: reading and finding room. Lanes only; what is returned is the caller's.
 */
#include "drivers/storage/partition-table.h"

#include "base/error.h"
#include "drivers/storage/block.h"
#include "drivers/storage/tool.h"

#include <errno.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

/* Partitions begin at multiples of this, as all tools have it. */
#define ALIGNMENT ((uint64_t)1024 * 1024)

/* Numbers of the primary partitions of a dos table, and of its first logical one. */
#define DOS_PRIMARY_MAX   4
#define DOS_LOGICAL_FIRST 5
/* Entries of a table as it is made today. */
#define GPT_PRIMARY_MAX 128
#define SUN_PRIMARY_MAX 8
#define SGI_PRIMARY_MAX 16

static const char *const kind_names[] = { "primary", "extended", "logical" };

const char *partition_kind_get_name(enum partition_kind kind)
{
        return kind_names[kind];
}

static void partition_clear(void *data)
{
        struct partition *partition = data;

        g_free(partition->node);
        g_free(partition->type);
}

void partition_table_free(struct partition_table *table)
{
        if (!table)
                return;
        g_free(table->device);
        g_free(table->label);
        g_array_unref(table->partitions);
        g_free(table);
}

static bool is_dos(const struct partition_table *table)
{
        return strcmp(table->label, "dos") == 0;
}

static enum partition_kind kind_of(const struct partition_table *table, unsigned number, const char *type)
{
        static const char *const extended[] = { "5", "f", "85", NULL };

        if (!is_dos(table))
                return PARTITION_PRIMARY;
        if (number >= DOS_LOGICAL_FIRST)
                return PARTITION_LOGICAL;
        return g_strv_contains(extended, type) ? PARTITION_EXTENDED : PARTITION_PRIMARY;
}

/* "/dev/sda1", "/dev/loop0p1", "/dev/mapper/mpatha-part1" */
static unsigned number_of(const struct partition_table *table, const char *node)
{
        const char *digits = node + strlen(node);

        if (!g_str_has_prefix(node, table->device))
                return 0;
        node += strlen(table->device);
        while (digits > node && g_ascii_isdigit(digits[-1]))
                digits--;
        return (unsigned)g_ascii_strtoull(digits, NULL, 10);
}

static bool add_partition(struct partition_table *table, const json_t *object)
{
        const char *node = tool_json_string(object, "node"), *type = tool_json_string(object, "type");
        struct partition partition = { 0 };

        if (!node || !type || !tool_json_uint64(object, "start", &partition.start) ||
            !tool_json_uint64(object, "size", &partition.size) || !partition.size ||
            partition.start > table->sectors || partition.size > table->sectors - partition.start)
                return false;
        partition.number = number_of(table, node);
        if (!partition.number)
                return false;
        partition.kind = kind_of(table, partition.number, type);
        partition.node = g_strdup(node);
        partition.type = g_strdup(type);
        g_array_append_val(table->partitions, partition);
        return true;
}

static gint compare_starts(gconstpointer a, gconstpointer b)
{
        const struct partition *left = a, *right = b;

        if (left->start != right->start)
                return left->start < right->start ? -1 : 1;
        /* An extended one stands before what is in it. */
        return left->kind == PARTITION_EXTENDED ? -1 : right->kind == PARTITION_EXTENDED;
}

static bool read_geometry(struct partition_table *table, GError **error)
{
        uint64_t size;
        int sector;
        CLEANUP_FD int fd = block_open(table->device, false, &size, error);

        if (fd < 0)
                return false;
        if (ioctl(fd, BLKSSZGET, &sector) < 0)
                return error_set_errno(error, ERROR_FROM_STORAGE, errno,
                                       "cannot read the sector size of '%s'", table->device);
        if (sector <= 0)
                return error_set(error, ERROR_FROM_STORAGE, ERROR_OPERATION_FAILED, "'%s' has no sectors",
                                 table->device);
        table->sector = (uint64_t)sector;
        table->sectors = size / table->sector;
        return true;
}

static bool read_report(struct partition_table *table, const json_t *report)
{
        const json_t *object = json_object_get(report, "partitiontable"), *entry;
        const char *label = tool_json_string(object, "label");
        size_t i;

        if (!label || !table->sector)
                return false;
        table->label = g_strdup(label);
        table->first = ALIGNMENT / table->sector;
        table->last = table->sectors ? table->sectors - 1 : 0;
        tool_json_uint64(object, "firstlba", &table->first);
        tool_json_uint64(object, "lastlba", &table->last);
        if (table->last >= table->sectors)
                return false;
        json_array_foreach(json_object_get(object, "partitions"), i, entry)
        {
                if (!add_partition(table, entry))
                        return false;
        }
        g_array_sort(table->partitions, compare_starts);
        return true;
}

/* Partitions are named after the device itself, not after a link to it; device-mapper's names are no links to
 * be followed. */
static char *real_device(const char *device)
{
        char real[PATH_MAX];

        return g_strdup(!g_str_has_prefix(device, "/dev/mapper/") && realpath(device, real) ? real : device);
}

struct partition_table *partition_table_read(struct lane *lane, const char *device, GError **error)
{
        CLEANUP(partition_table_free) struct partition_table *table = g_new0(struct partition_table, 1);
        g_autofree char *real = real_device(device);
        const char *const argv[] = { "sfdisk", "--json", "--", real, NULL };
        CLEANUP(json_decref) json_t *report = NULL;

        table->device = g_strdup(real);
        table->partitions = g_array_new(FALSE, TRUE, sizeof(struct partition));
        g_array_set_clear_func(table->partitions, partition_clear);
        if (!read_geometry(table, error))
                return NULL;
        report = tool_run_json(lane, argv, error);
        if (!report)
                return NULL;
        if (!read_report(table, report)) {
                error_set(error, ERROR_FROM_STORAGE, ERROR_PARSE_FAILED,
                          "the report of 'sfdisk' on '%s' makes no sense", device);
                return NULL;
        }
        return g_steal_pointer(&table);
}

const struct partition *partition_table_find(const struct partition_table *table, unsigned number)
{
        for (unsigned i = 0; i < table->partitions->len; i++) {
                const struct partition *partition = &g_array_index(table->partitions, struct partition, i);

                if (partition->number == number)
                        return partition;
        }
        return NULL;
}

const struct partition *partition_table_find_extended(const struct partition_table *table)
{
        for (unsigned i = 0; i < table->partitions->len; i++) {
                const struct partition *partition = &g_array_index(table->partitions, struct partition, i);

                if (partition->kind == PARTITION_EXTENDED)
                        return partition;
        }
        return NULL;
}

char *partition_table_get_node(const struct partition_table *table, unsigned number, int part_separator)
{
        size_t length = strlen(table->device);
        bool digit = length && g_ascii_isdigit(table->device[length - 1]);

        return g_strdup_printf("%s%s%u", table->device, digit || part_separator == 1 ? "p" : "", number);
}

/* ---- free ranges ---- */

typedef void (*range_fn)(uint64_t start, uint64_t end, void *data);

/* Calls fn for each range [start, end] of sectors that is free for partitions of kind. */
static void foreach_free(const struct partition_table *table, enum partition_kind kind, range_fn fn,
                         void *data)
{
        bool logical = kind == PARTITION_LOGICAL;
        const struct partition *extended = partition_table_find_extended(table);
        uint64_t at = logical ? extended->start + 1 : table->first;
        uint64_t end = logical ? extended->start + extended->size - 1 : table->last;

        for (unsigned i = 0; i < table->partitions->len; i++) {
                const struct partition *taken = &g_array_index(table->partitions, struct partition, i);
                /* A logical partition has its own table before it. */
                uint64_t from = logical ? taken->start - 1 : taken->start;

                if (logical != (taken->kind == PARTITION_LOGICAL))
                        continue;
                if (from > at)
                        fn(at, from - 1, data);
                at = MAX(at, taken->start + taken->size + logical);
        }
        if (at <= end)
                fn(at, end, data);
}

static uint64_t align(uint64_t sector, uint64_t grain)
{
        return (sector + grain - 1) / grain * grain;
}

struct search {
        uint64_t grain;
        uint64_t wanted;
        uint64_t start; /* of the best so far */
        uint64_t room;  /* its size; 0: none so far */
};

static void take_smallest(uint64_t start, uint64_t end, void *data)
{
        struct search *search = data;
        uint64_t aligned = align(start, search->grain), room;

        if (aligned > end)
                return;
        room = end - aligned + 1;
        if (room < search->wanted || (search->room && search->room <= room))
                return;
        search->start = aligned;
        search->room = room;
}

static unsigned max_primaries(const struct partition_table *table)
{
        if (is_dos(table))
                return DOS_PRIMARY_MAX;
        if (strcmp(table->label, "sun") == 0)
                return SUN_PRIMARY_MAX;
        return strcmp(table->label, "sgi") == 0 ? SGI_PRIMARY_MAX : GPT_PRIMARY_MAX;
}

static bool choose_number(const struct partition_table *table, enum partition_kind kind, unsigned *number,
                          GError **error)
{
        unsigned n = kind == PARTITION_LOGICAL ? DOS_LOGICAL_FIRST : 1;

        while (partition_table_find(table, n))
                n++;
        *number = n;
        if (kind == PARTITION_LOGICAL || n <= max_primaries(table))
                return true;
        return error_set(error, ERROR_FROM_STORAGE, ERROR_OPERATION_FAILED,
                         "'%s' has %u partitions, and no more fit in its table", table->device, n - 1);
}

bool partition_table_place(const struct partition_table *table, enum partition_kind kind, uint64_t bytes,
                           struct partition *partition, GError **error)
{
        struct search search = {
                .grain = MAX(ALIGNMENT / table->sector, 1),
                .wanted = MAX(bytes / table->sector + (bytes % table->sector != 0), 1),
        };

        if (!choose_number(table, kind, &partition->number, error))
                return false;
        foreach_free(table, kind, take_smallest, &search);
        if (!search.room)
                return error_set(error, ERROR_FROM_STORAGE, ERROR_OPERATION_FAILED,
                                 "no free range of '%s' is large enough for %" G_GUINT64_FORMAT " bytes",
                                 table->device, bytes);
        partition->kind = kind;
        partition->start = search.start;
        partition->size = MIN(align(search.wanted, search.grain), search.room);
        return true;
}

static void add_up(uint64_t start, uint64_t end, void *data)
{
        *(uint64_t *)data += end - start + 1;
}

uint64_t partition_table_get_free(const struct partition_table *table)
{
        uint64_t sectors = 0;

        foreach_free(table, PARTITION_PRIMARY, add_up, &sectors);
        if (partition_table_find_extended(table))
                foreach_free(table, PARTITION_LOGICAL, add_up, &sectors);
        return sectors * table->sector;
}
