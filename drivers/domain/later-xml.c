/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The table of what later formats know and we do not drive. No state; any thread.
 */
#include "drivers/domain/later-xml.h"

#include "base/error.h"

#include <string.h>

static const struct later {
        const char *element, *attr, *value, *text;
} later_values[] = {
        { "target", "bus", "nvme",
          "disks are not emulated as NVMe's: use bus 'virtio' or 'scsi' (a <disk type='nvme'> is a "
          "controller of "
          "the host)" },
        { "controller", "type", "nvme",
          "controllers are not emulated as NVMe's: leave it out, and put its disks on bus 'virtio' or "
          "'scsi'" },
};

bool later_refuses(const xmlNode *node, const char *attr, const char *value, GError **error)
{
        for (unsigned i = 0; i < G_N_ELEMENTS(later_values); i++) {
                const struct later *later = &later_values[i];

                if (!xml_is(node, later->element) || g_strcmp0(later->attr, attr) != 0 ||
                    g_strcmp0(later->value, value) != 0)
                        continue;
                error_set(error, ERROR_FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED,
                          "%s='%s' of <%s>, at line %u: %s", later->attr, later->value, later->element,
                          xml_line(node), later->text);
                return true;
        }
        return false;
}
