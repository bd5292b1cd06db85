/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.libvirt.Connect: its network filters. Loop thread. */
#include "bus/call.h"
#include "bus/interface.h"
#include "drivers/nwfilter/nwfilter.h"
#include "introspection/connect.h"

static struct nwfilters *call_get_nwfilters(const struct call *call)
{
        return model_get_nwfilters(call->target.connect->model);
}

void on_connect_list_nw_filters(struct call *call)
{
        g_autoptr(GPtrArray) nwfilters = NULL;
        g_autoptr(GError) error = NULL;

        nwfilters = nwfilter_list(call_get_nwfilters(call), call_read_flags(call), &error);
        call_reply_list(call, TREE_NWFILTERS, nwfilters, error);
}

void on_connect_nw_filter_define_xml(struct call *call)
{
        const char *xml;

        call_read(call, "s", &xml);
        nwfilter_define_xml(call_get_nwfilters(call), xml, call_done_with_object, call);
}

void on_connect_nw_filter_lookup_by_name(struct call *call)
{
        const struct nwfilter *nwfilter;
        g_autoptr(GError) error = NULL;
        const char *name;

        call_read(call, "s", &name);
        nwfilter = nwfilter_lookup_name(call_get_nwfilters(call), name, &error);
        call_reply_found(call, TREE_NWFILTERS, nwfilter, error);
}

void on_connect_nw_filter_lookup_by_uuid(struct call *call)
{
        const struct nwfilter *nwfilter;
        g_autoptr(GError) error = NULL;
        const char *uuid;

        call_read(call, "s", &uuid);
        nwfilter = nwfilter_lookup_uuid(call_get_nwfilters(call), uuid, &error);
        call_reply_found(call, TREE_NWFILTERS, nwfilter, error);
}
