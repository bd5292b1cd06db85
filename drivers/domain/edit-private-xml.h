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

/*
 * edit-memory-xml.c: <memory> counts memory devices, and <currentMemory> what the guest has of it; one comes
 * or goes. is_summed: <memory> has the size already. What is no memory device changes nothing.
 */
void domain_edit_count_memory(struct domain_edit *edit, const xmlNode *device, bool comes, bool is_summed);
/* Has a memory device that has come room in <maxMemory>, which the guest is started with? */
bool domain_edit_check_room(struct domain_edit *edit, GError **error);
