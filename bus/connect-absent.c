/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * org.libvirt.Connect: lists of the kinds of objects that there are none of yet. They answer because clients
 * list every kind there may be, and show an error instead of all the others when one of them fails. A kind
 * that comes takes its list away from here. No state; loop thread.
 */
#include "base/flags.h"
#include "bus/call.h"
#include "introspection/connect.h"

static void reply_none(struct call *call, uint32_t allowed)
{
        g_autoptr(GError) error = NULL;

        if (flags_check(call_read_flags(call), allowed, ERROR_FROM_NONE, call_get_member(call), &error))
                call_reply_objects(call, NULL, NULL, 0);
        else
                call_fail(call, error);
}

void on_connect_list_nw_filters(struct call *call)
{
        reply_none(call, 0);
}
