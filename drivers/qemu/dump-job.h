/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A dump of a guest's memory by QEMU as the passive step of an operation: begun, and completed when QEMU says
 * so or the guest is gone. Nobody can end it early. Embedded in the operation's struct; lane of the domain.
 */

#include "base/operation.h"
#include "drivers/qemu/guest.h"

struct dump_job {
        struct operation *op;     /* borrowed */
        struct guest *guest;      /* borrowed; as long as route is there */
        struct route *route;      /* owned; NULL: it is over */
        struct lane_timer *timer; /* owned; the next question */
        json_t *arguments;        /* ref; of the command, until it is sent */
        uint64_t call;            /* the command on the way; 0: none */
};

/* For the run of a passive step: to the descriptor that QEMU has by that name. format: NULL, or QEMU's. */
bool dump_job_begin(struct dump_job *job, struct operation *op, const char *fd_name, const char *format,
                    GError **error);
