/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The QEMU driver. Making it loads the definitions and takes over the guests that run already; when it
 * returns, all of them are in its registry. Loop thread.
 */

#include "drivers/model.h"

struct domain_driver;
struct host;
struct loop;
struct pool;

/* Borrowed during the call. */
struct qemu_driver_config {
        /* Directories that exist and are this agent's alone; the driver has its own below them. */
        const char *state_dir;
        const char *runtime_dir;
        const char *log_dir;
        const char *cache_dir;
        /* Where guests' memory is kept that is to be in files; NULL: below state_dir. */
        const char *memory_dir;
        const char *dump_dir; /* for the memory of guests that crash; NULL: below the state directory */
        const char *tls_dir;  /* certificates of disks and character devices; NULL: /etc/pki/qemu */
        const char *spice_tls_dir, *vnc_tls_dir; /* of displays; NULL: without TLS */
        const char *hooks_dir;                   /* the administrator's programs (hooks.h); NULL: none */
        unsigned save_format;                    /* enum save_format, of guests that are saved */
        enum model_security security;
        unsigned migration_first, migration_last; /* TCP ports for guests that come from other hosts */
        /* Device nodes that guests may open beside their own, with commas between; "any": all; NULL: none */
        const char *devices;
        /* Who emulators run as; NULL: as the agent does, the user's own group. */
        const char *user;
        const char *group;
};

/*
 * Errors: a user or group that does not exist, a security driver that the host does not have, a directory
 * that cannot be made or read. Whatever is wrong with a single definition or guest is logged and concerns
 * that one only.
 */
struct domain_driver *qemu_driver_new(struct loop *loop, struct pool *pool, const struct host *host,
                                      const struct qemu_driver_config *config, GError **error);

/* The driver of a connection. */
extern const struct model_driver qemu_model_driver;

/* Lets go of all guests, which run on. NULL is fine. */
void qemu_driver_free(struct domain_driver *driver);
