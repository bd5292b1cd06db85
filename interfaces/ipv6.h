/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the kernel is told about IPv6 on a link through files, not by netlink
 * (Documentation/networking/ip-sysctl.rst, /proc/sys/net/ipv6/conf/<link>/). A kernel without IPv6, or a
 * namespace without /proc, has no such files: there is nothing to configure then. Any thread; no waiting.
 */

#include <stdbool.h>

/* Each is the one digit that is in the file; '\0': not known. */
struct ipv6_settings {
        char disabled;  /* disable_ipv6 */
        char autoconf;  /* addresses by router advertisements */
        char accept_ra; /* '2': even when the host forwards */
};

struct ipv6_settings ipv6_read(const char *link);
/* What is not known, or is so already, is left alone. A failure is logged. */
void ipv6_write(const char *link, const struct ipv6_settings *settings);
