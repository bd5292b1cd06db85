/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Documents as people and programs write them, brought to what they mean: what is empty and counts as absent
 * goes, and what is one section stands in one place. What counts as absent is the tables' to say
 * (DOMAIN_SCHEMA_VOID, "?name"), as tried on libvirt 9.0. Any thread; the document belongs to the caller.
 */

#include <libxml/tree.h>

/*
 * Works on all of doc, whose root is <domain>:
 *
 * - attributes and elements that have nothing in them and count as absent then are removed;
 * - sections that stand more than once (<devices>, <features>, <qemu:commandline> ...) become one: the first,
 *   with what the others hold behind its own; of an attribute the first counts;
 * - of <metadata> what has no namespace is removed, and what is not the first of its namespace.
 */
void domain_tidy(xmlDoc *doc);

/* The same for element, one of <devices>' children, and what is below it: devices on their own. */
void domain_tidy_device(xmlNode *element);
