/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * LVM's JSON reports: one row per segment of a logical volume, all values strings. Nothing is kept.
 */
#include "drivers/storage/lvm.h"

#include "base/error.h"
#include "drivers/storage/tool.h"

#include <string.h>

/* LVM's own bound. */
#define NAME_MAX_BYTES 127

bool lvm_check_name(const char *what, const char *name, GError **error)
{
        g_autofree char *quoted = NULL;

        if (!tool_check_word(what, name, "+_.-", error))
                return false;
        if (strlen(name) <= NAME_MAX_BYTES && strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
                return true;
        quoted = error_quote(name);
        return error_set(error, ERROR_FROM_STORAGE, ERROR_XML_ERROR, "%s '%s' is not one that LVM takes",
                         what, quoted);
}

/* The rows of a report: {"report": [{"lv": [...]}]}. Borrowed; NULL with an error. */
static const json_t *get_rows(const json_t *report, GError **error)
{
        json_t *first = json_array_get(json_object_get(report, "report"), 0);
        const json_t *rows = json_object_iter_value(json_object_iter(first));

        if (!json_is_array(rows)) {
                error_set(error, ERROR_FROM_STORAGE, ERROR_PARSE_FAILED, "LVM's report has no rows");
                return NULL;
        }
        return rows;
}

static bool row_error(GError **error)
{
        return error_set(error, ERROR_FROM_STORAGE, ERROR_PARSE_FAILED,
                         "a row of LVM's report makes no sense");
}

bool lvm_read_group(struct lane *lane, const char *group, struct lvm_group *numbers, GError **error)
{
        const char *const argv[] = { "vgs",
                                     "--reportformat=json",
                                     "--units=b",
                                     "--nosuffix",
                                     "--options=vg_size,vg_free,vg_extent_size,lv_count",
                                     "--",
                                     group,
                                     NULL };
        CLEANUP(json_decref) json_t *report = tool_run_json(lane, argv, error);
        const json_t *rows = report ? get_rows(report, error) : NULL, *row;

        if (!rows)
                return false;
        row = json_array_get(rows, 0);
        return (tool_json_uint64(row, "vg_size", &numbers->size) &&
                tool_json_uint64(row, "vg_free", &numbers->free) &&
                tool_json_uint64(row, "vg_extent_size", &numbers->extent) && numbers->extent &&
                tool_json_uint64(row, "lv_count", &numbers->volumes)) ||
               row_error(error);
}

static void extent_clear(void *data)
{
        struct lvm_extent *extent = data;

        g_free(extent->device);
}

static void volume_free(void *data)
{
        struct lvm_volume *volume = data;

        g_free(volume->name);
        g_free(volume->uuid);
        g_free(volume->origin);
        g_array_unref(volume->extents);
        g_free(volume);
}

/* "12.50" of size. */
static uint64_t percent_of(const json_t *row, uint64_t size)
{
        const char *text = tool_json_string(row, "data_percent");
        double percent = text && *text ? g_ascii_strtod(text, NULL) : 100;

        return percent >= 0 && percent <= 100 ? (uint64_t)((double)size * percent / 100) : size;
}

bool lvm_is_copy_on_write(const struct lvm_volume *volume)
{
        return volume->kind == 's' || volume->kind == 'S';
}

static struct lvm_volume *read_volume(const json_t *row)
{
        const char *name = tool_json_string(row, "lv_name"), *uuid = tool_json_string(row, "lv_uuid"),
                   *attributes = tool_json_string(row, "lv_attr"), *origin = tool_json_string(row, "origin");
        struct lvm_volume *volume;
        uint64_t size;

        if (!name || !*name || !uuid || !*uuid || !attributes || strlen(attributes) < 7 ||
            !tool_json_uint64(row, "lv_size", &size))
                return NULL;
        volume = g_new0(struct lvm_volume, 1);
        volume->name = g_strdup(name);
        volume->uuid = g_strdup(uuid);
        /* A name in brackets is LVM's own: a sparse volume is the snapshot of a device of zeros. */
        volume->origin = g_strdup(origin && *origin != '[' ? origin : "");
        volume->kind = attributes[0];
        volume->is_active = attributes[4] == 'a';
        volume->is_thin = attributes[6] == 't' && volume->kind != 't';
        volume->size = volume->allocation = size;
        volume->extents = g_array_new(FALSE, TRUE, sizeof(struct lvm_extent));
        g_array_set_clear_func(volume->extents, extent_clear);
        /* Of a snapshot LVM's size is the room for what differs. */
        if (lvm_is_copy_on_write(volume))
                tool_json_uint64(row, "origin_size", &volume->size);
        else if (volume->is_thin)
                volume->allocation = percent_of(row, size);
        return volume;
}

/* "/dev/sda1(0),/dev/sdb1(12)": devices and their first extents; parts of RAID volumes have no path. */
static void add_extents(struct lvm_volume *volume, const json_t *row, uint64_t extent_size)
{
        const char *devices = tool_json_string(row, "devices");
        g_auto(GStrv) parts = g_strsplit(devices ? devices : "", ",", -1);
        unsigned count = MAX(g_strv_length(parts), 1);
        uint64_t size = 0;

        tool_json_uint64(row, "seg_size", &size);
        for (char **part = parts; *part; part++) {
                char *bracket = strrchr(*part, '(');
                struct lvm_extent extent = { .size = size / count };

                if (**part != '/' || !bracket)
                        continue;
                extent.start = g_ascii_strtoull(bracket + 1, NULL, 10) * extent_size;
                *bracket = '\0';
                extent.device = g_strdup(*part);
                g_array_append_val(volume->extents, extent);
        }
}

static bool add_row(GPtrArray *volumes, const json_t *row)
{
        struct lvm_volume *volume = NULL;
        const char *name = tool_json_string(row, "lv_name");
        uint64_t extent_size;

        if (!name || !tool_json_uint64(row, "vg_extent_size", &extent_size))
                return false;
        /* The rows of a volume follow each other. */
        if (volumes->len)
                volume = g_ptr_array_index(volumes, volumes->len - 1);
        if (!volume || strcmp(volume->name, name) != 0) {
                volume = read_volume(row);
                if (!volume)
                        return false;
                g_ptr_array_add(volumes, volume);
        }
        add_extents(volume, row, extent_size);
        return true;
}

GPtrArray *lvm_read_volumes(struct lane *lane, const char *group, GError **error)
{
        const char *const argv[] = {
                "lvs",
                "--reportformat=json",
                "--units=b",
                "--nosuffix",
                "--options=lv_name,lv_uuid,lv_attr,lv_size,origin,origin_size,data_percent,"
                "vg_extent_size,seg_size,devices",
                "--",
                group,
                NULL
        };
        CLEANUP(json_decref) json_t *report = tool_run_json(lane, argv, error);
        const json_t *rows = report ? get_rows(report, error) : NULL, *row;
        g_autoptr(GPtrArray) volumes = g_ptr_array_new_with_free_func(volume_free);
        size_t i;

        if (!rows)
                return NULL;
        json_array_foreach(rows, i, row)
        {
                if (!add_row(volumes, row)) {
                        row_error(error);
                        return NULL;
                }
        }
        return g_steal_pointer(&volumes);
}

const struct lvm_volume *lvm_find(const GPtrArray *volumes, const char *name)
{
        for (unsigned i = 0; i < volumes->len; i++) {
                const struct lvm_volume *volume = g_ptr_array_index(volumes, i);

                if (strcmp(volume->name, name) == 0)
                        return volume;
        }
        return NULL;
}

bool lvm_foreach_device(struct lane *lane, void (*fn)(const char *device, const char *group, void *data),
                        void *data, GError **error)
{
        const char *const argv[] = { "pvs", "--reportformat=json", "--options=pv_name,vg_name", NULL };
        CLEANUP(json_decref) json_t *report = tool_run_json(lane, argv, error);
        const json_t *rows = report ? get_rows(report, error) : NULL, *row;
        size_t i;

        if (!rows)
                return false;
        json_array_foreach(rows, i, row)
        {
                const char *device = tool_json_string(row, "pv_name"),
                           *group = tool_json_string(row, "vg_name");

                if (device && group && *group)
                        fn(device, group, data);
        }
        return true;
}
