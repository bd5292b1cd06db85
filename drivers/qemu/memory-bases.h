/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Where the guest has its memory devices that are in slots: QEMU chooses the places, one behind the other,
 * and a guest that is restored or comes to another host must have them there again, whatever has gone
 * in between. Lane of the domain.
 */

#include "drivers/domain/definition.h"

#include <jansson.h>
#include <stdbool.h>

struct domain_edit;
struct qmp;

/* Does it have any? */
bool memory_has_slots(const struct domain_def *def);

/*
 * Notes in the edit of def what answer, to query-memory-devices, says of them (<address base=>); NULL: it
 * says nothing. Is any of that new?
 */
bool memory_set_bases(struct domain_edit *edit, const struct domain_def *def, const json_t *answer);

/* The same, asked for; a QEMU that does not answer leaves them open. */
bool memory_ask_bases(struct qmp *qmp, struct domain_edit *edit, const struct domain_def *def);
