/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who calls. Owns the table of callers in struct bus. Loop thread.
 */
#include "bus/caller.h"

#include "bus/bus-private.h"
#include "bus/statistics.h"
#include "drivers/authorization.h"
#include "drivers/owners.h"

struct caller *caller_get(struct bus *bus, const char *name)
{
        struct caller *caller = g_hash_table_lookup(bus->callers, name);

        if (caller)
                return caller;
        caller = g_new0(struct caller, 1);
        caller->refs = 1;
        caller->bus = bus;
        caller->identity = identity_new(name, models_get_count(bus->models));
        caller->name = caller->identity->name;
        g_queue_init(&caller->queue);
        g_queue_init(&caller->outbox);
        g_hash_table_insert(bus->callers, (gpointer)caller->name, caller);
        return caller;
}

struct caller *caller_ref(struct caller *caller)
{
        caller->refs++;
        return caller;
}

void caller_reset_errors(struct caller *caller)
{
        for (unsigned i = 0; caller->slots && i < caller->bus->connects->len; i++)
                g_clear_error(&caller->slots[i].last_error);
        g_clear_error(&caller->last_error);
}

void caller_push(struct caller *caller, DBusMessage *message, size_t size)
{
        struct waiting_call *waiting = g_new(struct waiting_call, 1);

        *waiting = (struct waiting_call){ dbus_message_ref(message), size };
        g_queue_push_tail(&caller->queue, waiting);
        caller->queued_bytes += size;
}

DBusMessage *caller_pop(struct caller *caller)
{
        struct waiting_call *waiting = g_queue_pop_head(&caller->queue);
        DBusMessage *message;

        if (!waiting)
                return NULL;
        message = waiting->message;
        caller->queued_bytes -= waiting->size;
        g_free(waiting);
        return message;
}

static void drop_queue(struct caller *caller)
{
        DBusMessage *message;

        while ((message = caller_pop(caller)))
                dbus_message_unref(message);
}

void caller_unref(struct caller *caller)
{
        if (--caller->refs > 0)
                return;
        g_assert(g_queue_is_empty(&caller->outbox));
        drop_queue(caller);
        caller_reset_errors(caller);
        g_free(caller->slots);
        identity_unref(caller->identity);
        g_free(caller);
}

static void unfollow(struct caller *caller)
{
        for (unsigned i = 0; caller->slots && i < caller->bus->connects->len; i++) {
                const struct connect *connect = g_ptr_array_index(caller->bus->connects, i);

                if (caller->slots[i].follows)
                        g_ptr_array_remove_fast(connect->followers, caller);
                caller->slots[i].follows = false;
        }
}

static void unsubscribe(struct caller *caller)
{
        for (unsigned i = 0; caller->slots && i < caller->bus->connects->len; i++)
                g_clear_pointer(&caller->slots[i].subscription, subscription_free);
}

static void leave(struct caller *caller)
{
        identity_leave(caller->identity);
        authorization_forget(models_get_authorization(caller->bus->models), caller->identity);
        unfollow(caller);
        unsubscribe(caller);
        owners_end(models_get_owners(caller->bus->models), caller->name);
}

void caller_leave(struct bus *bus, const char *name)
{
        struct caller *caller = g_hash_table_lookup(bus->callers, name);

        if (!caller)
                return;
        leave(caller);
        g_hash_table_remove(bus->callers, name);
        caller_unref(caller);
}

void caller_leave_all(struct bus *bus)
{
        GHashTableIter iter;
        gpointer value;

        g_hash_table_iter_init(&iter, bus->callers);
        while (g_hash_table_iter_next(&iter, NULL, &value)) {
                struct caller *caller = value;

                g_hash_table_iter_remove(&iter);
                drop_queue(caller);
                leave(caller);
                caller_unref(caller);
        }
}

void caller_forget_all(struct bus *bus)
{
        GHashTableIter iter;
        gpointer value;

        g_hash_table_iter_init(&iter, bus->callers);
        while (g_hash_table_iter_next(&iter, NULL, &value)) {
                g_hash_table_iter_remove(&iter);
                unsubscribe(value);
                caller_unref(value);
        }
}

struct caller_slot *caller_get_slot(struct caller *caller, const struct connect *connect)
{
        if (!caller->slots)
                caller->slots = g_new0(struct caller_slot, caller->bus->connects->len);
        return &caller->slots[model_get_index(connect->model)];
}

void caller_follow(struct caller *caller, const struct connect *connect)
{
        struct caller_slot *slot = caller_get_slot(caller, connect);

        if (caller->identity->gone || slot->follows)
                return;
        slot->follows = true;
        g_ptr_array_add(connect->followers, caller);
}

static void replace_error(GError **slot, const GError *error)
{
        g_clear_error(slot);
        *slot = g_error_copy(error);
}

void caller_set_error(struct caller *caller, const struct connect *connect, const GError *error)
{
        replace_error(&caller->last_error, error);
        if (connect)
                replace_error(&caller_get_slot(caller, connect)->last_error, error);
}
