/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Cleanup of owned locals, beside GLib's g_autoptr and g_autofree (which need typedefs):
 *
 *     DEFINE_CLEANUP(struct domain, domain_unref);            once, in a header
 *     CLEANUP(domain_unref) struct domain *domain = ...;
 *     CLEANUP_FD int fd = open(...);
 *
 * Ownership leaves through g_steal_pointer() and fd_steal().
 */

#include <unistd.h>

#define DEFINE_CLEANUP(type, function)                                                                       \
        static inline void function##_cleanup(type **pointer)                                                \
        {                                                                                                    \
                if (*pointer)                                                                                \
                        function(*pointer);                                                                  \
        }                                                                                                    \
        struct cleanup_semicolon_##function

#define CLEANUP(function) __attribute__((cleanup(function##_cleanup)))

static inline void fd_cleanup(int *fd)
{
        if (*fd >= 0)
                close(*fd);
}

#define CLEANUP_FD __attribute__((cleanup(fd_cleanup)))

static inline int fd_steal(int *fd)
{
        int value = *fd;

        *fd = -1;
        return value;
}
