/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Puts the elements of a domain document in the order in which libvirt writes them, and remarks what is in it
 * that the typed view does not hold. Any thread; the document belongs to the caller.
 */

#include <glib.h>
#include <libxml/tree.h>

/* More remarks of a kind are not kept. */
#define DOMAIN_REMARKS_MAX 32

/*
 * Orders all of doc, whose root is <domain>. Appends owned strings, pieces of a sentence ("<memtune>",
 * "attribute 'sgio' of <disk>"): to undriven what the format knows and the typed view does not hold, to
 * unknown what the format does not know. Either may be NULL.
 */
void domain_order(xmlDoc *doc, GPtrArray *undriven, GPtrArray *unknown);
