/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Table-driven reading of elements into structs: a table says which attribute goes where, as what type and
 * within which bounds, so that each family of devices is little more than its tables. What is malformed is
 * refused with element, attribute and line. Numbers, sizes and sets are put into canonical form in the
 * document on the way (KiB, "0-3,5"). Internal to drivers/domain; one thread at a time.
 */

#include "base/xml.h"
#include "drivers/domain/arena.h"
#include "drivers/domain/definition.h"

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* More elements of one name are refused: what one becomes may be larger than its text. */
#define FIELD_ARRAY_MAX 4096

/* What a reading needs besides the document; the sets find what must not be there twice. */
struct domain_reader {
        struct domain_arena *arena; /* borrowed: where all that is read goes */
        GHashTable *targets;        /* owned: disk targets */
        GHashTable *aliases;        /* owned */
        GHashTable *boot_orders;    /* owned */
        unsigned devices;
};

enum field_type {
        FIELD_END,
        FIELD_STRING, /* const char *; "" is the same as absent */
        FIELD_TEXT,   /* const char *; "" is kept */
        FIELD_PATH,   /* const char *; absolute, or relative where the field says so; "" is the same as absent
                       */
        FIELD_UUID,   /* const char *; a UUID, as written */
        FIELD_NAME,   /* const char *; one of names */
        FIELD_ENUM,   /* an enum of one byte: the index in names, from min on */
        FIELD_BOOL,   /* bool: names[0] is false, names[1] is true */
        FIELD_PRESENT, /* bool: true, whatever the value is */
        FIELD_YES_NO,  /* enum domain_switch */
        FIELD_ON_OFF,  /* enum domain_switch */
        FIELD_UINT,    /* uint8_t ... uint64_t, decimal, min..max */
        FIELD_HEX,     /* the same in C's notation: 0x.., 0.., decimal */
        FIELD_INT,     /* int, -1..max; min is 0 where -1 is not allowed, too */
        FIELD_SIGNED,  /* int64_t */
        FIELD_KIB,     /* uint64_t: a size with the unit of the attribute "unit", KiB when there is none */
        FIELD_MIB,     /* uint64_t: the same in whole MiB, MiB when there is none */
        FIELD_BYTES,   /* uint64_t: the same in bytes */
        FIELD_CPUSET,  /* struct domain_cpuset: numbers below max */
};

struct field {
        const char *attr; /* NULL: the text of the element */
        enum field_type type;
        bool required;
        bool relative; /* a path that need not be absolute: whoever uses it checks that */
        uint16_t offset;
        uint8_t size;
        const char *const *names; /* NULL-terminated */
        uint64_t min;
        uint64_t max; /* 0: what the member can hold; strings: bytes */
};

/* The member's place, with its type checked. */
#define FIELD_OF(type, member, expected)                                                                     \
        .size = sizeof(((type *)0)->member),                                                                 \
        .offset = (uint16_t)(offsetof(type, member) +                                                        \
                             0 * sizeof(char[__builtin_types_compatible_p(__typeof__(((type *)0)->member),   \
                                                                          expected)                          \
                                                     ? 1                                                     \
                                                     : -1]))
#define FIELD_SIZED(type, member)                                                                            \
        .size = sizeof(((type *)0)->member), .offset = (uint16_t)offsetof(type, member)

/* attribute, struct, member [, further designators] */
#define STRING(a, t, m, ...)                                                                                 \
        {                                                                                                    \
                .attr = (a), .type = FIELD_STRING, FIELD_OF(t, m, const char *), ##__VA_ARGS__               \
        }
#define TEXT(a, t, m, ...)                                                                                   \
        {                                                                                                    \
                .attr = (a), .type = FIELD_TEXT, FIELD_OF(t, m, const char *), ##__VA_ARGS__                 \
        }
#define PATH(a, t, m, ...)                                                                                   \
        {                                                                                                    \
                .attr = (a), .type = FIELD_PATH, FIELD_OF(t, m, const char *), ##__VA_ARGS__                 \
        }
#define UUID(a, t, m, ...)                                                                                   \
        {                                                                                                    \
                .attr = (a), .type = FIELD_UUID, FIELD_OF(t, m, const char *), ##__VA_ARGS__                 \
        }
#define NAME(a, t, m, n, ...)                                                                                \
        {                                                                                                    \
                .attr = (a), .type = FIELD_NAME, FIELD_OF(t, m, const char *), .names = (n), ##__VA_ARGS__   \
        }
#define ENUM(a, t, m, n, ...)                                                                                \
        {                                                                                                    \
                .attr = (a), .type = FIELD_ENUM, FIELD_SIZED(t, m), .names = (n), ##__VA_ARGS__              \
        }
#define BOOL(a, t, m, n, ...)                                                                                \
        {                                                                                                    \
                .attr = (a), .type = FIELD_BOOL, FIELD_OF(t, m, bool), .names = (n), ##__VA_ARGS__           \
        }
#define PRESENT(a, t, m, ...)                                                                                \
        {                                                                                                    \
                .attr = (a), .type = FIELD_PRESENT, FIELD_OF(t, m, bool), ##__VA_ARGS__                      \
        }
#define YES_NO(a, t, m, ...)                                                                                 \
        {                                                                                                    \
                .attr = (a), .type = FIELD_YES_NO, FIELD_OF(t, m, enum domain_switch), ##__VA_ARGS__         \
        }
#define ON_OFF(a, t, m, ...)                                                                                 \
        {                                                                                                    \
                .attr = (a), .type = FIELD_ON_OFF, FIELD_OF(t, m, enum domain_switch), ##__VA_ARGS__         \
        }
#define UINT(a, t, m, ...)                                                                                   \
        {                                                                                                    \
                .attr = (a), .type = FIELD_UINT, FIELD_SIZED(t, m), ##__VA_ARGS__                            \
        }
#define HEX(a, t, m, ...)                                                                                    \
        {                                                                                                    \
                .attr = (a), .type = FIELD_HEX, FIELD_SIZED(t, m), ##__VA_ARGS__                             \
        }
#define INT(a, t, m, ...)                                                                                    \
        {                                                                                                    \
                .attr = (a), .type = FIELD_INT, FIELD_OF(t, m, int), ##__VA_ARGS__                           \
        }
#define SIGNED(a, t, m, ...)                                                                                 \
        {                                                                                                    \
                .attr = (a), .type = FIELD_SIGNED, FIELD_OF(t, m, int64_t), ##__VA_ARGS__                    \
        }
#define KIB(a, t, m, ...)                                                                                    \
        {                                                                                                    \
                .attr = (a), .type = FIELD_KIB, FIELD_OF(t, m, uint64_t), ##__VA_ARGS__                      \
        }
#define MIB(a, t, m, ...)                                                                                    \
        {                                                                                                    \
                .attr = (a), .type = FIELD_MIB, FIELD_OF(t, m, uint64_t), ##__VA_ARGS__                      \
        }
#define BYTES(a, t, m, ...)                                                                                  \
        {                                                                                                    \
                .attr = (a), .type = FIELD_BYTES, FIELD_OF(t, m, uint64_t), ##__VA_ARGS__                    \
        }
#define CPUSET(a, t, m, ...)                                                                                 \
        {                                                                                                    \
                .attr = (a), .type = FIELD_CPUSET, FIELD_OF(t, m, struct domain_cpuset), ##__VA_ARGS__       \
        }
#define FIELDS_END                                                                                           \
        {                                                                                                    \
                .type = FIELD_END                                                                            \
        }

typedef bool (*field_reader)(struct domain_reader *reader, xmlNode *node, void *target, GError **error);

/*
 * What a child element of a device (or other element) is made into: fields, then read; several may name one
 * element.
 */
struct field_part {
        const char *element;        /* NULL: the element itself; "a/b/c": a child of a child, and so on */
        const struct field *fields; /* may be NULL */
        field_reader read;          /* may be NULL */
        uint16_t offset;            /* of the struct that fields and read fill, in the target */
};

#define PARTS_END                                                                                            \
        {                                                                                                    \
                .fields = NULL, .read = NULL                                                                 \
        }

/*
 * The value of an attribute (attr NULL: the text), NULL when absent; valid as long as the document is not
 * changed there. Text with foreign nodes in it is copied to the arena.
 */
const char *field_get_text(struct domain_reader *reader, const xmlNode *node, const char *attr);

/* Reads the fields of one element into target. */
bool field_read(struct domain_reader *reader, xmlNode *node, const struct field *fields, void *target,
                GError **error);

/* Reads node and its children by parts into target. Of an element that is repeated the first counts. */
bool field_read_parts(struct domain_reader *reader, xmlNode *node, const struct field_part *parts,
                      void *target, GError **error);

/*
 * Reads every child of that name into an array of structs of size bytes. array_member is the address of the
 * pointer to it, which becomes NULL when there are none.
 */
bool field_read_array(struct domain_reader *reader, xmlNode *parent, const char *name,
                      const struct field_part *parts, size_t size, void *array_member, uint32_t *count,
                      GError **error);

/* Refuses text that is in set already, else adds it; what names it ("disk target"). */
bool field_check_unique(GHashTable *set, const xmlNode *node, const char *what, const char *text,
                        GError **error);
