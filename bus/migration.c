/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * org.virtbus.Migration, and what of org.libvirt.Domain begins it: guests that go to other hosts and come
 * from them. Loop thread.
 */
#include "bus/caller.h"
#include "bus/interface.h"
#include "drivers/domain/domain.h"
#include "introspection/domain.h"
#include "introspection/migration.h"

/* Text, parameters, flags; NULL when it has been answered with an error. */
static struct params *read_all(struct call *call, const struct param_table *table, const char **text,
                               uint32_t *flags)
{
        CLEANUP(params_free) struct params *params = params_new();
        g_autoptr(GError) error = NULL;

        call_read(call, "s", text);
        if (!marshal_read_params(&call->args, table, params, &error)) {
                call_fail(call, error);
                return NULL;
        }
        call_read(call, "u", flags);
        return g_steal_pointer(&params);
}

void on_domain_migrate_to_uri3(struct call *call)
{
        const char *destination;
        uint32_t flags;
        struct params *params = read_all(call, &domain_migrate_params, &destination, &flags);

        if (params)
                domain_migrate(call_get_domain(call), destination, params, flags, call_done, call);
}

void on_domain_migrate_start_post_copy(struct call *call)
{
        uint32_t flags;

        call_read(call, "u", &flags);
        domain_start_postcopy(call_get_domain(call), flags, call_done, call);
}

static void reply_answer(const struct params *answer, const GError *error, void *data)
{
        struct call *call = data;
        DBusMessageIter iter;
        DBusMessage *reply;

        if (!call_may_reply(call, error))
                return;
        reply = call_begin_reply(call, &iter);
        marshal_write_params(&iter, answer);
        call_send_reply(call, reply);
}

void on_migration_prepare(struct call *call)
{
        const char *xml;
        uint32_t flags;
        struct params *params = read_all(call, &domain_arrival_params, &xml, &flags);

        if (params)
                domain_arrival_prepare(call_get_driver(call), xml, params, flags, call->caller->name,
                                       reply_answer, call);
}

void on_migration_finish(struct call *call)
{
        const char *cookie;
        uint32_t flags;
        struct params *params = read_all(call, &domain_finish_params, &cookie, &flags);

        if (params)
                domain_arrival_finish(call_get_driver(call), cookie, params, reply_answer, call);
}

void on_migration_recover(struct call *call)
{
        const char *cookie;
        uint32_t flags;
        struct params *params = read_all(call, &domain_recover_params, &cookie, &flags);

        if (params)
                domain_arrival_recover(call_get_driver(call), cookie, params, flags, reply_answer, call);
}

/* Nothing of these two has parameters yet. */
static const struct param_table no_params = { .from = ERROR_FROM_DOMAIN, .function = "Cancel and Confirm" };

void on_migration_cancel(struct call *call)
{
        const char *cookie;
        uint32_t flags;
        CLEANUP(params_free) struct params *params = read_all(call, &no_params, &cookie, &flags);

        if (params)
                domain_arrival_cancel(call_get_driver(call), cookie, reply_answer, call);
}

void on_migration_confirm(struct call *call)
{
        const char *cookie;
        uint32_t flags;
        CLEANUP(params_free) struct params *params = read_all(call, &no_params, &cookie, &flags);

        if (params)
                domain_arrival_confirm(call_get_driver(call), cookie, reply_answer, call);
}
