/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Typed parameters of what a domain gets of block devices of the host, with the names of
 * virDomainGetBlkioParameters(): a weight, and values for single devices as "path,value,path,value". No
 * state; edits in the domain's lane.
 */
#include "drivers/domain/parameters.h"

#include <inttypes.h>

#define WEIGHT_MAX 10000
#define LIST_MAX   65536 /* bytes */

static const struct value {
        const char *name;    /* of the parameter */
        const char *element; /* of <device> */
        size_t offset;       /* in struct domain_blkio_device */
        bool wide;           /* 64 bits */
        uint64_t max;
} values[] = {
        { "device_weight", "weight", offsetof(struct domain_blkio_device, weight), false, WEIGHT_MAX },
        { "device_read_iops_sec", "read_iops_sec", offsetof(struct domain_blkio_device, read_iops_sec), true,
          UINT32_MAX },
        { "device_write_iops_sec", "write_iops_sec", offsetof(struct domain_blkio_device, write_iops_sec),
          true, UINT32_MAX },
        { "device_read_bytes_sec", "read_bytes_sec", offsetof(struct domain_blkio_device, read_bytes_sec),
          true, INT64_MAX },
        { "device_write_bytes_sec", "write_bytes_sec", offsetof(struct domain_blkio_device, write_bytes_sec),
          true, INT64_MAX },
};

static const struct param_rule rules[] = {
        { "weight", PARAM_UINT, .max = WEIGHT_MAX },
        { "device_weight", PARAM_STRING, .max = LIST_MAX },
        { "device_read_iops_sec", PARAM_STRING, .max = LIST_MAX },
        { "device_write_iops_sec", PARAM_STRING, .max = LIST_MAX },
        { "device_read_bytes_sec", PARAM_STRING, .max = LIST_MAX },
        { "device_write_bytes_sec", PARAM_STRING, .max = LIST_MAX },
};
static const struct param_table table = { ERROR_FROM_DOMAIN, "SetBlockIOParameters", rules,
                                          G_N_ELEMENTS(rules), 0 };

/* ---- "path,value,path,value" ---- */

typedef void (*entry_fn)(const char *path, uint64_t number, void *data);

static bool parse_list(const struct value *value, const char *text, entry_fn fn, void *data, GError **error)
{
        g_auto(GStrv) words = g_strsplit(text, ",", -1);
        g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
        unsigned n = g_strv_length(words);

        for (unsigned i = 0; i < n; i += 2) {
                guint64 number;

                if (i + 1 == n || !g_path_is_absolute(words[i]) ||
                    !g_ascii_string_to_unsigned(words[i + 1], 10, 0, value->max, &number, NULL))
                        return error_set(error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG,
                                         "parameter '%s' is no list of \"path,number,path,number\" with "
                                         "numbers up to %" PRIu64 ", at '%s'",
                                         value->name, value->max, words[i]);
                if (!g_hash_table_add(seen, words[i]))
                        return error_set(error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG,
                                         "parameter '%s' names '%s' twice", value->name, words[i]);
                if (fn)
                        fn(words[i], number, data);
        }
        return true;
}

static bool check(const struct params *params, GError **error)
{
        for (unsigned i = 0; i < G_N_ELEMENTS(values); i++) {
                const struct param *param = params_find(params, values[i].name);

                if (param && !parse_list(&values[i], param->value.s, NULL, NULL, error))
                        return false;
        }
        return true;
}

/* ---- the definition ---- */

struct target {
        struct domain_edit *edit; /* borrowed */
        const char *element;
};

static void set_entry(const char *path, uint64_t number, void *data)
{
        const struct target *target = data;

        domain_edit_set_blkio_device(target->edit, path, target->element, number);
}

static bool edit_blkio(struct domain_edit *edit, const struct domain_def *def,
                       const struct domain_change *change, enum domain_affect side, GError **error)
{
        const struct params *params = parameters_of(change);
        uint64_t weight = parameters_get(params, "weight", def->blkiotune.weight);
        g_autofree char *text = g_strdup_printf("%" PRIu64, weight);

        domain_edit_set_tuning(edit, "blkiotune", "weight", weight ? text : NULL, NULL);
        for (unsigned i = 0; i < G_N_ELEMENTS(values); i++) {
                const struct param *param = params_find(params, values[i].name);
                struct target target = { edit, values[i].element };

                if (param && !parse_list(&values[i], param->value.s, set_entry, &target, error))
                        return false;
        }
        return true;
}

static uint64_t get_value(const struct domain_blkio_device *device, const struct value *value)
{
        const char *place = (const char *)device + value->offset;

        return value->wide ? *(const uint64_t *)(const void *)place : *(const uint32_t *)(const void *)place;
}

static bool tell_blkio(const struct domain_def *def, const struct domain_tuning *tuning, const char *device,
                       struct params *params, GError **error)
{
        params_add_uint(params, "weight", tuning->weight);
        for (unsigned i = 0; i < G_N_ELEMENTS(values); i++) {
                g_autoptr(GString) list = g_string_new(NULL);

                for (unsigned j = 0; j < def->blkiotune.n_devices; j++) {
                        const struct domain_blkio_device *one = &def->blkiotune.devices[j];
                        uint64_t number = get_value(one, &values[i]);

                        if (number > 0)
                                g_string_append_printf(list, "%s%s,%" PRIu64, list->len ? "," : "", one->path,
                                                       number);
                }
                params_add_string(params, values[i].name, list->str);
        }
        return true;
}

const struct parameters_kind parameters_blkio = {
        .table = &table,
        .row = PARAMETERS_ROW("SetBlockIOParameters", edit_blkio, NULL),
        .get = "GetBlockIOParameters",
        .part = DOMAIN_TUNE_BLOCK,
        .measured = true,
        .check = check,
        .tell = tell_blkio,
};
