/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Typed parameters. No state but the list's; a list belongs to one thread at a time.
 */
#include "base/params.h"

#include <math.h>
#include <string.h>

struct params {
        GArray *entries;     /* owned, struct param */
        GStringChunk *texts; /* owned; names and texts of the entries */
        char prefix[PARAM_NAME_MAX + 1];
};

struct params *params_new(void)
{
        struct params *params = g_new0(struct params, 1);

        params->entries = g_array_new(FALSE, FALSE, sizeof(struct param));
        params->texts = g_string_chunk_new(512);
        return params;
}

void params_free(struct params *params)
{
        if (!params)
                return;
        g_array_unref(params->entries);
        g_string_chunk_free(params->texts);
        g_free(params);
}

unsigned params_get_count(const struct params *params)
{
        return params->entries->len;
}

const struct param *params_get(const struct params *params, unsigned index)
{
        g_assert(index < params->entries->len);
        return &g_array_index(params->entries, struct param, index);
}

const struct param *params_find(const struct params *params, const char *name)
{
        for (unsigned i = 0; i < params->entries->len; i++) {
                const struct param *param = params_get(params, i);

                if (strcmp(param->name, name) == 0)
                        return param;
        }
        return NULL;
}

/* ---- building ---- */

/* Completes an entry, whose name and text are the caller's, with copies of them. */
static void add(struct params *params, struct param entry)
{
        char name[2 * PARAM_NAME_MAX + 2];

        g_snprintf(name, sizeof(name), "%s%s", params->prefix, entry.name);
        g_assert(strlen(name) <= PARAM_NAME_MAX);
        entry.name = g_string_chunk_insert(params->texts, name);
        if (entry.type == PARAM_STRING)
                entry.value.s = g_string_chunk_insert(params->texts, entry.value.s ? entry.value.s : "");
        g_array_append_val(params->entries, entry);
}

void params_add_int(struct params *params, const char *name, int32_t value)
{
        add(params, (struct param){ name, PARAM_INT, { .i = value } });
}

void params_add_uint(struct params *params, const char *name, uint32_t value)
{
        add(params, (struct param){ name, PARAM_UINT, { .u = value } });
}

void params_add_long(struct params *params, const char *name, int64_t value)
{
        add(params, (struct param){ name, PARAM_LONG, { .x = value } });
}

void params_add_ulong(struct params *params, const char *name, uint64_t value)
{
        add(params, (struct param){ name, PARAM_ULONG, { .t = value } });
}

void params_add_double(struct params *params, const char *name, double value)
{
        add(params, (struct param){ name, PARAM_DOUBLE, { .d = value } });
}

void params_add_bool(struct params *params, const char *name, bool value)
{
        add(params, (struct param){ name, PARAM_BOOL, { .b = value } });
}

void params_add_string(struct params *params, const char *name, const char *value)
{
        add(params, (struct param){ name, PARAM_STRING, { .s = value } });
}

void params_set_prefix(struct params *params, const char *format, ...)
{
        va_list args;
        int length;

        va_start(args, format);
        length = g_vsnprintf(params->prefix, sizeof(params->prefix), format, args);
        va_end(args);
        g_assert(length >= 0 && length <= PARAM_NAME_MAX);
}

static bool is_same(const struct param *a, const struct param *b)
{
        if (a->type != b->type)
                return false;
        switch (a->type) {
        case PARAM_INT:
                return a->value.i == b->value.i;
        case PARAM_UINT:
                return a->value.u == b->value.u;
        case PARAM_LONG:
                return a->value.x == b->value.x;
        case PARAM_ULONG:
        case PARAM_DOUBLE: /* bit by bit: what is no number is as itself */
                return a->value.t == b->value.t;
        case PARAM_BOOL:
                return a->value.b == b->value.b;
        case PARAM_STRING:
                return strcmp(a->value.s, b->value.s) == 0;
        }
        return false;
}

struct params *params_copy_changed(const struct params *params, const struct params *before)
{
        struct params *changed = params_new();

        for (unsigned i = 0; i < params->entries->len; i++) {
                const struct param *param = params_get(params, i), *old = NULL;

                /* Lists of one kind have the same order, as a rule. */
                if (before && i < before->entries->len)
                        old = params_get(before, i);
                if (before && (!old || strcmp(old->name, param->name) != 0))
                        old = params_find(before, param->name);
                if (!old || !is_same(param, old))
                        add(changed, *param);
        }
        return changed;
}

/* ---- tables ---- */

static const struct param_rule *find_rule(const struct param_table *table, const char *name)
{
        for (unsigned i = 0; i < table->n_rules; i++) {
                if (strcmp(table->rules[i].name, name) == 0)
                        return &table->rules[i];
        }
        return NULL;
}

static unsigned flags_of(const struct param_table *table, const struct param *param)
{
        const struct param_rule *rule = find_rule(table, param->name);

        return rule ? rule->flags : 0;
}

void params_drop(struct params *params, const struct param_table *table, unsigned flags)
{
        for (unsigned i = params->entries->len; i-- > 0;) {
                if (flags_of(table, params_get(params, i)) & flags)
                        g_array_remove_index(params->entries, i);
        }
}

unsigned params_get_groups(const struct params *params, const struct param_table *table)
{
        unsigned groups = 0;

        for (unsigned i = 0; i < params->entries->len; i++) {
                const struct param_rule *rule = find_rule(table, params_get(params, i)->name);

                groups |= rule ? rule->group : 0;
        }
        return groups;
}

/* ---- what a caller hands in ---- */

static const char *type_name(enum param_type type)
{
        static const char *const names[] = {
                [PARAM_INT] = "int",       [PARAM_UINT] = "uint",     [PARAM_LONG] = "llong",
                [PARAM_ULONG] = "ullong",  [PARAM_DOUBLE] = "double", [PARAM_BOOL] = "boolean",
                [PARAM_STRING] = "string",
        };

        return type < G_N_ELEMENTS(names) && names[type] ? names[type] : "unknown";
}

G_GNUC_PRINTF(3, 4)
static bool refuse(const struct param_table *table, GError **error, const char *format, ...)
{
        g_autofree char *text = NULL;
        va_list args;

        va_start(args, format);
        text = g_strdup_vprintf(format, args);
        va_end(args);
        return error_set(error, table->from, ERROR_INVALID_ARG, "%s in function %s", text, table->function);
}

static bool check_double(const struct param_table *table, const struct param_rule *rule, double value,
                         GError **error)
{
        if (!isfinite(value))
                return refuse(table, error, "parameter '%s' is not a finite number", rule->name);
        if (!rule->max || (value >= (double)rule->min && value <= (double)rule->max))
                return true;
        return refuse(table, error,
                      "parameter '%s' is %g, not from %" G_GINT64_FORMAT " to %" G_GUINT64_FORMAT, rule->name,
                      value, rule->min, rule->max);
}

static bool check_signed(const struct param_table *table, const struct param_rule *rule, int64_t value,
                         GError **error)
{
        if (!rule->max || (value >= rule->min && (value < 0 || (uint64_t)value <= rule->max)))
                return true;
        return refuse(table, error,
                      "parameter '%s' is %" G_GINT64_FORMAT ", not from %" G_GINT64_FORMAT
                      " to %" G_GUINT64_FORMAT,
                      rule->name, value, rule->min, rule->max);
}

static bool check_unsigned(const struct param_table *table, const struct param_rule *rule, uint64_t value,
                           GError **error)
{
        uint64_t min = rule->min > 0 ? (uint64_t)rule->min : 0;

        if (!rule->max || (value >= min && value <= rule->max))
                return true;
        return refuse(table, error,
                      "parameter '%s' is %" G_GUINT64_FORMAT ", not from %" G_GUINT64_FORMAT
                      " to %" G_GUINT64_FORMAT,
                      rule->name, value, min, rule->max);
}

static bool check_text(const struct param_table *table, const struct param_rule *rule, const char *text,
                       GError **error)
{
        size_t length = strlen(text), max = rule->max ? rule->max : PARAM_TEXT_MAX;

        if (length > max)
                return refuse(table, error, "parameter '%s' has %zu bytes, more than %zu", rule->name, length,
                              max);
        if (!g_utf8_validate(text, (gssize)length, NULL))
                return refuse(table, error, "parameter '%s' is not UTF-8", rule->name);
        return true;
}

static bool check_value(const struct param_table *table, const struct param_rule *rule,
                        const struct param *param, GError **error)
{
        switch (param->type) {
        case PARAM_INT:
                return check_signed(table, rule, param->value.i, error);
        case PARAM_LONG:
                return check_signed(table, rule, param->value.x, error);
        case PARAM_UINT:
                return check_unsigned(table, rule, param->value.u, error);
        case PARAM_ULONG:
                return check_unsigned(table, rule, param->value.t, error);
        case PARAM_DOUBLE:
                return check_double(table, rule, param->value.d, error);
        case PARAM_STRING:
                return check_text(table, rule, param->value.s, error);
        case PARAM_BOOL:
                break;
        }
        return true;
}

static bool check_place(const struct params *params, const struct param_table *table,
                        const struct param_rule *rule, GError **error)
{
        unsigned max = table->max ? table->max : table->n_rules;

        if (rule->flags & PARAM_READ_ONLY)
                return refuse(table, error, "parameter '%s' can only be read", rule->name);
        if (!(rule->flags & PARAM_REPEATED) && params_find(params, rule->name))
                return refuse(table, error, "parameter '%s' is given twice", rule->name);
        if (params->entries->len >= max)
                return refuse(table, error, "parameter '%s' is one too many, there may be %u", rule->name,
                              max);
        return true;
}

bool params_accept(struct params *params, const struct param_table *table, const struct param *param,
                   GError **error)
{
        const struct param_rule *rule = find_rule(table, param->name);

        if (!rule) {
                g_autofree char *quoted = error_quote(param->name);

                return error_set(error, table->from, ERROR_ARGUMENT_UNSUPPORTED,
                                 "parameter '%s' is not supported in function %s", quoted, table->function);
        }
        if (param->type != rule->type)
                return refuse(table, error, "parameter '%s' is of type %s, expected %s", rule->name,
                              type_name(param->type), type_name(rule->type));
        if (!check_place(params, table, rule, error) || !check_value(table, rule, param, error))
                return false;
        add(params, *param);
        return true;
}

bool params_refuse(const struct params *params, const struct param_table *table, unsigned flags,
                   GError **error)
{
        for (unsigned i = 0; i < params->entries->len; i++) {
                const struct param *param = params_get(params, i);
                unsigned found = flags_of(table, param) & flags;

                if (found & PARAM_LIVE_ONLY)
                        return refuse(table, error, "parameter '%s' can only be set of what runs",
                                      param->name);
                if (found)
                        return refuse(table, error, "parameter '%s' cannot be set", param->name);
        }
        return true;
}
