/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Elements of object paths. No state; any thread.
 */
#include "bus/object-path.h"

#include <string.h>

static const char digits[] = "0123456789abcdef";

/* Lower-case digits only. */
static int get_digit(char c)
{
        const char *found = c ? strchr(digits, c) : NULL;

        return found ? (int)(found - digits) : -1;
}

char *object_path_put_uuid(char *buffer, const char uuid_text[UUID_STRING_LENGTH + 1])
{
        *buffer++ = '_';
        for (unsigned i = 0; i < UUID_STRING_LENGTH; i++)
                *buffer++ = uuid_text[i] == '-' ? '_' : uuid_text[i];
        *buffer = '\0';
        return buffer;
}

bool object_path_get_uuid(const char *element, struct uuid *uuid)
{
        const char *at = element;

        if (*at++ != '_')
                return false;
        for (unsigned i = 0; i < sizeof(uuid->bytes); i++) {
                int high, low;

                if ((i == 4 || i == 6 || i == 8 || i == 10) && *at++ != '_')
                        return false;
                high = get_digit(at[0]);
                low = high < 0 ? -1 : get_digit(at[1]);
                if (low < 0)
                        return false;
                uuid->bytes[i] = (uint8_t)(high << 4 | low);
                at += 2;
        }
        return *at == '\0';
}

void object_path_append(GString *path, const char *name)
{
        if (!*name)
                g_string_append_c(path, '_');
        for (const char *at = name; *at; at++) {
                if (g_ascii_isalnum(*at)) {
                        g_string_append_c(path, *at);
                } else {
                        g_string_append_c(path, '_');
                        g_string_append_c(path, digits[(unsigned char)*at >> 4]);
                        g_string_append_c(path, digits[(unsigned char)*at & 15]);
                }
        }
}

char *object_path_encode(const char *name)
{
        GString *element = g_string_sized_new(strlen(name) * 2);

        object_path_append(element, name);
        return g_string_free(element, FALSE);
}

/* The byte that the three characters at `at` stand for; -1 when they are no canonical escape. */
static int get_escape(const char *at)
{
        int high = get_digit(at[1]);
        int low = high < 0 ? -1 : get_digit(at[2]);
        int byte = low < 0 ? 0 : high << 4 | low;

        return byte == 0 || g_ascii_isalnum((char)byte) ? -1 : byte;
}

char *object_path_decode(const char *element)
{
        g_autoptr(GString) name = g_string_sized_new(strlen(element));

        if (g_str_equal(element, "_"))
                return g_strdup("");
        if (!*element)
                return NULL;
        for (const char *at = element; *at; at++) {
                if (g_ascii_isalnum(*at)) {
                        g_string_append_c(name, *at);
                } else {
                        int byte = *at == '_' ? get_escape(at) : -1;

                        if (byte < 0)
                                return NULL;
                        g_string_append_c(name, (char)byte);
                        at += 2;
                }
        }
        return g_string_free(g_steal_pointer(&name), FALSE);
}
