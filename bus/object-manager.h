/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * org.freedesktop.DBus.ObjectManager of the connection objects, and what goes out when an object changes:
 * signals leave in the order of the changes. Loop thread.
 *
 * InterfacesAdded and InterfacesRemoved go to those who have called GetManagedObjects, each by its name,
 * until they leave the bus: a client can make nothing of them without, and one that matches all signals below
 * /org/libvirt (Cockpit's bridge does so once for every call it makes, and answers each of these with
 * GetManagedObjects and Introspect) is not woken by what it never asked for.
 */

#include "bus/tree.h"

/* An object came, has these other properties (bits by their number in the interface), went. */
void object_manager_add(const struct branch *branch, void *object, const char *path);
void object_manager_change(const struct branch *branch, void *object, const char *path, uint64_t changed);
void object_manager_remove(const struct branch *branch, const char *path);

/* Tells the bus about a change of a managed object (registry_listener); data is the struct branch. */
void object_manager_follow(const struct registry_change *change, void *data);
