/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The <capabilities> document: the host's part is written here, guests are added by the drivers. Reads a few
 * files of /sys per CPU; any thread, on big hosts rather a lane.
 */

#include "base/xml.h"

#include <stdbool.h>

struct host;

/* A security model that confines guests, as <secmodel>. */
struct host_secmodel {
        const char *model; /* "dac", "none" */
        const char *doi;
        /* The default label of guests by domain type; NULL-terminated pairs type, label. NULL: none. */
        const char *const *baselabels;
};

/* What the driver knows about the host part. All borrowed. */
struct host_capabilities_options {
        const struct host_secmodel *secmodels;
        unsigned n_secmodels;
        const char *const *migration_transports; /* NULL-terminated, "tcp"; NULL: guests cannot migrate */
        const char *const *cpu_flags; /* old-style <features> of the CPU, NULL-terminated; NULL: none */
};

/* One <guest>; all borrowed. */
struct host_capabilities_guest {
        const char *os_type; /* "hvm" */
        const char *arch;
        unsigned wordsize; /* 32, 64 */
        const char *emulator;
        const char *const *domain_types; /* NULL-terminated */
};

xmlDoc *host_capabilities_new(const struct host *host, const struct host_capabilities_options *options);

/*
 * Adds a <guest> with its <arch>, in which machines stand between emulator and domain types: add_machines
 * (NULL: none) is called with the node to add them to. Returns its <features>, to be filled in.
 */
xmlNode *host_capabilities_add_guest(xmlDoc *doc, const struct host_capabilities_guest *guest,
                                     void (*add_machines)(xmlNode *arch, void *data), void *data);

/* The whole document of the in-memory test driver. */
char *host_capabilities_format_test(const struct host *host);
