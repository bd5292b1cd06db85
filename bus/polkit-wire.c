/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * PolicyKit's messages. No state; any thread.
 */
#include "bus/polkit-wire.h"

#include "bus/marshal.h"

#include <string.h>

/* CheckAuthorizationFlags */
#define ALLOW_USER_INTERACTION 1

const char *const polkit_wire_matches[2] = {
        "type='signal',sender='" POLKIT_NAME "',interface='" POLKIT_INTERFACE "',member='Changed'",
        "type='signal',sender='" DBUS_SERVICE_DBUS "',interface='" DBUS_INTERFACE_DBUS
        "',member='NameOwnerChanged',arg0='" POLKIT_NAME "'",
};

/* (sa{sv}): ("system-bus-name", {"name": <client>}) */
static void append_subject(DBusMessageIter *iter, const char *client)
{
        DBusMessageIter subject, array;
        struct marshal_slot slot = { .iter = &array, .key = "name", .variants = 1, .signature = "s" };

        if (!dbus_message_iter_open_container(iter, DBUS_TYPE_STRUCT, NULL, &subject))
                g_error("out of memory while writing a call");
        marshal_write(&subject, "s", "system-bus-name");
        marshal_open_array(&subject, &array, "{sv}");
        marshal_slot_write(&slot, "s", client);
        marshal_close(&subject, &array);
        marshal_close(iter, &subject);
}

static void append_details(DBusMessageIter *iter, const GPtrArray *details)
{
        DBusMessageIter array;

        marshal_open_array(iter, &array, "{ss}");
        for (unsigned i = 0; details && i + 1 < details->len; i += 2)
                marshal_write(&array, "{ss}", g_ptr_array_index(details, i),
                              g_ptr_array_index(details, i + 1));
        marshal_close(iter, &array);
}

static DBusMessage *call_new(const char *member)
{
        DBusMessage *message =
                dbus_message_new_method_call(POLKIT_NAME, POLKIT_PATH, POLKIT_INTERFACE, member);

        if (!message)
                g_error("out of memory while writing a call");
        return message;
}

DBusMessage *polkit_wire_check(const char *client, const char *action, const GPtrArray *details, bool dialog,
                               const char *cancellation_id)
{
        DBusMessage *message = call_new("CheckAuthorization");
        DBusMessageIter iter;

        dbus_message_iter_init_append(message, &iter);
        append_subject(&iter, client);
        marshal_write(&iter, "s", action);
        append_details(&iter, details);
        marshal_write(&iter, "us", dialog ? ALLOW_USER_INTERACTION : 0, cancellation_id);
        return message;
}

DBusMessage *polkit_wire_cancel(const char *cancellation_id)
{
        DBusMessage *message = call_new("CancelCheckAuthorization");
        DBusMessageIter iter;

        dbus_message_iter_init_append(message, &iter);
        marshal_write(&iter, "s", cancellation_id);
        dbus_message_set_no_reply(message, TRUE);
        return message;
}

/* Is there such an entry of a{ss} that is not empty? */
static bool has_detail(DBusMessageIter *details, const char *wanted)
{
        DBusMessageIter array, entry;

        dbus_message_iter_recurse(details, &array);
        for (; dbus_message_iter_get_arg_type(&array) == DBUS_TYPE_DICT_ENTRY;
             dbus_message_iter_next(&array)) {
                const char *key, *value;

                dbus_message_iter_recurse(&array, &entry);
                dbus_message_iter_get_basic(&entry, &key);
                dbus_message_iter_next(&entry);
                dbus_message_iter_get_basic(&entry, &value);
                if (strcmp(key, wanted) == 0 && *value)
                        return true;
        }
        return false;
}

bool polkit_wire_read(DBusMessage *reply, struct polkit_result *result)
{
        DBusMessageIter iter, parts;
        dbus_bool_t allowed, challenge;

        if (!dbus_message_has_signature(reply, "(bba{ss})") || !dbus_message_iter_init(reply, &iter))
                return false;
        dbus_message_iter_recurse(&iter, &parts);
        dbus_message_iter_get_basic(&parts, &allowed);
        dbus_message_iter_next(&parts);
        dbus_message_iter_get_basic(&parts, &challenge);
        dbus_message_iter_next(&parts);
        *result = (struct polkit_result){ allowed, challenge, has_detail(&parts, "polkit.dismissed") };
        return true;
}
