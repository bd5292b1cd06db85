/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The document of a port (libvirt's formatnetworkport, version 9.0). No state; any thread.
 */
#include "base/xml.h"
#include "drivers/network/model.h"
#include "interfaces/virtual-port-xml.h"
#include "interfaces/vlan-xml.h"

#include <stdio.h>

static void add_host(xmlNode *plug, const struct network_port *port)
{
        unsigned domain = 0, bus = 0, slot = 0, function = 0;
        xmlNode *address;

        xml_set_attr(plug, "managed", port->managed ? "yes" : "no");
        if (port->driver)
                xml_set_attr(xml_add(plug, "driver"), "name", port->driver);
        sscanf(port->pci, "%x:%x:%x.%u", &domain, &bus, &slot, &function);
        address = xml_add(plug, "address");
        xml_set_attr_format(address, "domain", "0x%04x", domain);
        xml_set_attr_format(address, "bus", "0x%02x", bus);
        xml_set_attr_format(address, "slot", "0x%02x", slot);
        xml_set_attr_format(address, "function", "0x%x", function);
}

static void add_plug(xmlNode *root, const struct network_port *port)
{
        xmlNode *plug = xml_add(root, "plug");

        xml_set_attr(plug, "type", network_plug_get_name(port->plug));
        xml_set_attr(plug, "bridge", port->bridge);
        xml_set_attr(plug, "dev", port->device);
        xml_set_attr(plug, "mode", port->mode);
        if (port->plug == NETWORK_PLUG_HOSTDEV)
                add_host(plug, port);
}

static void set_number(xmlNode *node, const char *attr, uint32_t value)
{
        if (value)
                xml_set_attr_format(node, attr, "%u", (unsigned)value);
}

static void add_rate(xmlNode *bandwidth, const char *name, const struct traffic_rate *rate)
{
        xmlNode *node;

        if (rate->average_kbps == 0 && rate->floor_kbps == 0)
                return;
        node = xml_add(bandwidth, name);
        set_number(node, "average", rate->average_kbps);
        set_number(node, "peak", rate->peak_kbps);
        set_number(node, "burst", rate->burst_kib);
        set_number(node, "floor", rate->floor_kbps);
}

static void add_bandwidth(xmlNode *root, const struct traffic *traffic)
{
        xmlNode *bandwidth;

        if (!traffic_is_limited(traffic) && traffic->inbound.floor_kbps == 0)
                return;
        bandwidth = xml_add(root, "bandwidth");
        add_rate(bandwidth, "inbound", &traffic->inbound);
        add_rate(bandwidth, "outbound", &traffic->outbound);
}

char *network_port_format(const struct network_port *port)
{
        g_autoptr(xmlDoc) doc = xml_new("networkport");
        xmlNode *root = xml_root(doc), *owner;

        xml_add_text(root, "uuid", port->uuid);
        owner = xml_add(root, "owner");
        xml_add_text(owner, "name", port->owner);
        xml_add_text(owner, "uuid", port->owner_uuid);
        if (port->group)
                xml_add_text(root, "group", port->group);
        xml_set_attr(xml_add(root, "mac"), "address", port->mac);
        virtual_port_add(root, &port->virtual_port);
        add_bandwidth(root, &port->bandwidth);
        vlan_add(root, &port->vlan);
        if (port->trust == NETWORK_TRUST_YES)
                xml_set_attr(xml_add(root, "rxfilters"), "trustGuest", "yes");
        if (port->isolated)
                xml_set_attr(xml_add(root, "port"), "isolated", "yes");
        add_plug(root, port);
        return xml_write(doc, NULL);
}
