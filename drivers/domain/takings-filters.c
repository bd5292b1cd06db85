/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The filters of a guest's interfaces: from the time that their device on the host is there until it goes. In
 * the lanes that the functions are marked with.
 */
#include "drivers/domain/takings-private.h"

#include "base/error.h"
#include "base/log.h"
#include "drivers/domain/driver.h"
#include "drivers/nwfilter/nwfilter.h"

#include <string.h>

void taken_filter_free(void *data)
{
        struct taken_filter *filter = data;

        nwfilter_port_unref(filter->port);
        g_free(filter->alias);
        g_free(filter);
}

static struct taken_filter *get_filter(const struct domain_takings *takings, unsigned index)
{
        return g_ptr_array_index(takings->filters, index);
}

static bool needs_filters(const struct domain_def *def)
{
        for (unsigned i = 0; i < def->devices.n_interfaces; i++)
                if (def->devices.interfaces[i].filter)
                        return true;
        return false;
}

void takings_add_filters(struct domain_takings *takings, struct nwfilters *nwfilters,
                         const struct domain_def *def)
{
        if (!nwfilters || !needs_filters(def))
                return;
        takings->nwfilters = nwfilters;
        takings->snapshot = nwfilters_get_snapshot(nwfilters);
}

struct domain_takings *takings_new_filters(struct domain_driver *driver, const struct domain_def *def)
{
        struct domain_takings *takings = takings_new_empty();

        takings_add_filters(takings, driver->nwfilters, def);
        return takings;
}

/* A reference. The values were looked at when the document was read. */
static struct nwfilter_port *make_port(const char *guest, const struct domain_interface *interface,
                                       const char *device)
{
        CLEANUP(nwfilter_params_free) struct nwfilter_params *params = nwfilter_params_new();

        for (unsigned i = 0; i < interface->n_filter_params; i++)
                nwfilter_params_add(params, interface->filter_params[i].name,
                                    interface->filter_params[i].value, NULL);
        return nwfilter_port_new(device, interface->mac, interface->filter, params, guest);
}

/* Takes port. */
static void remember(const struct domain_takings *takings, const char *alias, struct nwfilter_port *port)
{
        struct taken_filter *filter = g_new(struct taken_filter, 1);

        *filter = (struct taken_filter){ g_strdup(alias), port };
        g_ptr_array_add(takings->filters, filter);
}

bool takings_apply_filter(const struct domain_takings *takings, struct lane *lane, const char *guest,
                          const struct domain_interface *interface, const char *device, GError **error)
{
        struct nwfilter_port *port;

        if (!interface->filter)
                return true;
        if (!takings || !takings->nwfilters)
                return error_set(
                        error, ERROR_FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED,
                        "filter '%s' of interface '%s' cannot be had: there are no network filters here",
                        interface->filter, interface->info.alias);
        port = make_port(guest, interface, device);
        if (!nwfilter_port_apply(takings->nwfilters, takings->snapshot, lane, port, error)) {
                nwfilter_port_unref(port);
                return false;
        }
        remember(takings, interface->info.alias, port);
        return true;
}

static void put_back(const struct domain_takings *takings, struct lane *lane, const char *alias)
{
        g_autoptr(GError) error = NULL;

        for (unsigned i = 0; takings && i < takings->filters->len; i++) {
                struct nwfilter_port *port = get_filter(takings, i)->port;

                if (strcmp(get_filter(takings, i)->alias, alias) == 0 &&
                    !nwfilter_port_apply(takings->nwfilters, takings->snapshot, lane, port, &error))
                        log_gerror(LOG_LEVEL_ERROR, error, "interface '%s' has not got its filter '%s' back",
                                   port->device, port->filter);
                g_clear_error(&error);
        }
}

void takings_undo_filters(const struct domain_takings *takings, const struct domain_takings *before,
                          struct lane *lane)
{
        for (unsigned i = 0; takings && i < takings->filters->len; i++)
                put_back(before, lane, get_filter(takings, i)->alias);
        takings_drop_filter(takings, NULL);
}

void takings_drop_filter(const struct domain_takings *takings, const char *alias)
{
        for (unsigned i = takings ? takings->filters->len : 0; i-- > 0;) {
                if (alias && strcmp(get_filter(takings, i)->alias, alias) != 0)
                        continue;
                nwfilter_port_forget(takings->nwfilters, get_filter(takings, i)->port);
                g_ptr_array_remove_index(takings->filters, i);
        }
}

/* What was before under the same alias has been replaced. */
void takings_join_filters(struct domain_takings *takings, struct domain_takings *from)
{
        for (unsigned i = 0; i < from->filters->len; i++)
                takings_drop_filter(takings, get_filter(from, i)->alias);
        g_ptr_array_extend_and_steal(takings->filters, g_steal_pointer(&from->filters));
        if (!from->snapshot)
                return;
        nwfilter_snapshot_unref(takings->snapshot);
        takings->snapshot = g_steal_pointer(&from->snapshot);
        takings->nwfilters = from->nwfilters;
}

bool takings_share_filter(const struct domain_interface *before, const struct domain_interface *after)
{
        if (g_strcmp0(before->filter, after->filter) != 0 ||
            before->n_filter_params != after->n_filter_params)
                return false;
        for (unsigned i = 0; i < before->n_filter_params; i++)
                if (strcmp(before->filter_params[i].name, after->filter_params[i].name) != 0 ||
                    strcmp(before->filter_params[i].value, after->filter_params[i].value) != 0)
                        return false;
        return true;
}

void takings_restore_filters(struct domain_takings *takings, const struct domain_def *def)
{
        for (unsigned i = 0; takings->nwfilters && i < def->devices.n_interfaces; i++) {
                const struct domain_interface *interface = &def->devices.interfaces[i];
                struct nwfilter_port *port;

                if (!interface->filter || !interface->target)
                        continue;
                port = make_port(def->base.name, interface, interface->target);
                nwfilters_restore_port(takings->nwfilters, port);
                remember(takings, interface->info.alias, port);
        }
}
