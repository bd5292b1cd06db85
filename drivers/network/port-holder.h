/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Who has a port of this host, for an error that says it: found through /proc/net and the descriptors of all
 * processes (proc(5)), which takes a while. Any thread.
 */

#include "drivers/network/network-address.h"

#include <glib.h>
#include <stdbool.h>

struct port_holder {
        int pid;       /* 0: of the kernel, or of a process that is not to be seen */
        char name[17]; /* as in /proc/<pid>/comm */
};

/*
 * A socket of TCP that listens there, or of UDP, bound to address or to all addresses. False: there is none
 * (any more).
 */
bool port_holder_find(const struct network_address *address, unsigned port, struct port_holder *holder);
