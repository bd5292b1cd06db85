/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * org.freedesktop.DBus.ObjectManager of the connection objects, and what goes out when an object changes:
 * signals leave in the order of the changes. Loop thread.
 */

#include "bus/tree.h"

/* An object came, has these other properties (bits by their number in the interface), went. */
void object_manager_add(const struct branch *branch, void *object, const char *path);
void object_manager_change(const struct branch *branch, void *object, const char *path, uint64_t changed);
void object_manager_remove(const struct branch *branch, const char *path);

/* Tells the bus about a change of a managed object (registry_listener); data is the struct branch. */
void object_manager_follow(const struct registry_change *change, void *data);
