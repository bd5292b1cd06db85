/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The elements and attributes of libvirt's domain format (version 9.0, formatdomain), in the order in which
 * libvirt writes them, with a mark on what our typed view has no place for. Constant tables; any thread.
 */

#include <stdbool.h>

#define DOMAIN_QEMU_NAMESPACE "http://libvirt.org/schemas/domain/qemu/1.0"

enum domain_schema_flags {
        DOMAIN_SCHEMA_MANY = 1 << 0,     /* may be repeated */
        DOMAIN_SCHEMA_UNDRIVEN = 1 << 1, /* known to the format, not to the typed view */
        DOMAIN_SCHEMA_OPAQUE = 1 << 2,   /* what is below belongs to others */
        DOMAIN_SCHEMA_QEMU = 1 << 3,     /* in DOMAIN_QEMU_NAMESPACE */
        DOMAIN_SCHEMA_VOID = 1 << 4,   /* counts as absent when there is nothing in it, attributes included */
        DOMAIN_SCHEMA_MERGED = 1 << 5, /* all that stand in one parent are one */
        DOMAIN_SCHEMA_DROPPED = 1 << 6, /* programs write it, and libvirt leaves it out */
        DOMAIN_SCHEMA_TEXT = 1 << 7,    /* counts as absent without a text, whatever its attributes say */
};

struct domain_schema {
        const char *name;                     /* NULL ends a table */
        const char *attributes;               /* names with blanks between, in canonical order; "!name": not
                                                 supported; "?name": counts as absent when it is empty;
                                                 "-name": programs write it, and libvirt leaves it out;
                                                 NULL: none */
        const struct domain_schema *children; /* in canonical order; NULL: none */
        unsigned flags;
};

/* The element <domain>. */
extern const struct domain_schema domain_schema;

/* What is below <devices>. */
extern const struct domain_schema domain_schema_devices[];
/* What limits a disk: below its <iotune>, and below a <throttlegroup>. */
extern const struct domain_schema domain_schema_iotune[];

/* How the format knows an attribute; *place, unless NULL, grows with its place in canonical order. */
enum domain_schema_attribute {
        DOMAIN_ATTRIBUTE_UNKNOWN,
        DOMAIN_ATTRIBUTE_UNDRIVEN,
        DOMAIN_ATTRIBUTE_DRIVEN,
};
enum domain_schema_attribute domain_schema_find_attribute(const struct domain_schema *schema,
                                                          const char *name, unsigned *place);

/* Does an attribute of that name count as absent when it is empty? */
bool domain_schema_takes_empty(const struct domain_schema *schema, const char *name);

/* Is an attribute of that name one that counts as absent, whatever it says? */
bool domain_schema_drops(const struct domain_schema *schema, const char *name);

/* Is the element of that name, in the namespace uri (NULL: none), the one of the row? */
bool domain_schema_matches(const struct domain_schema *row, const char *uri, const char *name);
/* The row of an element in a table of children; NULL: the format does not know it there. */
const struct domain_schema *domain_schema_find(const struct domain_schema *table, const char *uri,
                                               const char *name);
