/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Typed parameters into and out of messages. No state; loop thread.
 */
#include "bus/marshal.h"

#include <string.h>

/* By enum param_type. */
static const char *const signatures[] = {
        [PARAM_INT] = "i",    [PARAM_UINT] = "u", [PARAM_LONG] = "x",   [PARAM_ULONG] = "t",
        [PARAM_DOUBLE] = "d", [PARAM_BOOL] = "b", [PARAM_STRING] = "s",
};

static bool read_value(DBusMessageIter *value, struct param *param, GError **error)
{
        int type = dbus_message_iter_get_arg_type(value);
        DBusBasicValue basic;

        for (unsigned i = PARAM_INT; i < G_N_ELEMENTS(signatures); i++) {
                if (*signatures[i] == type)
                        param->type = i;
        }
        if (!param->type) {
                g_autofree char *signature = dbus_message_iter_get_signature(value);
                g_autofree char *name = error_quote(param->name), *quoted = error_quote(signature);

                return error_set(error, ERROR_FROM_DBUS, ERROR_INVALID_ARG,
                                 "parameter '%s' is of type '%s', which no parameter has", name, quoted);
        }
        dbus_message_iter_get_basic(value, &basic);
        switch (param->type) {
        case PARAM_STRING:
                param->value.s = basic.str;
                break;
        case PARAM_BOOL:
                param->value.b = basic.bool_val;
                break;
        case PARAM_DOUBLE:
                param->value.d = basic.dbl;
                break;
        case PARAM_INT:
        case PARAM_UINT:
                param->value.u = basic.u32;
                break;
        case PARAM_LONG:
        case PARAM_ULONG:
                param->value.t = basic.u64;
                break;
        }
        return true;
}

/* Several values of one name, as an array of text in the place of one. */
static bool read_list(DBusMessageIter *value, const struct param_table *table, struct params *params,
                      const char *name, GError **error)
{
        struct param param = { .name = name, .type = PARAM_STRING };
        DBusMessageIter list;

        dbus_message_iter_recurse(value, &list);
        for (; dbus_message_iter_get_arg_type(&list) == DBUS_TYPE_STRING; dbus_message_iter_next(&list)) {
                dbus_message_iter_get_basic(&list, &param.value.s);
                if (!params_accept(params, table, &param, error))
                        return false;
        }
        return true;
}

static bool is_list(DBusMessageIter *value)
{
        return dbus_message_iter_get_arg_type(value) == DBUS_TYPE_ARRAY &&
               dbus_message_iter_get_element_type(value) == DBUS_TYPE_STRING;
}

bool marshal_read_params(DBusMessageIter *iter, const struct param_table *table, struct params *params,
                         GError **error)
{
        DBusMessageIter entries;

        g_assert(dbus_message_iter_get_arg_type(iter) == DBUS_TYPE_ARRAY);
        dbus_message_iter_recurse(iter, &entries);
        dbus_message_iter_next(iter);
        for (; dbus_message_iter_get_arg_type(&entries) == DBUS_TYPE_DICT_ENTRY;
             dbus_message_iter_next(&entries)) {
                DBusMessageIter entry, value;
                struct param param = { 0 };

                dbus_message_iter_recurse(&entries, &entry);
                marshal_read(&entry, "s", &param.name);
                dbus_message_iter_recurse(&entry, &value);
                if (is_list(&value)) {
                        if (!read_list(&value, table, params, param.name, error))
                                return false;
                        continue;
                }
                if (!read_value(&value, &param, error) || !params_accept(params, table, &param, error))
                        return false;
        }
        return true;
}

static void write_value(struct marshal_slot *slot, const struct param *param)
{
        switch (param->type) {
        case PARAM_INT:
                marshal_slot_write(slot, "i", param->value.i);
                break;
        case PARAM_UINT:
                marshal_slot_write(slot, "u", param->value.u);
                break;
        case PARAM_LONG:
                marshal_slot_write(slot, "x", param->value.x);
                break;
        case PARAM_ULONG:
                marshal_slot_write(slot, "t", param->value.t);
                break;
        case PARAM_DOUBLE:
                marshal_slot_write(slot, "d", param->value.d);
                break;
        case PARAM_BOOL:
                marshal_slot_write(slot, "b", param->value.b);
                break;
        case PARAM_STRING:
                marshal_slot_write(slot, "s", param->value.s);
                break;
        }
}

static void write_dictionary(DBusMessageIter *iter, const struct params *params, const char *element,
                             unsigned variants)
{
        DBusMessageIter array;

        marshal_open_array(iter, &array, element);
        for (unsigned i = 0; i < params_get_count(params); i++) {
                const struct param *param = params_get(params, i);
                struct marshal_slot slot = { &array, param->name, variants, signatures[param->type] };

                write_value(&slot, param);
        }
        marshal_close(iter, &array);
}

void marshal_write_params(DBusMessageIter *iter, const struct params *params)
{
        write_dictionary(iter, params, "{sv}", 2);
}

void marshal_write_counters(DBusMessageIter *iter, const struct params *params)
{
        for (unsigned i = 0; i < params_get_count(params); i++)
                g_assert(params_get(params, i)->type == PARAM_ULONG);
        write_dictionary(iter, params, "{st}", 0);
}
