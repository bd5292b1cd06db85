/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The values of options of QEMU. No state.
 */
#include "drivers/qemu/native-private.h"

#include "base/units.h"

#include <string.h>

void native_add(GString *to, const char *format, ...)
{
        va_list args;
        char *text;

        va_start(args, format);
        text = g_markup_vprintf_escaped(format, args);
        va_end(args);
        g_string_append(to, text);
        g_free(text);
}

bool native_parse_number(const char *text, uint64_t max, uint64_t *number)
{
        return units_parse_uint64(text, "number", max, number, NULL);
}

GPtrArray *native_split(const char *text)
{
        GPtrArray *parts = g_ptr_array_new_with_free_func(g_free);

        while (text) {
                g_autoptr(GString) part = g_string_new(NULL);
                char *equals;

                for (; *text && (*text != ',' || text[1] == ','); text++) {
                        text += *text == ',';
                        g_string_append_c(part, *text);
                }
                text = *text ? text + 1 : NULL;
                equals = strchr(part->str, '=');
                if (equals)
                        *equals = '\0';
                g_ptr_array_add(parts, g_strdup(part->str));
                g_ptr_array_add(parts, equals ? g_strdup(equals + 1) : NULL);
        }
        return parts;
}

char *native_join(const GPtrArray *parts)
{
        GString *text = g_string_new(NULL);

        for (unsigned i = 0; i < parts->len; i += 2) {
                g_autoptr(GString) value = g_string_new(parts->pdata[i + 1]);

                g_string_replace(value, ",", ",,", 0);
                g_string_append_printf(text, "%s%s%s%s", i > 0 ? "," : "", (char *)parts->pdata[i],
                                       parts->pdata[i + 1] ? "=" : "", value->str);
        }
        return g_string_free(text, FALSE);
}

char *native_take(GPtrArray *parts, const char *key)
{
        for (unsigned i = 0; i < parts->len; i += 2) {
                char *value = g_ptr_array_index(parts, i + 1);

                if (!value || strcmp(g_ptr_array_index(parts, i), key) != 0)
                        continue;
                parts->pdata[i + 1] = NULL;
                g_ptr_array_remove_range(parts, i, 2);
                return value;
        }
        return NULL;
}

char *native_take_first(GPtrArray *parts, const char *key)
{
        char *value;

        if (parts->len == 0 || g_ptr_array_index(parts, 1))
                return native_take(parts, key);
        value = g_strdup(g_ptr_array_index(parts, 0));
        g_ptr_array_remove_range(parts, 0, 2);
        return value;
}
