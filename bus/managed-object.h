/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What all kinds of managed objects have in common on the bus: their paths end in their uuid, and their
 * registry knows them. Objects are struct managed. Loop thread.
 */

#include "bus/tree.h"

struct marshal_slot;

/* ---- hooks of struct object_kind ---- */

void *managed_object_find(const struct branch *branch, const char *element, bool pending, GError **error);
void *managed_object_ref(const struct branch *branch, void *object);
void managed_object_unref(const struct branch *branch, void *object); /* NULL is fine */
GPtrArray *managed_object_list(const struct branch *branch);
void managed_object_write_element(const struct branch *branch, const void *object, GString *path);

#define MANAGED_OBJECT_HOOKS                                                                                 \
        .find = managed_object_find, .ref = managed_object_ref, .unref = managed_object_unref,               \
        .list = managed_object_list, .write_element = managed_object_write_element

/* ---- getters, for properties with org.virtbus.Getter "managed" ---- */

bool get_managed_active(const struct target *target, struct marshal_slot *slot, GError **error);
bool get_managed_autostart(const struct target *target, struct marshal_slot *slot, GError **error);
bool get_managed_name(const struct target *target, struct marshal_slot *slot, GError **error);
bool get_managed_persistent(const struct target *target, struct marshal_slot *slot, GError **error);
bool get_managed_uuid(const struct target *target, struct marshal_slot *slot, GError **error);
