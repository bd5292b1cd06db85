/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The object manager and the announcement of changes. Loop thread.
 */
#include "bus/object-manager.h"

#include "base/registry.h"
#include "bus/bus-private.h"
#include "bus/caller.h"
#include "bus/interface.h"
#include "bus/properties.h"
#include "bus/sight.h"
#include "bus/signal.h"
#include "introspection/object-manager.h"

#include <string.h>

static struct target target_of(const struct branch *branch, void *object)
{
        return (struct target){ .bus = branch->connect->bus,
                                .place = TREE_OBJECT,
                                .connect = branch->connect,
                                .branch = branch,
                                .object = object };
}

/* a{sa{sv}}: our interface with its properties. The standard ones have none and go without saying. */
static void write_interfaces(DBusMessageIter *iter, const struct target *target)
{
        DBusMessageIter array, entry;

        marshal_open_array(iter, &array, "{sa{sv}}");
        marshal_open_entry(&array, &entry);
        marshal_write(&entry, "s", tree_get_interface(target)->name);
        properties_write(target, 1, PROPERTIES_ALL, &entry);
        marshal_close(&array, &entry);
        marshal_close(iter, &array);
}

static void write_object(DBusMessageIter *array, const struct branch *branch, void *object, GString *path)
{
        struct target target = target_of(branch, object);
        DBusMessageIter entry;

        marshal_open_entry(array, &entry);
        marshal_write(&entry, "o", tree_write_path(branch, object, path));
        write_interfaces(&entry, &target);
        marshal_close(array, &entry);
}

static void write_branch(DBusMessageIter *array, const struct branch *branch)
{
        g_autoptr(GPtrArray) objects = branch->kind->list(branch);
        g_autoptr(GString) path = g_string_sized_new(128);

        for (unsigned i = 0; i < objects->len; i++)
                write_object(array, branch, g_ptr_array_index(objects, i), path);
}

/* As they are now; what went meanwhile was told as gone already. */
static void reply_seen(struct call *call, const GArray *entries)
{
        g_autoptr(GString) path = g_string_sized_new(128);
        DBusMessageIter iter, array;
        DBusMessage *reply = call_begin_reply(call, &iter);

        marshal_open_array(&iter, &array, "{oa{sa{sv}}}");
        for (unsigned i = 0; i < entries->len; i++) {
                const struct sight_entry *entry = &g_array_index(entries, struct sight_entry, i);
                void *object = entry->branch->kind->find(entry->branch, entry->element, false, NULL);

                if (object)
                        write_object(&array, entry->branch, object, path);
        }
        marshal_close(&iter, &array);
        call_send_reply(call, reply);
}

/* Who follows is told what comes and goes while it is being asked. */
static void reply_later(struct call *call)
{
        const struct connect *connect = call->target.connect;
        struct sight *sight = sight_new(call);

        for (unsigned b = 0; b < TREE_BRANCH_COUNT; b++)
                sight_add_all(sight, &connect->branches[b]);
        caller_follow(call->caller, connect);
        sight_ask(sight, reply_seen);
}

void on_object_manager_get_managed_objects(struct call *call)
{
        const struct connect *connect = call->target.connect;
        DBusMessageIter iter, array;
        DBusMessage *reply;

        if (sight_is_limited(call)) {
                reply_later(call);
                return;
        }
        reply = call_begin_reply(call, &iter);
        marshal_open_array(&iter, &array, "{oa{sa{sv}}}");
        for (unsigned b = 0; b < TREE_BRANCH_COUNT; b++)
                write_branch(&array, &connect->branches[b]);
        marshal_close(&iter, &array);
        caller_follow(call->caller, connect);
        call_send_reply(call, reply);
}

static bool is_followed(const struct connect *connect)
{
        return connect->followers->len > 0 && connection_is_ready(connect->bus->connection);
}

void object_manager_add(const struct branch *branch, void *object, const char *path)
{
        struct target target = target_of(branch, object);
        DBusMessageIter iter;
        DBusMessage *message;

        if (!is_followed(branch->connect))
                return;
        message = signal_begin(branch->connect->path, &interface_object_manager,
                               INTERFACE_OBJECT_MANAGER_SIGNAL_INTERFACES_ADDED, &iter);
        marshal_write(&iter, "o", path);
        write_interfaces(&iter, &target);
        signal_end_to(target.bus, message, branch->connect->followers);
}

void object_manager_change(const struct branch *branch, void *object, const char *path, uint64_t changed)
{
        struct target target = target_of(branch, object);

        if (changed && connection_is_ready(target.bus->connection))
                properties_signal(&target, path, changed);
}

void object_manager_remove(const struct branch *branch, const char *path)
{
        DBusMessageIter iter, array;
        DBusMessage *message;

        authorize_lose(branch->connect->bus, path);
        if (!is_followed(branch->connect))
                return;
        message = signal_begin(branch->connect->path, &interface_object_manager,
                               INTERFACE_OBJECT_MANAGER_SIGNAL_INTERFACES_REMOVED, &iter);
        marshal_write(&iter, "o", path);
        marshal_open_array(&iter, &array, "s");
        marshal_write(&array, "s", branch->kind->interface->name);
        marshal_close(&iter, &array);
        signal_end_to(branch->connect->bus, message, branch->connect->followers);
}

static bool is_renamed(const struct registry_change *change)
{
        return change->before && change->after &&
               strcmp(managed_state_get_name(change->before), managed_state_get_name(change->after)) != 0;
}

void object_manager_follow(const struct registry_change *change, void *data)
{
        const struct branch *branch = data;
        const struct object_kind *kind = branch->kind;
        g_autofree char *path = NULL;
        struct subject outer;

        if (!connection_is_ready(branch->connect->bus->connection))
                return;
        path = tree_get_path(branch, change->object);
        outer = sight_begin(branch, change->object);
        if (is_renamed(change))
                authorize_lose(branch->connect->bus, path);
        if (!change->before)
                object_manager_add(branch, change->object, path);
        else if (change->after && change->after != change->before)
                object_manager_change(branch, change->object, path, kind->get_changed(change));
        if (change->event)
                kind->announce(branch, path, change);
        if (!change->after)
                object_manager_remove(branch, path);
        sight_end(branch->connect->bus, outer);
}
