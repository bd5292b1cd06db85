/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The <secret> element in the documents of other objects. Any thread. */

#include "base/xml.h"
#include "drivers/secret/secret-ref.h"

/*
 * Reads <secret type=.. uuid=.. or usage=..> of a place that takes secrets for usage_type into ref, which is
 * all zero. The type, where it is given, has to be the one of that place: "passphrase" of encryption,
 * "iscsi", "ceph" ... of authentication. Errors: ERROR_FROM_XML.
 */
bool secret_ref_read(const xmlNode *node, enum secret_usage usage_type, struct secret_ref *ref,
                     GError **error);
/* The attributes of such an element. */
void secret_ref_write(xmlNode *node, const struct secret_ref *ref);
