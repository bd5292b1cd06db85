/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Values in what QEMU says. Borrowed from object, which may be NULL. Any thread. */

#include <jansson.h>
#include <stdint.h>

/* NULL: it has no such string. */
static inline const char *qmp_get_string(const json_t *object, const char *name)
{
        return json_string_value(json_object_get(object, name));
}

/* "": it has none. */
static inline const char *qmp_get_text(const json_t *object, const char *name)
{
        const char *value = qmp_get_string(object, name);

        return value ? value : "";
}

/* 0: it has no such number, or a negative one, which no amount is. */
static inline uint64_t qmp_get_count(const json_t *object, const char *name)
{
        json_int_t value = json_integer_value(json_object_get(object, name));

        return value > 0 ? (uint64_t)value : 0;
}
