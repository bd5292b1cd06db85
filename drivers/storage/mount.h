/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Pools that are mounted file systems (fs, netfs): mounting, unmounting, and the work of the dir backend on
 * what is mounted. Pool's lane. A mount, unmount or look that hangs costs MOUNT_TIMEOUT_MS and is an error
 * then.
 */

#include "drivers/storage/backend.h"

#define MOUNT_TIMEOUT_MS 30000

/* What is to be at the target. */
struct mount_request {
        const char *source;  /* borrowed; device, "host:/dir" or "//host/dir" */
        const char *type;    /* borrowed; NULL: mount(8) finds out */
        const char *options; /* borrowed; comma-separated */
};

/* Is the def's mount options' text fit for a command line? */
bool mount_check_options(const struct pool_def *def, GError **error);
/* What every pool is mounted with, and more. */
#define MOUNT_OPTIONS "nodev,nosuid,noexec"
void mount_add_option(GString *options, const struct pool_option *option);
/* MOUNT_OPTIONS and the definition's own ones. Owned. */
GString *mount_options(const struct pool_def *def);

/* Is source at the pool's target? Never touches the mounted file system. */
bool mount_is_active(const struct backend_context *context, const char *source, bool *active, GError **error);
/* Mounts unless it is there, and starts the directory; undoes all of it on failure. */
bool mount_start(const struct backend_context *context, const struct mount_request *request, GError **error);
/* Unmounts; what is stuck is detached lazily, with a warning. Not there: nothing to do. */
bool mount_stop(const struct backend_context *context, const char *source, GError **error);
/* Is source mounted and does it answer? For refresh, before anything else touches it. */
bool mount_check_alive(const struct backend_context *context, const char *source, GError **error);
