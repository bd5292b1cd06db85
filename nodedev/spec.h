/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What is to be made: a virtual host bus adapter (NPIV) or a mediated device. Any thread. */

#include "base/cleanup.h"

#include <glib.h>
#include <stdbool.h>

struct node_device_spec {
        char *parent;                                    /* owned; its name. NULL: not given */
        char *parent_wwnn, *parent_wwpn, *parent_fabric; /* owned; NULL: not given */
        char *wwnn, *wwpn;    /* owned; 16 hexadecimal digits. NULL: a mediated device */
        char *type, *uuid;    /* owned; of a mediated device, else NULL */
        char *parent_address; /* owned; of a mediated device: its parent's name in sysfs. NULL: not given */
};

/*
 * Reads a <device>. Errors: those of xml_parse(); ERROR_XML_ERROR for what is malformed or missing,
 * ERROR_CONFIG_UNSUPPORTED for other kinds of devices. A mediated device without a UUID gets one.
 */
struct node_device_spec *node_device_spec_parse(const char *xml, GError **error);
void node_device_spec_free(struct node_device_spec *spec); /* NULL is fine */

DEFINE_CLEANUP(struct node_device_spec, node_device_spec_free);
