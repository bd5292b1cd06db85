/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Values into and out of messages. No state; loop thread.
 *
 * libdbus fails to append only when memory is out, and there GLib ends the process anyway: need() makes it
 * the same.
 */
#include "bus/marshal.h"

#include <string.h>

static void need(dbus_bool_t done)
{
        if (G_UNLIKELY(!done))
                g_error("out of memory while writing a message");
}

/*
 * libdbus ends the process when it is given text that is not UTF-8: what comes from a host or a guest
 * might not be.
 */
static void write_string(DBusMessageIter *iter, const char *text)
{
        g_autofree char *repaired = NULL;

        if (!text)
                text = "";
        else if (!g_utf8_validate(text, -1, NULL))
                text = repaired = g_utf8_make_valid(text, -1);
        need(dbus_message_iter_append_basic(iter, DBUS_TYPE_STRING, &text));
}

static void write_basic(DBusMessageIter *iter, char type, va_list *args)
{
        DBusBasicValue value;

        switch (type) {
        case DBUS_TYPE_BOOLEAN:
                value.bool_val = va_arg(*args, int) != 0;
                break;
        case DBUS_TYPE_BYTE:
                value.byt = (unsigned char)va_arg(*args, int);
                break;
        case DBUS_TYPE_UINT16:
                value.u16 = (dbus_uint16_t)va_arg(*args, int);
                break;
        case DBUS_TYPE_INT32:
                value.i32 = va_arg(*args, dbus_int32_t);
                break;
        case DBUS_TYPE_UINT32:
                value.u32 = va_arg(*args, dbus_uint32_t);
                break;
        case DBUS_TYPE_INT64:
                value.i64 = va_arg(*args, dbus_int64_t);
                break;
        case DBUS_TYPE_UINT64:
                value.u64 = va_arg(*args, dbus_uint64_t);
                break;
        case DBUS_TYPE_DOUBLE:
                value.dbl = va_arg(*args, double);
                break;
        case DBUS_TYPE_STRING:
                write_string(iter, va_arg(*args, const char *));
                return;
        case DBUS_TYPE_OBJECT_PATH:
        case DBUS_TYPE_SIGNATURE:
                value.str = va_arg(*args, char *);
                break;
        default:
                g_error("marshal: unknown type '%c'", type);
        }
        need(dbus_message_iter_append_basic(iter, type, &value));
}

void marshal_open_array(DBusMessageIter *iter, DBusMessageIter *array, const char *element)
{
        need(dbus_message_iter_open_container(iter, DBUS_TYPE_ARRAY, element, array));
}

void marshal_open_entry(DBusMessageIter *iter, DBusMessageIter *entry)
{
        need(dbus_message_iter_open_container(iter, DBUS_TYPE_DICT_ENTRY, NULL, entry));
}

void marshal_open_struct(DBusMessageIter *iter, DBusMessageIter *entry)
{
        need(dbus_message_iter_open_container(iter, DBUS_TYPE_STRUCT, NULL, entry));
}

void marshal_close(DBusMessageIter *iter, DBusMessageIter *inner)
{
        need(dbus_message_iter_close_container(iter, inner));
}

static void write_bytes(DBusMessageIter *iter, va_list *args)
{
        const void *bytes = va_arg(*args, const void *);
        size_t length = va_arg(*args, size_t);
        DBusMessageIter array;

        g_assert(length <= DBUS_MAXIMUM_ARRAY_LENGTH);
        marshal_open_array(iter, &array, DBUS_TYPE_BYTE_AS_STRING);
        if (length)
                need(dbus_message_iter_append_fixed_array(&array, DBUS_TYPE_BYTE, &bytes, (int)length));
        marshal_close(iter, &array);
}

/* Writes the values from *signature up to `end` ('\0' or a closing bracket) and leaves *signature on it. */
static void write_values(DBusMessageIter *iter, const char **signature, char end, va_list *args)
{
        for (; **signature != end; (*signature)++) {
                DBusMessageIter inner;

                if (**signature == '(' || **signature == '{') {
                        bool entry = **signature == '{';

                        (*signature)++;
                        need(dbus_message_iter_open_container(
                                iter, entry ? DBUS_TYPE_DICT_ENTRY : DBUS_TYPE_STRUCT, NULL, &inner));
                        write_values(&inner, signature, entry ? '}' : ')', args);
                        need(dbus_message_iter_close_container(iter, &inner));
                } else if (**signature == DBUS_TYPE_ARRAY) {
                        (*signature)++;
                        g_assert(**signature == DBUS_TYPE_BYTE);
                        write_bytes(iter, args);
                } else {
                        write_basic(iter, **signature, args);
                }
        }
}

void marshal_write_list(DBusMessageIter *iter, const char *signature, va_list *args)
{
        write_values(iter, &signature, '\0', args);
}

void marshal_write(DBusMessageIter *iter, const char *signature, ...)
{
        va_list args;

        va_start(args, signature);
        marshal_write_list(iter, signature, &args);
        va_end(args);
}

static void read_basic(DBusMessageIter *iter, char type, va_list *args)
{
        DBusBasicValue value;

        dbus_message_iter_get_basic(iter, &value);
        switch (type) {
        case DBUS_TYPE_BOOLEAN:
                *va_arg(*args, bool *) = value.bool_val;
                break;
        case DBUS_TYPE_BYTE:
                *va_arg(*args, uint8_t *) = value.byt;
                break;
        case DBUS_TYPE_UINT16:
                *va_arg(*args, uint16_t *) = value.u16;
                break;
        case DBUS_TYPE_INT32:
                *va_arg(*args, int32_t *) = value.i32;
                break;
        case DBUS_TYPE_UINT32:
                *va_arg(*args, uint32_t *) = value.u32;
                break;
        case DBUS_TYPE_INT64:
                *va_arg(*args, int64_t *) = value.i64;
                break;
        case DBUS_TYPE_UINT64:
                *va_arg(*args, uint64_t *) = value.u64;
                break;
        case DBUS_TYPE_DOUBLE:
                *va_arg(*args, double *) = value.dbl;
                break;
        case DBUS_TYPE_STRING:
        case DBUS_TYPE_OBJECT_PATH:
        case DBUS_TYPE_SIGNATURE:
                *va_arg(*args, const char **) = value.str;
                break;
        default:
                g_error("marshal: unknown type '%c'", type);
        }
}

static void read_bytes(DBusMessageIter *iter, va_list *args)
{
        const void **bytes = va_arg(*args, const void **);
        size_t *length = va_arg(*args, size_t *);
        DBusMessageIter array;
        int count;

        dbus_message_iter_recurse(iter, &array);
        dbus_message_iter_get_fixed_array(&array, bytes, &count);
        *length = (size_t)count;
}

void marshal_read_list(DBusMessageIter *iter, const char *signature, va_list *args)
{
        for (; *signature; signature++) {
                g_assert(dbus_message_iter_get_arg_type(iter) == *signature);
                if (*signature == DBUS_TYPE_ARRAY) {
                        signature++;
                        g_assert(*signature == DBUS_TYPE_BYTE);
                        read_bytes(iter, args);
                } else {
                        read_basic(iter, *signature, args);
                }
                dbus_message_iter_next(iter);
        }
}

void marshal_read(DBusMessageIter *iter, const char *signature, ...)
{
        va_list args;

        va_start(args, signature);
        marshal_read_list(iter, signature, &args);
        va_end(args);
}

void marshal_read_numbers(DBusMessageIter *iter, const void **numbers, unsigned *count)
{
        DBusMessageIter array;
        int elements;

        g_assert(dbus_message_iter_get_arg_type(iter) == DBUS_TYPE_ARRAY &&
                 dbus_type_is_fixed(dbus_message_iter_get_element_type(iter)));
        dbus_message_iter_recurse(iter, &array);
        dbus_message_iter_get_fixed_array(&array, numbers, &elements);
        *count = (unsigned)elements;
        dbus_message_iter_next(iter);
}

unsigned marshal_skip_array(DBusMessageIter *iter)
{
        int count = dbus_message_iter_get_element_count(iter);

        dbus_message_iter_next(iter);
        return count > 0 ? (unsigned)count : 0;
}

GPtrArray *marshal_read_strings(DBusMessageIter *iter)
{
        GPtrArray *strings = g_ptr_array_new();
        DBusMessageIter array;

        g_assert(dbus_message_iter_get_arg_type(iter) == DBUS_TYPE_ARRAY);
        dbus_message_iter_recurse(iter, &array);
        while (dbus_message_iter_get_arg_type(&array) != DBUS_TYPE_INVALID) {
                const char *string;

                dbus_message_iter_get_basic(&array, &string);
                g_ptr_array_add(strings, (gpointer)string);
                dbus_message_iter_next(&array);
        }
        dbus_message_iter_next(iter);
        return strings;
}

/* What stands around the value of a slot. */
struct opened {
        DBusMessageIter entry, variants[2];
};

/* Where the value goes. */
static DBusMessageIter *open_slot(const struct marshal_slot *slot, struct opened *opened)
{
        DBusMessageIter *at = slot->iter;

        g_assert(slot->variants <= G_N_ELEMENTS(opened->variants));
        if (slot->key) {
                need(dbus_message_iter_open_container(at, DBUS_TYPE_DICT_ENTRY, NULL, &opened->entry));
                need(dbus_message_iter_append_basic(&opened->entry, DBUS_TYPE_STRING, &slot->key));
                at = &opened->entry;
        }
        for (unsigned i = 0; i < slot->variants; i++) {
                const char *inside = i + 1 < slot->variants ? DBUS_TYPE_VARIANT_AS_STRING : slot->signature;

                need(dbus_message_iter_open_container(at, DBUS_TYPE_VARIANT, inside, &opened->variants[i]));
                at = &opened->variants[i];
        }
        return at;
}

static void close_slot(const struct marshal_slot *slot, struct opened *opened)
{
        for (unsigned i = slot->variants; i-- > 0;)
                need(dbus_message_iter_close_container(i > 0       ? &opened->variants[i - 1]
                                                       : slot->key ? &opened->entry
                                                                   : slot->iter,
                                                       &opened->variants[i]));
        if (slot->key)
                need(dbus_message_iter_close_container(slot->iter, &opened->entry));
}

bool marshal_slot_write(struct marshal_slot *slot, const char *signature, ...)
{
        struct opened opened;
        DBusMessageIter *at;
        va_list args;

        g_assert(g_str_equal(signature, slot->signature));
        at = open_slot(slot, &opened);
        va_start(args, signature);
        marshal_write_list(at, signature, &args);
        va_end(args);
        close_slot(slot, &opened);
        return true;
}

bool marshal_slot_write_strings(struct marshal_slot *slot, const char *const strings[])
{
        struct opened opened;
        DBusMessageIter *at, array;

        g_assert(g_str_equal("as", slot->signature));
        at = open_slot(slot, &opened);
        marshal_open_array(at, &array, "s");
        for (unsigned i = 0; strings[i]; i++)
                marshal_write(&array, "s", strings[i]);
        marshal_close(at, &array);
        close_slot(slot, &opened);
        return true;
}

static size_t estimate(DBusMessageIter *iter, size_t limit)
{
        size_t size = 0;
        int type;

        for (; size < limit && (type = dbus_message_iter_get_arg_type(iter)) != DBUS_TYPE_INVALID;
             dbus_message_iter_next(iter)) {
                DBusMessageIter inner;
                DBusBasicValue value;

                size += sizeof(uint64_t);
                if (type == DBUS_TYPE_STRING || type == DBUS_TYPE_OBJECT_PATH) {
                        dbus_message_iter_get_basic(iter, &value);
                        size += strlen(value.str);
                } else if (dbus_type_is_container(type)) {
                        dbus_message_iter_recurse(iter, &inner);
                        size += estimate(&inner, limit - MIN(size, limit));
                }
        }
        return size;
}

size_t marshal_estimate(DBusMessage *message, size_t limit)
{
        DBusMessageIter iter;

        return dbus_message_iter_init(message, &iter) ? estimate(&iter, limit) : 0;
}
