/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * org.freedesktop.DBus.Peer: on every path. Loop thread.
 */
#include "bus/interface.h"
#include "introspection/peer.h"

void on_peer_ping(struct call *call)
{
        call_reply(call, "");
}

void on_peer_get_machine_id(struct call *call)
{
        DBusError failure = DBUS_ERROR_INIT;
        char *id = dbus_try_get_local_machine_id(&failure);

        if (id)
                call_reply(call, "s", id);
        else
                call_refuse(call, DBUS_ERROR_FAILED, "%s", failure.message);
        dbus_free(id);
        dbus_error_free(&failure);
}
