/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A program between a guest's emulator and a file: it compresses, expands, or copies around the host's cache.
 * It runs by itself while the emulator works, and is waited for at the end. Any lane, one at a time.
 */

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

struct lane;

struct filter; /* NULL: none */

/*
 * Starts argv (argv[0] looked up in PATH) with these descriptors (borrowed) as standard input and output.
 * NULL with ERROR_OPERATION_FAILED, "missing tool 'x'" when it is not there.
 */
struct filter *filter_start(const char *const argv[], int input_fd, int output_fd, GError **error);

/*
 * In lane, interruptible: waits for its end, which is to be a good one. Errors: ERROR_OPERATION_FAILED with
 * the first line that it has said, ERROR_OPERATION_ABORTED.
 */
bool filter_wait(struct filter *filter, struct lane *lane, GError **error);

/* Has it ended badly by itself? *error says how then. */
bool filter_has_failed(struct filter *filter, GError **error);

/* Ends it, if it has not ended, and frees it. NULL is fine. */
void filter_free(struct filter *filter);
