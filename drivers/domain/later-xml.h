/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Values of libvirt's later formats that are not driven. Whoever does not know a value asks here before it
 * says so. Internal to drivers/domain; any thread.
 */

#include "base/xml.h"

#include <glib.h>
#include <stdbool.h>

/*
 * Is value of attribute attr (NULL: the text) of node one of them? Then *error says what is missing and what
 * to do (ERROR_CONFIG_UNSUPPORTED).
 */
bool later_refuses(const xmlNode *node, const char *attr, const char *value, GError **error);
