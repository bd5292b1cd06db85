/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What an edit is. Private to edit-*-xml.c and live-xml.c. */

#include "base/xml.h"
#include "drivers/domain/edit-xml.h"

struct domain_edit {
        struct domain_def *before; /* ref; what is edited */
        struct domain_doc *doc;    /* owned; NULL: not read yet, nothing is changed */
        GError *error;             /* owned; the first failure */
};

/*
 * <domain>, read when it is asked for first. Where it cannot be, which is an error of the edit, it is one
 * without anything in it. Borrowed; good as long as the edit.
 */
xmlNode *domain_edit_root(struct domain_edit *edit);

/* Where to put a failure; NULL once there is one. */
GError **domain_edit_error(struct domain_edit *edit);
