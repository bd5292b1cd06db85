/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Devices that may have come too late, in the status document. Any thread. */

#include "base/xml.h"
#include "drivers/qemu/status.h"

/* list: of struct device_list. */
void status_write_astray(GString *text, const GPtrArray *list);
bool status_read_astray(const xmlNode *root, struct status *status, GError **error);
