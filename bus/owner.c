/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Domains that live as long as their owner. The mark is on the owner's struct caller, whose departure ends
 * them; a name that is no caller's is asked for at the bus first. Loop thread.
 */
#include "bus/owner.h"

#include "base/registry.h"
#include "bus/bus-private.h"
#include "bus/caller.h"
#include "drivers/domain/domain.h"

struct question {
        struct bus *bus; /* borrowed: its connection answers before it is freed */
        char *name;      /* owned */
};

static void mark(struct bus *bus, const char *name)
{
        caller_get(bus, name)->owns_domains = true;
}

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

/* Marks first, so that an owner who leaves before the answer comes is noticed, too. */
static void find_out(struct bus *bus, const char *name)
{
        DBusMessage *message;
        struct question *question;

        mark(bus, name);
        message = dbus_message_new_method_call(DBUS_SERVICE_DBUS, DBUS_PATH_DBUS, DBUS_INTERFACE_DBUS,
                                               "NameHasOwner");
        if (!message || !dbus_message_append_args(message, DBUS_TYPE_STRING, &name, DBUS_TYPE_INVALID))
                g_error("out of memory while writing a call");
        question = g_new(struct question, 1);
        *question = (struct question){ bus, g_strdup(name) };
        connection_call(bus->connection, message, answered, question);
        dbus_message_unref(message);
}

static void check_owner(struct bus *bus, const char *name)
{
        const struct caller *caller = name ? g_hash_table_lookup(bus->callers, name) : NULL;

        if (!name || (caller && caller->owns_domains))
                return;
        if (caller)
                mark(bus, name);
        else if (connection_is_ready(bus->connection))
                find_out(bus, name);
}

void owner_follow(const struct registry_change *change, void *data)
{
        const struct connect *connect = data;
        const struct domain_state *after = (const struct domain_state *)change->after;

        if (after)
                check_owner(connect->bus, after->owner);
}

void owner_check(struct bus *bus)
{
        for (unsigned i = 0; i < bus->connects->len; i++) {
                const struct connect *connect = g_ptr_array_index(bus->connects, i);
                g_autoptr(GPtrArray) domains =
                        registry_list(model_get_registry(connect->model, MODEL_DOMAINS));

                for (unsigned d = 0; d < domains->len; d++)
                        check_owner(bus, domain_get_published(g_ptr_array_index(domains, d))->owner);
        }
}
