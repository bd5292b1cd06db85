/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.libvirt.Connect: its virtual networks. Loop thread. */
#include "bus/call.h"
#include "drivers/network/network.h"
#include "introspection/connect.h"

static struct networks *call_get_networks(const struct call *call)
{
        return model_get_networks(call->target.connect->model);
}

void on_connect_list_networks(struct call *call)
{
        g_autoptr(GPtrArray) networks = NULL;
        g_autoptr(GError) error = NULL;

        networks = network_list(call_get_networks(call), call_read_flags(call), &error);
        call_reply_list(call, TREE_NETWORKS, networks, error);
}

void on_connect_network_lookup_by_name(struct call *call)
{
        const struct network *network;
        g_autoptr(GError) error = NULL;
        const char *name;

        call_read(call, "s", &name);
        network = network_lookup_name(call_get_networks(call), name, &error);
        call_reply_found(call, TREE_NETWORKS, network, error);
}

void on_connect_network_lookup_by_uuid(struct call *call)
{
        const struct network *network;
        g_autoptr(GError) error = NULL;
        const char *uuid;

        call_read(call, "s", &uuid);
        network = network_lookup_uuid(call_get_networks(call), uuid, &error);
        call_reply_found(call, TREE_NETWORKS, network, error);
}

void on_connect_network_create_xml(struct call *call)
{
        const char *xml;

        call_read(call, "s", &xml);
        network_create_xml(call_get_networks(call), xml, call_done_with_object, call);
}

void on_connect_network_define_xml(struct call *call)
{
        const char *xml;

        call_read(call, "s", &xml);
        network_define_xml(call_get_networks(call), xml, call_done_with_object, call);
}
