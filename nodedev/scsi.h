/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* SCSI devices of the host, found below /sys, at another root in tests. Lanes. */

#include <glib.h>
#include <stdint.h>

/*
 * The file through which commands reach a SCSI device, "/dev/sg3"; owned. adapter: "scsi_host2". NULL with
 * ERROR_OPERATION_FAILED: there is no such device, or the module sg is not loaded.
 */
char *scsi_find_generic(const char *root, const char *adapter, unsigned bus, unsigned target, uint64_t unit,
                        GError **error);
