/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The configuration, read again while the agent runs: in a lane, because disks may be slow; what comes of it
 * is told on the loop. Loop thread.
 */

#include "agent/config.h"

struct loop;
struct pool;
struct reload;

/* The file was read again: config is taken; NULL with an error that names file and line. */
typedef void (*reload_done)(struct config *config, const GError *error, void *data);

/* path is borrowed and outlives it; required: see config_read(). */
struct reload *reload_new(struct loop *loop, struct pool *pool, const char *path, bool required,
                          reload_done done, void *data);
/* When no reading is on its way, or after the loop's last turn. NULL is fine. */
void reload_free(struct reload *reload);

/* Reads it, and tells. Readings are told in the order asked for. */
void reload_ask(struct reload *reload);
bool reload_is_busy(const struct reload *reload);
