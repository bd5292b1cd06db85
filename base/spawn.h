/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Running helper programs (qemu-img, swtpm, dnsmasq, nft ...) from a lane. A child gets an empty signal mask, default
 * signal dispositions, /dev/null as standard input unless input is given, no descriptor of the agent's, and LC_ALL=C.
 * The wait is bounded by the deadline and ends early when the lane is interrupted; a child that does not end is killed
 * and reaped through its pidfd.
 */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct lane;

/* Output beyond this is cut off (and the child told so by a closed pipe). */
#define SPAWN_OUTPUT_MAX (8 * 1024 * 1024)

struct spawn_result {
        int status; /* as from waitpid(2) */
        char *output; /* owned, NUL-terminated standard output */
        char *errors; /* owned, NUL-terminated standard error, its last 4 KiB */
};

/* Frees what result holds; a zeroed one is fine. */
void spawn_result_clear(struct spawn_result *result);

/*
 * Runs argv (argv[0] looked up in PATH) and waits. False with ERROR_OPERATION_FAILED only when it could not be started
 * ("missing tool 'x'" when it does not exist), hit the deadline or was interrupted; the exit status is the caller's to judge.
 */
bool spawn_run(struct lane *lane, const char *const argv[], const char *input, unsigned timeout_ms,
               struct spawn_result *result, GError **error);

/*
 * The same and the exit status must be 0; otherwise the error quotes the program's last line of standard error. output
 * may be NULL.
 */
bool spawn_check(struct lane *lane, const char *const argv[], unsigned timeout_ms, char **output, GError **error);
