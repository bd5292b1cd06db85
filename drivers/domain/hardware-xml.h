/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The devices of a document, sorted by kind once, as the steps of normalisation and activation work on them,
 * and the small tools that those share. Private to the *-xml.c files of this folder. Any thread.
 */

#include "base/cleanup.h"
#include "base/xml.h"
#include "drivers/domain/definition.h"

#include <glib.h>
#include <string.h>

struct hardware {
        xmlNode *root;                        /* borrowed: <domain> */
        xmlNode *devices;                     /* borrowed: <devices> */
        const struct domain_machine *machine; /* borrowed; NULL when no defaults are to be made */
        /*
         * The machine runs, and this is the only device that is not normal yet: it gets defaults and a place
         * where there is one; nothing else changes. NULL: the whole document is made normal.
         */
        const xmlNode *fresh;                  /* borrowed */
        bool fresh_stays;                      /* it takes the place that another one has had */
        GPtrArray *added;                      /* owned, elements borrowed: what hardware_add() made */
        GPtrArray *nodes[DOMAIN_DEVICE_KINDS]; /* owned, elements borrowed */
};

/*
 * Collects the devices of root; makes <devices> when there is none. More than DOMAIN_DEVICES_MAX are refused.
 * What is set up must be cleared, also after a failure.
 */
bool hardware_init(struct hardware *hardware, xmlNode *root, const struct domain_machine *machine,
                   GError **error);
void hardware_clear(struct hardware *hardware);

/* Adds an element of that kind behind all others. */
xmlNode *hardware_add(struct hardware *hardware, enum domain_device_kind kind);

static inline unsigned hardware_count(const struct hardware *hardware, enum domain_device_kind kind)
{
        return hardware->nodes[kind]->len;
}

static inline xmlNode *hardware_get(const struct hardware *hardware, enum domain_device_kind kind, unsigned i)
{
        return g_ptr_array_index(hardware->nodes[kind], i);
}

#define HARDWARE_FOREACH(node, hardware, kind)                                                               \
        for (unsigned node##_i = 0; node##_i < hardware_count(hardware, kind); node##_i++)                   \
                for (xmlNode *node = hardware_get(hardware, kind, node##_i); node; node = NULL)

/* Owned text for a message: "disk 'vda'", "pci controller 3", "interface '52:54:00:..'". */
char *hardware_describe(const xmlNode *node);

/* An attribute's value, borrowed until the node changes; NULL when absent. node may be NULL. */
const char *hardware_peek(const xmlNode *node, const char *attr);
/* The attribute of the first child element of that name. */
const char *hardware_peek_child(const xmlNode *node, const char *child, const char *attr);
/* The value at the end of a path: "@model", "target@dev", "source/address@bus", "backend" (the text). */
const char *hardware_peek_path(const xmlNode *node, const char *path);
/* The text of an element without children; "" when empty. */
const char *hardware_peek_text(const xmlNode *node);

static inline bool hardware_is(const xmlNode *node, const char *attr, const char *value)
{
        return g_strcmp0(hardware_peek(node, attr), value) == 0;
}

static inline bool hardware_child_is(const xmlNode *node, const char *child, const char *attr,
                                     const char *value)
{
        return g_strcmp0(hardware_peek_child(node, child, attr), value) == 0;
}

/* Sets the attribute if it is absent. value NULL: nothing. */
void hardware_default(xmlNode *node, const char *attr, const char *value);
/* Sets the attribute unless it has that value. At most 63 bytes. */
void hardware_set(xmlNode *node, const char *attr, const char *format, ...) G_GNUC_PRINTF(3, 4);
/* The first child of that name, made if it is absent. */
xmlNode *hardware_child(xmlNode *node, const char *child);
/* Is text one of names (NULL-terminated)? NULL is none. */
bool hardware_is_one_of(const char *text, const char *const names[]);
/*
 * Is the attribute of node, a part of device, one of names? If not, the error names the device and lists
 * them.
 */
bool hardware_require(const xmlNode *device, const xmlNode *node, const char *attr, const char *const names[],
                      GError **error);

/* Strict number of an attribute that must be at most max; absent: *value is left alone. */
bool hardware_get_uint(const xmlNode *node, const char *attr, unsigned max, unsigned *value, GError **error);

/* "ERROR_CONFIG_UNSUPPORTED: <detail> at line N (<element>)", returns false. */
bool hardware_unsupported(GError **error, const xmlNode *node, const char *format, ...) G_GNUC_PRINTF(3, 4);
