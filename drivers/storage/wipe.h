/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Overwriting what a volume holds. Job's lane. */

#include "drivers/storage/backend.h"

/* Overwrites length bytes of fd; path is its name in errors. */
bool wipe_run(const struct backend_context *context, int fd, const char *path, uint64_t length,
              enum volume_wipe_algorithm algorithm, GError **error);
