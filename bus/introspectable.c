/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * org.freedesktop.DBus.Introspectable: the interfaces of a path and the names of what is below it. Loop
 * thread.
 */
#include "bus/bus-private.h"
#include "bus/call.h"
#include "bus/interface.h"
#include "bus/sight.h"
#include "introspection/introspectable.h"

#include <string.h>

static const char doctype[] = "<!DOCTYPE node PUBLIC \"" DBUS_INTROSPECT_1_0_XML_PUBLIC_IDENTIFIER
                              "\"\n\"" DBUS_INTROSPECT_1_0_XML_SYSTEM_IDENTIFIER "\">\n";

static void write_child(GString *text, const char *name)
{
        g_string_append_printf(text, "<node name=\"%s\"/>", name);
}

static void write_objects(GString *text, const struct branch *branch)
{
        g_autoptr(GPtrArray) objects = branch->kind->list(branch);

        for (unsigned i = 0; i < objects->len; i++) {
                g_string_append(text, "<node name=\"");
                branch->kind->write_element(branch, g_ptr_array_index(objects, i), text);
                g_string_append(text, "\"/>");
        }
}

static void write_children(GString *text, const struct target *target, const char *path)
{
        const GPtrArray *connects = target->bus->connects;

        switch (target->place) {
        case TREE_TRUNK:
                write_child(text, strcmp(path, "/") == 0 ? "org" : "libvirt");
                break;
        case TREE_MANAGER:
                for (unsigned i = 0; i < connects->len; i++)
                        write_child(text, ((const struct connect *)g_ptr_array_index(connects, i))->name);
                break;
        case TREE_CONNECT:
                for (unsigned i = 0; i < TREE_BRANCH_COUNT; i++)
                        write_child(text, target->connect->branches[i].kind->branch);
                break;
        case TREE_BRANCH:
                write_objects(text, target->branch);
                break;
        default:
                break;
        }
}

static GString *begin(const struct call *call)
{
        GString *text = g_string_sized_new(8192);
        const struct interface *interface;

        g_string_append(text, doctype);
        g_string_append(text, "<node>");
        for (unsigned n = 0; (interface = tree_get_nth_interface(&call->target, n)); n++)
                g_string_append(text, interface->text);
        return text;
}

static void end(struct call *call, GString *text)
{
        g_string_append(text, "</node>\n");
        call_reply(call, "s", text->str);
}

static void reply_seen(struct call *call, const GArray *entries)
{
        g_autoptr(GString) text = begin(call);

        for (unsigned i = 0; i < entries->len; i++)
                write_child(text, g_array_index(entries, struct sight_entry, i).element);
        end(call, text);
}

void on_introspectable_introspect(struct call *call)
{
        g_autoptr(GString) text = NULL;

        if (call->target.place == TREE_BRANCH && sight_is_limited(call)) {
                struct sight *sight = sight_new(call);

                sight_add_all(sight, call->target.branch);
                sight_ask(sight, reply_seen);
                return;
        }
        text = begin(call);
        write_children(text, &call->target, dbus_message_get_path(call->message));
        end(call, text);
}
