/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Values into and out of messages, by signature. Loop thread.
 *
 *     marshal_write(&iter, "(ii)", state, reason);
 *
 * The types and their C arguments:
 *
 *     b       bool
 *     y q     int, to which C promotes them
 *     i u     32 bits
 *     x t     64 bits; a cast where the C type is not of that size
 *     d       double
 *     s o g   const char *
 *     ay      bytes: const void * and size_t
 */

#include "base/params.h"

#include <dbus/dbus.h>
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Appends values: any sequence of basic types, bytes, structs "(...)" and dictionary entries "{..}" of them.
 * Text that is not UTF-8 is repaired, NULL is written as "". A signature that is not of that form is a bug
 * (assertion).
 */
void marshal_write(DBusMessageIter *iter, const char *signature, ...);
void marshal_write_list(DBusMessageIter *iter, const char *signature, va_list *args);

/* Opens an array whose elements have this signature. */
void marshal_open_array(DBusMessageIter *iter, DBusMessageIter *array, const char *element);
/* Opens a dictionary entry whose value is more than marshal_write() knows. */
void marshal_open_entry(DBusMessageIter *iter, DBusMessageIter *entry);
/* Opens a struct with an array in it. */
void marshal_open_struct(DBusMessageIter *iter, DBusMessageIter *entry);
/* Closes any of these. */
void marshal_close(DBusMessageIter *iter, DBusMessageIter *inner);

/*
 * Reads values of basic types and bytes into pointers to the C types above (strings and bytes are borrowed
 * from the message) and moves iter behind them. The message has been checked to have this signature.
 */
void marshal_read(DBusMessageIter *iter, const char *signature, ...);
void marshal_read_list(DBusMessageIter *iter, const char *signature, va_list *args);
/* Reads an array of numbers of one type (au, at ...), borrowed from the message, and moves iter behind it. */
void marshal_read_numbers(DBusMessageIter *iter, const void **numbers, unsigned *count);
/* Moves iter behind an array without looking at its elements; how many there are. */
unsigned marshal_skip_array(DBusMessageIter *iter);
/* Reads an array of strings, borrowed likewise; free the array. */
GPtrArray *marshal_read_strings(DBusMessageIter *iter);

/*
 * The place where a value goes that may turn out not to exist: nothing is appended before
 * marshal_slot_write(), so a dictionary can leave out what failed.
 */
struct marshal_slot {
        DBusMessageIter *iter; /* borrowed */
        const char *key;       /* borrowed; of a dictionary entry around it, NULL: none */
        unsigned variants;     /* how many variants are around it: 0, 1 or 2 */
        const char *signature; /* borrowed; of the value */
};

/*
 * Appends one value of the slot's signature, which is given again to be checked. Returns true, for getters
 * to return.
 */
bool marshal_slot_write(struct marshal_slot *slot, const char *signature, ...);

/* The same of an array of strings, NULL-terminated. */
bool marshal_slot_write_strings(struct marshal_slot *slot, const char *const strings[]);

/* ---- typed parameters ---- */

/*
 * Reads a dictionary a{sv} of what a caller sets into params, entry by entry through params_accept(), and
 * moves iter behind it. The types of values are i u x t d b s; as gives one name several texts.
 */
bool marshal_read_params(DBusMessageIter *iter, const struct param_table *table, struct params *params,
                         GError **error);
/* Appends a dictionary a{sv} whose values stand in two variants, as they do in all replies and signals. */
void marshal_write_params(DBusMessageIter *iter, const struct params *params);
/* Appends a dictionary a{st} of params that are all PARAM_ULONG. */
void marshal_write_counters(DBusMessageIter *iter, const struct params *params);

/*
 * How many bytes the arguments of message hold, roughly and without looking at more than limit of them: for
 * quotas. A result of limit or more means "at least that".
 */
size_t marshal_estimate(DBusMessage *message, size_t limit);
