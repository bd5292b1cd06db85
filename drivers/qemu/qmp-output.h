/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What is to be written to a monitor: pieces of text, some with a descriptor along. Belongs to one client; no
 * thread of its own.
 */

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

struct qmp_output {
        GQueue chunks; /* of struct chunk, owned */
};

void qmp_output_done(struct qmp_output *output);
bool qmp_output_is_empty(const struct qmp_output *output);
/* Takes text, and fd (-1: none), which goes along with the first byte. */
void qmp_output_push(struct qmp_output *output, char *text, size_t length, int fd);
/* Writes as far as it goes without waiting. When the other side is gone, what is left is dropped. */
void qmp_output_flush(struct qmp_output *output, int socket_fd);
