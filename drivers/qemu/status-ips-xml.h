/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Addresses and routes in the status document. Any thread. */

#include "base/xml.h"
#include "drivers/qemu/status.h"

/* list: of struct status_ips. */
void status_write_ips(GString *text, const GPtrArray *list);
bool status_read_ips(const xmlNode *root, struct status *status, GError **error);
