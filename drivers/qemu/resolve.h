/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What emulator, architecture, machine type and domain type mean when some of them are left open: the
 * defaults of this host, filled in and checked against each other. Loop thread.
 */

#include "drivers/qemu/qemu-caps.h"

#include <glib.h>

struct account;
struct domain_machine;
struct host;
struct probe_cache;

struct resolve_request {
        const char *emulator; /* each may be NULL or "": the default */
        const char *arch;
        const char *machine;           /* or alias */
        const char *type;              /* "kvm", "qemu" */
        const struct account *account; /* who emulators run as, for the reason why KVM cannot be used; NULL:
                                          not looked for */
};

/* All borrowed for the time of the call that hands it over. */
struct resolve_result {
        const struct qemu_caps *caps;
        const struct qemu_machine *machine;
        const char *arch;
        enum qemu_accel accel;
        const char *type; /* "kvm", "qemu" */
};

/*
 * result is NULL when there is an error: ERROR_INVALID_ARG, naming what does not exist or does not go
 * together; or the probe's.
 */
typedef void (*resolve_done)(const struct resolve_result *result, const GError *error, void *data);

/*
 * Calls done exactly once: at once when the emulator is known, else when it has been probed. Nothing of
 * request is kept but copies.
 */
void resolve_run(struct probe_cache *cache, const struct host *host, const struct resolve_request *request,
                 resolve_done done, void *data);

/*
 * The same in any thread, once the emulator's capabilities are at hand: caps must be those of
 * request->emulator.
 */
bool resolve_check(const struct qemu_caps *caps, const struct resolve_request *request,
                   struct resolve_result *result, GError **error);

/* What the domain model needs to know of a machine type. Strings are borrowed from result and its caps. */
void resolve_describe(const struct resolve_result *result, struct domain_machine *machine);
