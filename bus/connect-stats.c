/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * org.libvirt.Connect: the statistics of all domains. Loop thread.
 */
#include "bus/bus-private.h"
#include "bus/interface.h"
#include "bus/sight.h"
#include "drivers/domain/stats.h"
#include "introspection/connect.h"

static void reply_all(const GPtrArray *stats, const GError *error, void *data)
{
        struct call *call = data;
        DBusMessageIter iter, array;
        DBusMessage *reply;

        if (!call_may_reply(call, error))
                return;
        reply = call_begin_reply(call, &iter);
        marshal_open_array(&iter, &array, "(sa{sv})");
        for (unsigned i = 0; i < stats->len; i++) {
                const struct domain_stats *record = g_ptr_array_index(stats, i);
                DBusMessageIter entry;

                marshal_open_struct(&array, &entry);
                marshal_write(&entry, "s", record->name);
                marshal_write_params(&entry, record->params);
                marshal_close(&array, &entry);
        }
        marshal_close(&iter, &array);
        call_send_reply(call, reply);
}

/* The arguments were read once; they are read again, because the question who may be seen is between. */
static void read_arguments(struct call *call, uint32_t *groups, uint32_t *flags)
{
        dbus_message_iter_init(call->message, &call->args);
        call_read(call, "uu", groups, flags);
}

static void collect(struct call *call, const GPtrArray *domains)
{
        uint32_t groups, flags;

        read_arguments(call, &groups, &flags);
        domain_get_all_stats(call_get_driver(call), domains, groups, flags, reply_all, call);
}

static void collect_seen(struct call *call, const GArray *entries)
{
        g_autoptr(GPtrArray) domains = g_ptr_array_new();

        for (unsigned i = 0; i < entries->len; i++) {
                struct domain *domain = g_array_index(entries, struct sight_entry, i).object;

                if (domain->base.published)
                        g_ptr_array_add(domains, domain);
        }
        collect(call, domains);
}

void on_connect_get_all_domain_stats(struct call *call)
{
        const struct branch *branch = &call->target.connect->branches[TREE_DOMAINS];
        g_autoptr(GPtrArray) domains = NULL;
        g_autoptr(GError) error = NULL;
        uint32_t groups, flags;
        struct sight *sight;

        read_arguments(call, &groups, &flags);
        domains = domain_select_for_stats(call_get_driver(call), groups, flags, &error);
        if (!domains) {
                call_fail(call, error);
                return;
        }
        if (domains->len == 0 || !sight_is_limited(call)) {
                collect(call, domains);
                return;
        }
        sight = sight_new(call);
        for (unsigned i = 0; i < domains->len; i++)
                sight_add(sight, branch, g_ptr_array_index(domains, i));
        sight_ask(sight, collect_seen);
}
