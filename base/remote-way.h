/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A program (ssh) that is the way to another host: its standard input and output are a stream to there. */

#include <glib.h>
#include <sys/types.h>

struct remote_way {
        pid_t pid;     /* 0: none */
        int errors_fd; /* owned; what it says; -1: nothing was run */
};

#define REMOTE_WAY_NONE ((struct remote_way){ 0, -1 })

/*
 * Runs command, NULL-terminated. Our end of the stream, non-blocking, which is the caller's; -1 with an
 * error: ERROR_OPERATION_FAILED. what is its purpose, for the error. Any thread.
 */
int remote_way_open(struct remote_way *way, const char *const *command, const char *what, GError **error);
/* The first line of what the program has said, quoted; owned. NULL: nothing. */
char *remote_way_get_complaint(const struct remote_way *way);
/* Ends it, with all that it has run. Any thread; waits for nobody. */
void remote_way_close(struct remote_way *way);
