/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The document of a port (libvirt's formatnetworkport, version 9.0). No state; any thread.
 */
#include "base/xml.h"
#include "drivers/network/model.h"

static void add_plug(xmlNode *root, const struct network_port *port)
{
        xmlNode *plug = xml_add(root, "plug");

        xml_set_attr(plug, "type", network_plug_get_name(port->plug));
        xml_set_attr(plug, "bridge", port->bridge);
        xml_set_attr(plug, "dev", port->device);
        xml_set_attr(plug, "mode", port->mode);
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
        if (port->isolated)
                xml_set_attr(xml_add(root, "port"), "isolated", "yes");
        add_plug(root, port);
        return xml_write(doc, NULL);
}
