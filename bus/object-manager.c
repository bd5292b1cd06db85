/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The object manager and the announcement of changes. Loop thread.
 */
#include "bus/object-manager.h"

#include "base/registry.h"
#include "bus/bus-private.h"
#include "bus/interface.h"
#include "bus/properties.h"
#include "bus/signal.h"
#include "introspection/object-manager.h"

static struct target target_of(const struct branch *branch, struct managed *object)
{
        return (struct target){ .bus = branch->connect->bus,
                                .place = TREE_OBJECT,
                                .connect = branch->connect,
                                .branch = branch,
                                .has_uuid = true,
                                .uuid = object->uuid,
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

void on_object_manager_get_managed_objects(struct call *call)
{
        const struct connect *connect = call->target.connect;
        DBusMessageIter iter, array, entry;
        DBusMessage *reply = call_begin_reply(call, &iter);

        marshal_open_array(&iter, &array, "{oa{sa{sv}}}");
        for (unsigned b = 0; b < G_N_ELEMENTS(connect->branches); b++) {
                const struct branch *branch = &connect->branches[b];
                g_autoptr(GPtrArray) objects = registry_list(branch->registry);

                for (unsigned i = 0; i < objects->len; i++) {
                        struct target target = target_of(branch, g_ptr_array_index(objects, i));
                        char path[TREE_PATH_SIZE];

                        marshal_open_entry(&array, &entry);
                        marshal_write(&entry, "o", tree_get_path(branch, target.object, path));
                        write_interfaces(&entry, &target);
                        marshal_close(&array, &entry);
                }
        }
        marshal_close(&iter, &array);
        call_send_reply(call, reply);
}

static void signal_added(const struct target *target, const char *path)
{
        DBusMessageIter iter;
        DBusMessage *message = signal_begin(target->connect->path, &interface_object_manager,
                                            INTERFACE_OBJECT_MANAGER_SIGNAL_INTERFACES_ADDED, &iter);

        marshal_write(&iter, "o", path);
        write_interfaces(&iter, target);
        signal_end(target->bus, message);
}

static void signal_removed(const struct target *target, const char *path)
{
        DBusMessageIter iter, array;
        DBusMessage *message = signal_begin(target->connect->path, &interface_object_manager,
                                            INTERFACE_OBJECT_MANAGER_SIGNAL_INTERFACES_REMOVED, &iter);

        marshal_write(&iter, "o", path);
        marshal_open_array(&iter, &array, "s");
        marshal_write(&array, "s", tree_get_interface(target)->name);
        marshal_close(&iter, &array);
        signal_end(target->bus, message);
}

void object_manager_follow(const struct registry_change *change, void *data)
{
        const struct branch *branch = data;
        const struct object_kind *kind = branch->kind;
        struct target target = target_of(branch, change->object);
        char path[TREE_PATH_SIZE];
        uint64_t changed;

        if (!connection_is_ready(target.bus->connection))
                return;
        tree_get_path(branch, change->object, path);
        if (!change->before) {
                signal_added(&target, path);
        } else if (change->after && change->after != change->before) {
                changed = kind->get_changed(change);
                if (changed)
                        properties_signal(&target, path, changed);
        }
        if (change->event)
                kind->announce(branch, path, change);
        if (!change->after)
                signal_removed(&target, path);
}
