/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * org.libvirt.Manager: the agent itself. Loop thread.
 */
#include "bus/bus-private.h"
#include "bus/caller.h"
#include "bus/connect.h"
#include "bus/interface.h"
#include "bus/last-error.h"
#include "drivers/domain/domain.h"
#include "introspection/manager.h"

#include <string.h>

/* virConnectFlags */
enum open_flags {
        OPEN_READ_ONLY = 1,
        OPEN_NO_ALIASES = 2,
};

bool get_manager_version(const struct target *target, struct marshal_slot *slot, GError **error)
{
        return marshal_slot_write(slot, "s", VIRTBUS_VERSION);
}

/* The connection object of a URI; "" is the default driver, which is the first. */
static const struct connect *find_uri(const struct bus *bus, const char *uri)
{
        for (unsigned i = 0; i < bus->connects->len; i++) {
                const struct connect *connect = g_ptr_array_index(bus->connects, i);

                if (!*uri || strcmp(uri, domain_driver_get_uri(connect->domains)) == 0)
                        return connect;
        }
        return NULL;
}

void on_manager_connect_open(struct call *call)
{
        const struct connect *connect;
        struct caller_slot *slot;
        const char *uri;
        uint32_t flags;

        call_read(call, "su", &uri, &flags);
        if (!connect_check_flags(call, flags, OPEN_READ_ONLY | OPEN_NO_ALIASES))
                return;
        connect = find_uri(call->target.bus, uri);
        if (!connect) {
                g_autofree char *quoted = error_quote(uri);

                call_fail_with(call, ERROR_FROM_NONE, ERROR_NO_CONNECT, "%s", quoted);
                return;
        }
        slot = caller_get_slot(call->caller, connect);
        if (flags & OPEN_READ_ONLY)
                slot->read_only_opens++;
        else
                slot->opens++;
        call_reply(call, "o", connect->path);
}

/* Of a caller that opened both ways, the unrestricted opening ends first. */
void on_manager_connect_close(struct call *call)
{
        struct caller_slot *slot = NULL;
        struct target target;
        const char *path;

        call_read(call, "o", &path);
        tree_locate(call->target.bus, path, &target);
        if (target.place == TREE_CONNECT)
                slot = caller_get_slot(call->caller, target.connect);
        if (slot && slot->opens > 0) {
                slot->opens--;
        } else if (slot && slot->read_only_opens > 0) {
                slot->read_only_opens--;
        } else {
                call_fail_with(call, ERROR_FROM_NONE, ERROR_INVALID_CONN, "ConnectClose: it was not opened");
                return;
        }
        call_reply(call, "");
}

void on_manager_get_last_error(struct call *call)
{
        last_error_reply(call, call->caller->last_error);
}

void on_manager_reset_last_error(struct call *call)
{
        caller_reset_errors(call->caller);
        call_reply(call, "");
}

void on_manager_get_version(struct call *call)
{
        const GPtrArray *connects = call->target.bus->connects;
        const struct connect *connect = NULL;
        g_autoptr(GError) error = NULL;
        g_autofree char *quoted = NULL;
        uint64_t version;
        const char *type;

        call_read(call, "s", &type);
        for (unsigned i = 0; i < connects->len && !connect; i++) {
                connect = g_ptr_array_index(connects, i);
                if (*type && g_ascii_strcasecmp(type, connect->name) != 0)
                        connect = NULL;
        }
        if (!connect) {
                quoted = error_quote(type);
                call_fail_with(call, ERROR_FROM_NONE, ERROR_INVALID_ARG,
                               "there is no driver of the type '%s'", quoted);
                return;
        }
        if (!connect_settle(call, connect, on_manager_get_version))
                return;
        version = domain_driver_get_version(connect->domains, &error);
        if (version)
                call_reply(call, "(tt)", CONNECT_API_VERSION, version);
        else
                call_fail(call, error);
}
