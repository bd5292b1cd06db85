/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * passt(1), which is the user's network of an interface: one process for each, of the emulators' user, that
 * talks to the emulator through a pair of sockets. It ends by itself when the emulator's end of them is
 * closed, so there is nothing to be found of a start that was cut short. Lane of the domain.
 */

#include "base/lane.h"
#include "drivers/qemu/process.h"

#include <glib.h>
#include <stdbool.h>

struct domain_interface;
struct guest;
struct resources;

/* One that runs, and is watched. */
struct passt {
        struct guest *guest; /* borrowed */
        char *alias;         /* owned; of the interface */
        struct process process;
        struct lane_watch *watch; /* owned; NULL: it has ended */
        struct lane_timer *timer; /* owned; it has ended, and whether alone is seen then */
};

/* Lets go of it; for g_ptr_array_new_with_free_func(). */
void passt_free(void *passt);

/*
 * Starts one for the interface, and waits until it has taken its ports. The emulator gets its socket
 * (resources), the guest has it noted. Errors say what passt said.
 */
bool passt_start(struct resources *resources, const struct domain_interface *interface, GError **error);
/* Those of a guest that was found running, as its status document says. */
void passt_take_over(struct guest *guest);
/* Ends that of the interface with that alias; NULL: all. */
void passt_end(struct guest *guest, const char *alias);

/*
 * What passt calls the ports that are to be forwarded, with the option for each: "--tcp-ports",
 * "127.0.0.1%eth0/2222:22,~2223", ... Appended to argv, owned. ERROR_CONFIG_UNSUPPORTED for what it could not
 * say.
 */
bool passt_add_forwards(GPtrArray *argv, const struct domain_interface *interface, GError **error);
