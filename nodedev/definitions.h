/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Mediated devices that are defined: they are there when they are started, and to be started after a boot
 * where they are marked so. A file and perhaps a mark for each. The lane of the devices, but for new and
 * free.
 */

#include "nodedev/device.h"
#include "nodedev/spec.h"

struct definitions;

/* dir is copied; it is made with the first file. */
struct definitions *definitions_new(const char *dir);
void definitions_free(struct definitions *definitions); /* NULL is fine */

/* Reads the files; one that cannot be read is left out, and logged. */
void definitions_load(struct definitions *definitions);

/* The defined device as it is when it is not there, borrowed; NULL: none of that name is defined. */
struct node_device *definitions_find(const struct definitions *definitions, const char *name);
/* All of them, borrowed; free the array. */
GPtrArray *definitions_list(const struct definitions *definitions);

/* spec is complete. ERROR_OPERATION_FAILED when it is defined already, ERROR_SYSTEM_ERROR of the disk. */
bool definitions_add(struct definitions *definitions, const struct node_device_spec *spec, GError **error);
/* ERROR_OPERATION_INVALID when it is not defined, likewise the next one. */
bool definitions_remove(struct definitions *definitions, const char *name, GError **error);
bool definitions_set_autostart(struct definitions *definitions, const char *name, bool autostart,
                               GError **error);
