/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Guests that a libvirtd has left running: its status document about such a guest becomes one of ours, by
 * which the next agent takes the guest over as one of its predecessor's (takeover.c). Nothing is done to the
 * guest. What cannot be carried over refuses it. Start-up, loop.
 */

#include "base/cleanup.h"
#include "base/uuid.h"

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

struct domain_driver;
struct status;

struct adoption {
        struct status *status;  /* owned; what will be written down */
        GPtrArray *files;       /* owned, struct adoption_file: that may have changed hands for it */
        bool is_here;           /* it has been adopted, and its monitor is ours */
        GPtrArray *confinement; /* owned, char *: security models other than ours that it was labelled by */
        bool has_own_dev;       /* it sees a /dev of its own, as it was when it started */
};

struct adoption_file {
        char *alias; /* owned; of its device; NULL: the guest's */
        char *path;  /* owned */
};

/*
 * Looks at the guest that text, a <domstatus> document of libvirt's, is about: at its process, which is known
 * by its pid and the uuid on its command line, and at its monitor, which has to answer as that uuid's. So
 * that one must not be anybody else's: runs the loop until the emulator has answered, five seconds at most.
 *
 * NULL without an error: it does not run any more. Errors are sentences that say why it cannot be adopted.
 */
struct adoption *adoption_new(struct domain_driver *driver, const char *text, GError **error);
/* NULL is fine. */
void adoption_free(struct adoption *adoption);
DEFINE_CLEANUP(struct adoption, adoption_free);

/*
 * Writes it down for the next agent. From then on libvirt must not find its own document any more: a libvirtd
 * that cannot talk to an emulator ends it.
 */
bool adoption_write(const struct adoption *adoption, struct domain_driver *driver, GError **error);

/* Borrowed. */
const char *adoption_get_name(const struct adoption *adoption);
const struct uuid *adoption_get_uuid(const struct adoption *adoption);
pid_t adoption_get_pid(const struct adoption *adoption);

/* adopt-xml.c: the document, and nothing but. Any thread. */
struct adoption *adoption_parse(const char *text, GError **error);
