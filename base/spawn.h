/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Running helper programs (qemu-img, swtpm, dnsmasq, nft ...) from a lane. A child gets a process group of
 * its own, an empty signal mask, default signal dispositions, /dev/null as standard input unless input is
 * given, no descriptor of the agent's, and LC_ALL=C. The wait is bounded by the deadline and ends early when
 * the lane is interrupted; a child that does not end then is killed with its group and reaped. What a child
 * leaves running in the background when it ends is not waited for. SIGPIPE must be ignored (log_init() does
 * it).
 */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct lane;

/* Output beyond this is cut off (and the child told so by a closed pipe). */
#define SPAWN_OUTPUT_MAX (8 * 1024 * 1024)

struct spawn_result {
        int status;     /* as from waitpid(2) */
        bool truncated; /* output is only the first SPAWN_OUTPUT_MAX bytes of what the child wrote */
        char *output;   /* owned, NUL-terminated standard output */
        char *errors;   /* owned, NUL-terminated standard error, its last 4 KiB */
};

/* Frees what result holds; a zeroed one is fine. */
void spawn_result_clear(struct spawn_result *result);

/*
 * Runs argv (argv[0] looked up in PATH) and waits. In the lane. False with ERROR_OPERATION_FAILED when it
 * could not be started ("missing tool 'x'" when it does not exist), ERROR_OPERATION_TIMEOUT at the deadline,
 * ERROR_OPERATION_ABORTED when the lane was interrupted; *result is empty then. The exit status is the
 * caller's to judge.
 */
bool spawn_run(struct lane *lane, const char *const argv[], const char *input, unsigned timeout_ms,
               struct spawn_result *result, GError **error);
/*
 * The same for a program of somebody else's: of the agent's environment it gets what libvirt gives to such
 * (HOME, LD_LIBRARY_PATH, LD_PRELOAD, LOGNAME, PATH, TMPDIR, USER), as far as it is there, and nothing else.
 */
bool spawn_run_foreign(struct lane *lane, const char *const argv[], const char *input, unsigned timeout_ms,
                       struct spawn_result *result, GError **error);

/*
 * The same and the exit status must be 0 and the output whole; otherwise ERROR_OPERATION_FAILED, which quotes
 * the first line of the program's standard error that is a reason, rather than a warning or its version.
 * output may be NULL.
 */
bool spawn_check(struct lane *lane, const char *const argv[], unsigned timeout_ms, char **output,
                 GError **error);
/* The same for a program of somebody else's (spawn_run_foreign()), of whose output nothing is wanted. */
bool spawn_check_foreign(struct lane *lane, const char *const argv[], unsigned timeout_ms, GError **error);
/* spawn_check(), with variables ("NAME=value", NULL-terminated) in its environment. */
bool spawn_check_with(struct lane *lane, const char *const argv[], const char *const variables[],
                      unsigned timeout_ms, GError **error);

/* Judges a result as spawn_check() does, for callers that look at what the program said first. */
bool spawn_result_check(const char *program, struct spawn_result *result, GError **error);

/* In the lane: a piece of the program's standard output as it comes; not NUL-terminated. */
typedef void (*spawn_reader)(const char *chunk, size_t length, void *data);

/*
 * spawn_check() for programs that report progress: reader gets the output, of which nothing is kept. input as
 * with spawn_run(), may be NULL.
 */
bool spawn_follow(struct lane *lane, const char *const argv[], const char *input, unsigned timeout_ms,
                  spawn_reader reader, void *data, GError **error);
