/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Between pool-def-xml.c, pool-source-xml.c and volume-xml.c: parts of documents. Any thread. */

#include "base/xml.h"
#include "drivers/storage/pool-def.h"

/* The path without repeated and trailing slashes; owned, NULL for NULL. */
char *pool_path_clean(const char *path);

/* Reads <source> (NULL: absent) as the type needs it. */
bool pool_source_read(const xmlNode *node, enum pool_type type, struct pool_source *source, GError **error);
/* Is everything there that the type needs? */
bool pool_source_check(const struct pool_source *source, enum pool_type type, GError **error);
/* Puts the defaults of the view into the document and its elements in order. */
void pool_source_complete(xmlNode *node, const struct pool_source *source);

/* <permissions>; node NULL: all -1. */
bool storage_permissions_read(const xmlNode *node, struct storage_permissions *permissions, GError **error);
void storage_permissions_write(xmlNode *parent, const struct storage_permissions *permissions);
