/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the two files of sight.h share. Loop thread. */

#include "bus/sight.h"
#include "drivers/authorization.h"

/* A job is seen by whoever sees what it works on; *object NULL: by everybody. */
void sight_find_subject(const struct branch **branch, void **object);
/* False: everybody may see it. */
bool sight_fill_question(struct authorization_question *question, struct identity *identity,
                         const struct branch *branch, void *object);
