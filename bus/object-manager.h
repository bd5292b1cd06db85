/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * org.freedesktop.DBus.ObjectManager of the connection objects, and what goes out when an object changes:
 * signals leave in the order of the changes. Loop thread.
 */

#include "bus/tree.h"

/* Tells the bus about a change (registry_listener); data is the struct branch. */
void object_manager_follow(const struct registry_change *change, void *data);
