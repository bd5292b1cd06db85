/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The <capabilities> document of the QEMU driver: the host and one <guest> per emulator. Any thread; rather a
 * lane.
 */

#include <glib.h>

struct host;
struct host_secmodel;

/* All borrowed. */
struct capabilities_request {
        const struct host *host;
        const GPtrArray *caps;                 /* struct qemu_caps, one per emulator that was found */
        const struct host_secmodel *secmodels; /* those that this agent applies to guests */
        unsigned n_secmodels;
        const char *const *migration_transports; /* NULL-terminated; NULL: guests cannot migrate */
};

/*
 * The paths of the emulators that the document describes: the installed ones, that of the host's architecture
 * first. Owned strings, NULL-terminated. Looks into a few directories.
 */
GPtrArray *capabilities_find_emulators(const struct host *host);

char *capabilities_format(const struct capabilities_request *request);
