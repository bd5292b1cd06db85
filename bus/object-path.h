/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Elements of object paths: "_<uuid with - as _>", and the encoding of free names. Only the canonical
 * spelling is accepted, so that one object has one path. Any thread.
 */

#include "base/uuid.h"

#include <glib.h>
#include <stdbool.h>

/* "_" and the 36 characters of a UUID. */
#define OBJECT_PATH_UUID_LENGTH (1 + UUID_STRING_LENGTH)

/* Writes the element for a UUID in canonical text form to buffer, and a NUL. Returns the end (the NUL). */
char *object_path_put_uuid(char *buffer, const char uuid_text[UUID_STRING_LENGTH + 1]);

/* The UUID of an element (NUL-terminated); false when it is not the canonical spelling of one. */
bool object_path_get_uuid(const char *element, struct uuid *uuid);

/*
 * enc(): letters and digits stay, every other byte becomes "_xx". "" becomes "_", as an element must not
 * be empty.
 */
char *object_path_encode(const char *name) G_GNUC_WARN_UNUSED_RESULT;
/* The same at the end of a path. */
void object_path_append(GString *path, const char *name);

/* The inverse; NULL when the element is not what object_path_encode() makes of anything. */
char *object_path_decode(const char *element) G_GNUC_WARN_UNUSED_RESULT;
