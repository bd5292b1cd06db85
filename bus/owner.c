/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owners of guests: the departure of a caller ends what it owns; a name that is no caller's is asked for at
 * the bus first. Loop thread.
 */
#include "bus/owner.h"

#include "bus/bus-private.h"
#include "bus/caller.h"
#include "drivers/owners.h"

struct question {
        struct bus *bus; /* borrowed: its connection answers before it is freed */
        char *name;      /* owned */
};

static void answered(DBusMessage *reply, void *data)
{
        struct question *question = data;
        dbus_bool_t there = TRUE;

        /* No answer is no reason to end a guest. */
        if (reply && !dbus_message_get_args(reply, NULL, DBUS_TYPE_BOOLEAN, &there, DBUS_TYPE_INVALID))
                there = TRUE;
        if (!there)
                caller_leave(question->bus, question->name);
        g_free(question->name);
        g_free(question);
}

/* A caller from now on, so that one who leaves before the answer comes is noticed, too. */
static void find_out(struct bus *bus, const char *name)
{
        DBusMessage *message;
        struct question *question;

        caller_get(bus, name);
        message = dbus_message_new_method_call(DBUS_SERVICE_DBUS, DBUS_PATH_DBUS, DBUS_INTERFACE_DBUS,
                                               "NameHasOwner");
        if (!message || !dbus_message_append_args(message, DBUS_TYPE_STRING, &name, DBUS_TYPE_INVALID))
                g_error("out of memory while writing a call");
        question = g_new(struct question, 1);
        *question = (struct question){ bus, g_strdup(name) };
        connection_call(bus->connection, message, answered, question);
        dbus_message_unref(message);
}

void owner_found(const char *name, void *data)
{
        struct bus *bus = data;

        if (*name == ':' && !g_hash_table_contains(bus->callers, name) &&
            connection_is_ready(bus->connection))
                find_out(bus, name);
}

void owner_check(struct bus *bus)
{
        g_autoptr(GPtrArray) names = owners_list(models_get_owners(bus->models));

        for (unsigned i = 0; i < names->len; i++)
                owner_found(g_ptr_array_index(names, i), bus);
}
