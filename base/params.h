/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Typed parameters (virTypedParameter): named values that statistics are told in and tunings are set with.
 * What a caller hands in is checked against a table, entry by entry and before anything of it is copied; what
 * is answered is built up here and packed by each view in its own way: on D-Bus a dictionary, in libvirt's
 * RPC an array. A list belongs to one thread at a time; tables are constant.
 *
 *     static const struct param_rule rules[] = {
 *             { "read_bytes_sec", PARAM_ULONG, .group = READ_BYTES, .max = INT64_MAX },
 *             { "group_name", PARAM_STRING, .max = 64 },
 *     };
 */

#include "base/cleanup.h"
#include "base/error.h"

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* Of a name, in bytes (VIR_TYPED_PARAM_FIELD_LENGTH without its end). */
#define PARAM_NAME_MAX 79
/* Of a text that a caller hands in, in bytes, unless its rule says otherwise. */
#define PARAM_TEXT_MAX 1024

/* virTypedParameterType */
enum param_type {
        PARAM_INT = 1,
        PARAM_UINT = 2,
        PARAM_LONG = 3,  /* 64 bits */
        PARAM_ULONG = 4, /* 64 bits */
        PARAM_DOUBLE = 5,
        PARAM_BOOL = 6,
        PARAM_STRING = 7,
};

struct param {
        const char *name; /* borrowed: of an entry from its list */
        enum param_type type;
        union {
                int32_t i;
                uint32_t u;
                int64_t x;
                uint64_t t;
                double d;
                bool b;
                const char *s; /* borrowed likewise, never NULL */
        } value;
};

enum param_flags {
        PARAM_READ_ONLY = 1 << 0, /* told, never set: params_accept() refuses it */
        PARAM_LIVE_ONLY = 1 << 1, /* of what runs; has no place in a stored definition */
        PARAM_SECURE = 1 << 2,    /* told to those only who may see secrets */
        PARAM_REPEATED = 1 << 3,  /* may be given more than once, and is a list then */
};

struct param_rule {
        const char *name;
        enum param_type type;
        unsigned flags; /* enum param_flags */
        unsigned group; /* bits of the table's own: which of them were given (params_get_groups()) */
        /*
         * A number is from min to max, a text of at most max bytes. max 0: what the type can hold, or
         * PARAM_TEXT_MAX.
         */
        int64_t min;
        uint64_t max;
};

struct param_table {
        enum error_domain from;
        const char *function; /* as clients call it */
        const struct param_rule *rules;
        unsigned n_rules;
        unsigned max; /* entries in all, where some may be repeated; 0: n_rules */
};

struct params;

struct params *params_new(void);
/* NULL is fine. */
void params_free(struct params *params);

unsigned params_get_count(const struct params *params);
/* In the order they were added. */
const struct param *params_get(const struct params *params, unsigned index);
/* The first of that name; NULL: there is none. */
const struct param *params_find(const struct params *params, const char *name);

/* ---- building; names and texts are copied ---- */

void params_add_int(struct params *params, const char *name, int32_t value);
void params_add_uint(struct params *params, const char *name, uint32_t value);
void params_add_long(struct params *params, const char *name, int64_t value);
void params_add_ulong(struct params *params, const char *name, uint64_t value);
void params_add_double(struct params *params, const char *name, double value);
void params_add_bool(struct params *params, const char *name, bool value);
/* NULL is added as "". */
void params_add_string(struct params *params, const char *name, const char *value);

/*
 * The names that are added from now on begin with this ("block.%u."); "" ends it. A name is at most
 * PARAM_NAME_MAX bytes with it.
 */
void params_set_prefix(struct params *params, const char *format, ...) G_GNUC_PRINTF(2, 3);

/*
 * A new list of what is in params, and not the same in before: another value, another type, or not there.
 * before NULL: a copy.
 */
struct params *params_copy_changed(const struct params *params, const struct params *before);

/* Takes away what the table has one of these flags (enum param_flags) for. */
void params_drop(struct params *params, const struct param_table *table, unsigned flags);

/* ---- what a caller hands in ---- */

/*
 * Adds a copy of param, or fails with an error that names it: ERROR_ARGUMENT_UNSUPPORTED for one that the
 * table does not know; ERROR_INVALID_ARG for one that it has of another type, that was there already, is
 * read-only, has a value out of its bounds, or is one too many. param's name and text need not be anything
 * but strings.
 */
bool params_accept(struct params *params, const struct param_table *table, const struct param *param,
                   GError **error);

/* Fails, naming the first, when there is one that the table has one of these flags (enum param_flags) for. */
bool params_refuse(const struct params *params, const struct param_table *table, unsigned flags,
                   GError **error);

/* The bits of the groups that the entries belong to. */
unsigned params_get_groups(const struct params *params, const struct param_table *table);

DEFINE_CLEANUP(struct params, params_free);
