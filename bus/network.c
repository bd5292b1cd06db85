/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.libvirt.Network, and what becomes of the changes and events of networks. Loop thread. */
#include "bus/network.h"

#include "bus/call.h"
#include "bus/interface.h"
#include "bus/managed-object.h"
#include "bus/signal.h"
#include "drivers/network/network.h"
#include "drivers/network/port.h"
#include "introspection/connect.h"
#include "introspection/network.h"

static struct network *call_get_network(const struct call *call)
{
        return call->target.object;
}

/* ---- the kind ---- */

static uint64_t bit_if(bool changed, enum interface_network_property property)
{
        return changed ? UINT64_C(1) << property : 0;
}

static uint64_t get_changed(const struct registry_change *change)
{
        const struct managed_state *before = change->before, *after = change->after;

        return bit_if(!before->active != !after->active, INTERFACE_NETWORK_PROPERTY_ACTIVE) |
               bit_if(before->autostart != after->autostart, INTERFACE_NETWORK_PROPERTY_AUTOSTART) |
               bit_if(!before->persistent != !after->persistent, INTERFACE_NETWORK_PROPERTY_PERSISTENT) |
               bit_if(network_has_other_warnings(before, after), INTERFACE_NETWORK_PROPERTY_WARNINGS);
}

static void announce(const struct branch *branch, const char *path, const struct registry_change *change)
{
        struct bus *bus = branch->connect->bus;
        const struct managed_event *event = change->event;
        const char *uri;

        if (event->id == MANAGED_EVENT_LIFECYCLE)
                signal_send(bus, branch->connect->path, &interface_connect,
                            INTERFACE_CONNECT_SIGNAL_NETWORK_EVENT, "oi", path, event->type);
        if (event->id == NETWORK_EVENT_METADATA) {
                uri = ((const struct network_event *)event)->uri;
                signal_send(bus, path, &interface_network, INTERFACE_NETWORK_SIGNAL_METADATA_CHANGE, "is",
                            event->type, uri ? uri : "");
        }
        if (event->id != MANAGED_EVENT_LIFECYCLE || event->type == NETWORK_EVENT_DEFINED)
                signal_send(bus, path, &interface_network, INTERFACE_NETWORK_SIGNAL_REFRESH, "");
}

const struct object_kind network_object_kind = {
        .branch = "network",
        .model = MODEL_NETWORKS,
        .interface = &interface_network,
        MANAGED_OBJECT_HOOKS,
        .get_changed = get_changed,
        .announce = announce,
};

/* ---- properties ---- */

void set_network_autostart(struct call *call, DBusMessageIter *value)
{
        bool autostart;

        marshal_read(value, "b", &autostart);
        network_set_autostart(call_get_network(call), autostart, call_done, call);
}

bool get_network_warnings(const struct target *target, struct marshal_slot *slot, GError **error)
{
        return marshal_slot_write_strings(slot, network_get_warnings(target->object));
}

/* ---- methods ---- */

void on_network_create(struct call *call)
{
        network_create(call_get_network(call), call_done, call);
}

void on_network_destroy(struct call *call)
{
        network_destroy(call_get_network(call), call_done, call);
}

void on_network_undefine(struct call *call)
{
        network_undefine(call_get_network(call), call_done, call);
}

void on_network_update(struct call *call)
{
        struct network_update update = { 0 };
        uint32_t command, section, flags;

        call_read(call, "uuisu", &command, &section, &update.parent_index, &update.xml, &flags);
        update.command = command;
        update.section = section;
        network_update(call_get_network(call), &update, flags, call_done, call);
}

void on_network_set_metadata(struct call *call)
{
        struct network_metadata metadata = { 0 };
        int32_t type;
        uint32_t flags;

        call_read(call, "isssu", &type, &metadata.text, &metadata.key, &metadata.uri, &flags);
        metadata.type = type;
        network_set_metadata(call_get_network(call), &metadata, flags, call_done, call);
}

/* text: borrowed; NULL with error. */
static void reply_text(struct call *call, const char *text, const GError *error)
{
        if (text)
                call_reply(call, "s", text);
        else
                call_fail(call, error);
}

void on_network_get_bridge_name(struct call *call)
{
        g_autoptr(GError) error = NULL;
        uint32_t flags = call_read_flags(call);

        reply_text(call, network_get_bridge_name(call_get_network(call), flags, &error), error);
}

void on_network_get_metadata(struct call *call)
{
        g_autoptr(GError) error = NULL;
        g_autofree char *text = NULL;
        const char *uri;
        uint32_t flags;
        int32_t type;

        call_read(call, "isu", &type, &uri, &flags);
        text = network_get_metadata(call_get_network(call), type, uri, flags, &error);
        reply_text(call, text, error);
}

void on_network_get_xml_desc(struct call *call)
{
        g_autoptr(GError) error = NULL;
        g_autofree char *text = network_get_xml(call_get_network(call), call_read_flags(call), &error);

        reply_text(call, text, error);
}

void on_network_list_ports(struct call *call)
{
        g_autoptr(GError) error = NULL;
        const struct object_set *ports = NULL;
        DBusMessageIter iter, array;
        DBusMessage *reply;

        if (!network_list_ports(call_get_network(call), call_read_flags(call), &ports, &error)) {
                call_fail(call, error);
                return;
        }
        reply = call_begin_reply(call, &iter);
        marshal_open_array(&iter, &array, "(ss)");
        for (unsigned i = 0; ports && i < ports->count; i++) {
                const struct network_port *port = ports->objects[i];

                marshal_write(&array, "(ss)", port->uuid, port->xml);
        }
        marshal_close(&iter, &array);
        call_send_reply(call, reply);
}

/* ---- leases ---- */

/* virIPAddrType */
enum {
        IP_ADDR_TYPE_IPV4 = 0,
        IP_ADDR_TYPE_IPV6 = 1,
};

static const char *or_empty(const char *text)
{
        return text ? text : "";
}

static void write_lease(DBusMessageIter *array, const char *bridge, const struct network_lease *lease)
{
        char address[NETWORK_ADDRESS_TEXT_MAX];
        int type = lease->address.family == AF_INET6 ? IP_ADDR_TYPE_IPV6 : IP_ADDR_TYPE_IPV4;

        marshal_write(array, "(sxisssuss)", bridge, lease->expiry, type, or_empty(lease->mac),
                      or_empty(lease->iaid), network_address_format(&lease->address, address), lease->prefix,
                      or_empty(lease->hostname), or_empty(lease->client_id));
}

static void reply_leases(const struct network *network, const GPtrArray *leases, const GError *error,
                         void *data)
{
        struct call *call = data;
        const char *bridge;
        DBusMessage *reply;
        DBusMessageIter iter, array;

        if (!call_may_reply(call, error))
                return;
        bridge = or_empty(network_get_bridge_name(network, 0, NULL));
        reply = call_begin_reply(call, &iter);
        marshal_open_array(&iter, &array, "(sxisssuss)");
        for (unsigned i = 0; i < leases->len; i++)
                write_lease(&array, bridge, g_ptr_array_index(leases, i));
        marshal_close(&iter, &array);
        call_send_reply(call, reply);
}

void on_network_get_dhcp_leases(struct call *call)
{
        const char *mac;
        uint32_t flags;

        call_read(call, "su", &mac, &flags);
        network_get_leases(call_get_network(call), mac, flags, reply_leases, call);
}
