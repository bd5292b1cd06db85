/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What all kinds of objects in collections (base/collection.h) have in common on the bus: their paths end in
 * the encoding of a key, and what becomes of them is announced by the collection. Hooks of struct
 * object_kind. Loop thread.
 */

#include "bus/tree.h"

void *collected_object_find(const struct branch *branch, const char *element, bool pending, GError **error);
void *collected_object_ref(const struct branch *branch, void *object);
void collected_object_unref(const struct branch *branch, void *object);
GPtrArray *collected_object_list(const struct branch *branch);
void collected_object_write_element(const struct branch *branch, const void *object, GString *path);

#define COLLECTED_OBJECT_HOOKS                                                                               \
        .find = collected_object_find, .ref = collected_object_ref, .unref = collected_object_unref,         \
        .list = collected_object_list, .write_element = collected_object_write_element

/* Tells the bus what becomes of the objects; data is the struct branch. */
extern const struct collection_listener collected_object_follow;
