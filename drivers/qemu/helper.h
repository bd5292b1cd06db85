/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Processes that work for one device of a guest and end by themselves when the emulator's end of their
 * connection is closed: passt, virtiofsd, vhost-user-gpu (not so HELPER_BUS and HELPER_RESERVATIONS). So
 * there is nothing to be found of a start that was cut short. Those of a guest are watched, noted in its
 * status document by the alias of their device, and ended with it. Lane of the domain.
 */

#include "base/lane.h"
#include "drivers/qemu/process.h"

#include <glib.h>
#include <stdbool.h>

struct guest;

/* The bus of a guest's own, as program and as alias: it is no device's, and does not end by itself. */
#define HELPER_BUS "dbus-daemon"
/* The same of what carries out reservations; it is started again when it ends. */
#define HELPER_RESERVATIONS "qemu-pr-helper"

struct helper {
        struct guest *guest; /* borrowed */
        char *program;       /* owned; "passt" */
        char *alias;         /* owned; of the device */
        struct process process;
        struct lane_watch *watch; /* owned; NULL: it is not watched, or has ended */
        struct lane_timer *timer; /* owned; it has ended, and whether alone is seen then */
};

/* Lets go of it; for g_ptr_array_new_with_free_func(). */
void helper_free(void *helper);

/* A connection for a helper of the device with that alias, which gets *own; the emulator gets *emulators. */
bool helper_make_sockets(struct guest *guest, const char *alias, int *own, int *emulators, GError **error);
/*
 * Starts it with the rights of the guest's emulator and in its control group; it inherits fd under that
 * number, and says what it has to say to log_fd. argv: NULL at the end.
 */
bool helper_run(struct guest *guest, const GPtrArray *argv, int fd, int log_fd, struct process *process,
                GError **error);

/* The guest has it from here on; takes process. Borrowed. */
struct helper *helper_add(struct guest *guest, const char *program, const char *alias,
                          const struct process *process);
/* Tells of its end, from here on. */
bool helper_watch(struct helper *helper, GError **error);

/* Those of a guest that was found running, as its status document says. */
void helper_take_over(struct guest *guest);
/* Ends those of the device with that alias; NULL: all. */
void helper_end(struct guest *guest, const char *alias);
