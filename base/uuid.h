/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * UUIDs in memory are the 16 raw bytes; as text they are the 36 lower-case characters of RFC 4122. Any
 * thread.
 */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define UUID_STRING_LENGTH 36

struct uuid {
        uint8_t bytes[16];
};

/*
 * Accepts 32 hexadecimal digits of either case, with hyphens at any place between bytes or none, and white
 * space around them, as libvirt does. False with ERROR_INVALID_ARG, and *uuid left alone, for anything else.
 */
bool uuid_parse(struct uuid *uuid, const char *text, GError **error);

/* buffer holds UUID_STRING_LENGTH + 1 bytes; returns buffer. */
char *uuid_format(const struct uuid *uuid, char buffer[UUID_STRING_LENGTH + 1]);

/* A random (version 4) UUID. */
void uuid_generate(struct uuid *uuid);

bool uuid_equal(const struct uuid *a, const struct uuid *b);

/* GHashTable functions for keys of type struct uuid *. */
guint uuid_hash(gconstpointer uuid);
gboolean uuid_equal_func(gconstpointer a, gconstpointer b);
