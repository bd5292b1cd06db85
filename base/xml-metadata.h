/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * <metadata> of documents: an element for each namespace, which belongs to whoever put it there. What a
 * client sets and asks for is known by the namespace and written without it, as in libvirt. Any thread.
 */

#include "base/error.h"
#include "base/xml.h"

/*
 * The child of <metadata> of root in the namespace uri becomes xml: one element, which is put in that
 * namespace with key as its prefix when it is in none. xml NULL removes it, and an empty <metadata> with it.
 * False with ERROR_INVALID_ARG when uri or key is none or the element is in another namespace, or with the
 * error of a text that is no document.
 */
bool xml_metadata_set(xmlNode *root, enum error_domain from, const char *xml, const char *key,
                      const char *uri, GError **error);

/* As it was set; owned. NULL: there is none in that namespace. */
char *xml_metadata_get(const xmlNode *root, const char *uri);
