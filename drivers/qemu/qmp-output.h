/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What is to be written to a monitor: commands, some with a descriptor along. Belongs to one client; no
 * thread of its own.
 *
 * QEMU takes commands out of band (exec-oob) while others wait for its main thread, but it stops reading when
 * eight of those wait. So fewer than that are on their way at a time, and the rest stays here. Nor does it
 * keep more than one descriptor: the next one waits for the answer to the command before it.
 */

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

#define QMP_IN_BAND_MAX 7 /* commands that are written, at least in part, and not answered */

struct qmp_output {
        GQueue chunks;       /* of struct chunk, owned */
        unsigned unanswered; /* commands in band */
        bool has_fd;         /* one of these has a descriptor */
};

void qmp_output_done(struct qmp_output *output);
/* Is there something that may be written by now? */
bool qmp_output_is_ready(const struct qmp_output *output);
/* Takes text, a command in band, and fd (-1: none), which goes along with the first byte. */
void qmp_output_push(struct qmp_output *output, char *text, size_t length, int fd);
/* Takes text, a command out of band: it goes before all that has not been begun. */
void qmp_output_push_oob(struct qmp_output *output, char *text, size_t length);
/* A command in band, with or without a descriptor, is answered: others may go. */
void qmp_output_heed_answer(struct qmp_output *output, bool had_fd);
/*
 * Writes as far as it goes without waiting, and as it may. When the other side is gone, what is left is
 * dropped.
 */
void qmp_output_flush(struct qmp_output *output, int socket_fd);
