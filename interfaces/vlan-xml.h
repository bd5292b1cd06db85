/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The element <vlan> of libvirt's documents (formatdomain, formatnetwork, formatnetworkport). Any thread. */

#include "interfaces/vlan.h"

#include <libxml/tree.h>

/*
 * The element, which becomes complete (trunk='yes' where it follows from the tags); node NULL: none. Errors
 * are of the document. Any thread.
 */
bool vlan_read(xmlNode *node, struct vlan *vlan, GError **error);
/* Adds it to parent, when there is one. */
void vlan_add(xmlNode *parent, const struct vlan *vlan);
