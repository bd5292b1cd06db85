/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The <domainCapabilities> document: what guests of one emulator, architecture, machine and domain type can
 * have. What is listed is what the emulator has and this agent drives. Any thread; it looks whether a few
 * files are there.
 */

#include <glib.h>

struct firmware_list;
struct host;
struct resolve_result;

/* All borrowed. */
struct domain_capabilities_request {
        const struct resolve_result *target;
        const struct host *host;
        const struct firmware_list *firmware;
};

char *domain_capabilities_format(const struct domain_capabilities_request *request);
