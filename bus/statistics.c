/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * org.virtbus.Statistics: a subscription for each client and connection, which its caller owns. Loop thread.
 */
#include "bus/statistics.h"

#include "bus/bus-private.h"
#include "bus/caller.h"
#include "bus/interface.h"
#include "bus/sight.h"
#include "bus/signal.h"
#include "drivers/domain/stats-watch.h"
#include "introspection/statistics.h"

struct subscription {
        /* const */
        struct caller *caller;            /* borrowed: it owns this */
        const struct connect *connect;    /* borrowed */
        struct domain_stats_watch *watch; /* owned */
};

static void send_statistics(const GPtrArray *stats, void *data)
{
        const struct subscription *subscription = data;
        const struct connect *connect = subscription->connect;
        g_autoptr(GPtrArray) receivers = g_ptr_array_new();
        g_autoptr(GString) path = g_string_sized_new(128);
        DBusMessageIter iter, array;
        DBusMessage *message = signal_begin(connect->path, &interface_statistics,
                                            INTERFACE_STATISTICS_SIGNAL_STATISTICS, &iter);

        marshal_open_array(&iter, &array, "(oa{sv})");
        for (unsigned i = 0; i < stats->len; i++) {
                const struct domain_stats *record = g_ptr_array_index(stats, i);
                DBusMessageIter entry;

                marshal_open_struct(&array, &entry);
                marshal_write(&entry, "o",
                              tree_write_path(&connect->branches[TREE_DOMAINS], record->domain, path));
                marshal_write_params(&entry, record->params);
                marshal_close(&array, &entry);
        }
        marshal_close(&iter, &array);
        g_ptr_array_add(receivers, subscription->caller);
        signal_end_to(connect->bus, message, receivers);
}

static bool is_busy(void *data)
{
        return connection_is_busy(((const struct subscription *)data)->connect->bus->connection);
}

static const struct domain_stats_watcher watcher = { send_statistics, is_busy };

void subscription_free(struct subscription *subscription)
{
        if (!subscription)
                return;
        domain_stats_watch_free(subscription->watch);
        g_free(subscription);
}

static struct subscription *subscription_new(struct call *call, unsigned groups, unsigned period_ms,
                                             GError **error)
{
        struct subscription *subscription = g_new0(struct subscription, 1);

        subscription->caller = call->caller;
        subscription->connect = call->target.connect;
        subscription->watch = domain_stats_watch_new(call_get_driver(call), groups, period_ms, &watcher,
                                                     subscription, error);
        if (subscription->watch)
                return subscription;
        g_free(subscription);
        return NULL;
}

static struct caller_slot *get_slot(const struct call *call)
{
        return caller_get_slot(call->caller, call->target.connect);
}

void on_statistics_get_metrics(struct call *call)
{
        uint32_t groups;

        call_read(call, "u", &groups);
        if (sight_is_limited(call))
                call_fail_with(
                        call, ERROR_FROM_DBUS, ERROR_OPERATION_UNSUPPORTED,
                        "GetMetrics of clients that may not see all domains; ask with GetAllDomainStats");
        else
                domain_get_metrics(call_get_driver(call), groups, call_done_with_text, call);
}

/* One that has left may still have calls to be served. */
void on_statistics_subscribe(struct call *call)
{
        struct subscription *subscription = NULL;
        g_autoptr(GError) error = NULL;
        uint32_t groups, period_ms;

        call_read(call, "uu", &groups, &period_ms);
        if (sight_is_limited(call))
                error_set(&error, ERROR_FROM_DBUS, ERROR_OPERATION_UNSUPPORTED,
                          "Subscribe of clients that may not see all domains; ask with GetAllDomainStats");
        else if (!call->caller->identity->gone)
                subscription = subscription_new(call, groups, period_ms, &error);
        if (error) {
                call_fail(call, error);
                return;
        }
        subscription_free(get_slot(call)->subscription);
        get_slot(call)->subscription = subscription;
        call_reply(call, "");
}

void on_statistics_unsubscribe(struct call *call)
{
        g_clear_pointer(&get_slot(call)->subscription, subscription_free);
        call_reply(call, "");
}
