/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The document in which libvirt keeps what it knows of a network that runs, found out from what its
 * version 9.0 writes to /run/libvirt/network:
 *
 *     <networkstatus>
 *       <class_id bitmap='0-2'/>
 *       <floor sum='0'/>
 *       <network>
 *         ... as clients see it
 *       </network>
 *     </networkstatus>
 *
 * What is guaranteed to which guest (class_id, floor) is found again with the guests. Any thread.
 */
#include "base/xml.h"
#include "drivers/network/adopt.h"

struct network_def *network_adoption_parse(const char *text, GError **error)
{
        g_autoptr(xmlDoc) doc = xml_parse(text, "networkstatus", error);
        const xmlNode *network = doc ? xml_child(xml_root(doc), "network") : NULL;
        g_autofree char *xml = network ? xml_write(doc, network) : NULL;

        if (doc && !network)
                xml_error(error, xml_root(doc), "missing <network>");
        return xml ? network_def_parse(xml, error) : NULL;
}
