/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What an edit is. Private to edit-*-xml.c and live-xml.c. */

#include "base/xml.h"
#include "drivers/domain/edit-xml.h"

struct domain_edit {
        struct domain_def *before; /* ref; what is edited */
        struct domain_doc *doc;    /* owned */
        xmlNode *root;             /* borrowed from doc */
        GError *error;             /* owned; the first failure */
};

/* Where to put a failure; NULL once there is one. */
GError **domain_edit_error(struct domain_edit *edit);
