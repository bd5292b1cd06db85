/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Properties in messages: of org.freedesktop.DBus.Properties and of the object manager. Loop thread. */

#include "bus/tree.h"

#include <dbus/dbus.h>

/*
 * Appends an array a{sv} of all properties of the target's interface that can be read, each in that many
 * variants. changed: only those whose bit is set.
 */
void properties_write(const struct target *target, unsigned variants, uint64_t changed,
                      DBusMessageIter *iter);
#define PROPERTIES_ALL UINT64_MAX

/* PropertiesChanged of the object at path. */
void properties_signal(const struct target *target, const char *path, uint64_t changed);
