/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The element <virtualport> of libvirt's documents. Any thread. */

#include "interfaces/virtual-port.h"

#include <libxml/tree.h>

enum virtual_port_needs {
        VIRTUAL_PORT_NEEDS_TYPE = 1,
        VIRTUAL_PORT_NEEDS_VALUES = 2, /* those without which its type does not work */
};

/* The element; node NULL: none. Errors are of the document, in libvirt's words. */
bool virtual_port_read(xmlNode *node, unsigned needs, struct virtual_port *port, GError **error);
/* The element of a guest's interface gets the identifiers that may be left out; node NULL is fine. */
void virtual_port_fill(xmlNode *node);
/* Adds it to parent, when there is one. */
void virtual_port_add(xmlNode *parent, const struct virtual_port *port);
