/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Keeps the logs of running guests within bounds: looks at those that are written to, about once a second
 * while any is. Has a lane of its own. Loop.
 */

#include <glib.h>

struct log_keeper;
struct loop;
struct pool;

/* NULL with an error when descriptors are short. */
struct log_keeper *log_keeper_new(struct loop *loop, struct pool *pool, const char *dir, GError **error);

/* Ends its watch and waits for that, turning the loop meanwhile. NULL is fine. */
void log_keeper_free(struct log_keeper *keeper);
