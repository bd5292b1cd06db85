/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Starting an emulator: a process that outlives the agent, has a session of its own, and holds nothing that
 * it was not given: no descriptor, no capability, no group, no way to gain a privilege.
 */

#include "drivers/qemu/process.h"
#include "drivers/security/account.h"

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* A file that the program must be able to open, tried with its own credentials before it runs. */
struct launch_check {
        char *path; /* owned */
        int flags;  /* O_RDONLY or O_RDWR */
        char *what; /* owned; for the message: "image '/x' of disk 'vda'" */
};

struct launch {
        char *const *argv; /* NULL-terminated; argv[0] is an absolute path. NULL: no program, only what comes
                              before it */
        char *const *env;  /* NULL-terminated, the whole environment */
        const struct account *account;
        bool privileged; /* it stays who the agent is, with all that it may do, and confines itself */
        bool raw_io;     /* it keeps CAP_SYS_RAWIO, and nothing else: any SCSI command, to what it has open */
        int output_fd;   /* becomes standard output and error */
        int pid_fd; /* gets "PID START-TIME\n" before the program runs: whatever happens to the agent then,
                       its successor finds it */
        const int *fds; /* stay open in the program under the same numbers */
        unsigned n_fds;
        int listen_fd; /* becomes the program's descriptor 3, and it is told so as systemd tells (LISTEN_FDS,
                          LISTEN_PID); then n_fds is 0. 0: none */
        const int *group_fds; /* control groups that it enters before anything else (cgroup_open_fds()) */
        unsigned n_group_fds;
        const char *label_file; /* where it says what confines its program; NULL: nobody is told */
        const char *label;      /* what is written there */
        bool dies_with_agent; /* killed when the thread that started it ends: for what a lane's job waits for
                               */
        uint64_t lock_bytes;  /* RLIMIT_MEMLOCK; 0: as it is */
        const uint64_t *cpus; /* bits: the host CPUs that it may run on; NULL: as the agent */
        unsigned n_cpu_words;
        const struct launch_check *checks;
        unsigned n_checks;
};

/*
 * Starts it; it is a child of the agent. Returns when it runs or has failed to. Any thread, which is held up
 * until then (about a millisecond). Errors: ERROR_SYSTEM_ERROR, naming program, file and user as it may be.
 */
bool launch_run(const struct launch *launch, struct process *process, GError **error);

/*
 * Starts it, with dies_with_agent, and waits for its end, which a deadline or an interrupt of the lane brings
 * about. *status is as from waitpid(2). In the lane. Errors as above, ERROR_OPERATION_TIMEOUT and
 * ERROR_OPERATION_ABORTED.
 */
bool launch_run_to_end(const struct launch *launch, struct lane *lane, unsigned timeout_ms, int *status,
                       GError **error);

/*
 * Tries the checks alone, as account, for a program that runs already. Errors and thread as above.
 */
bool launch_try_checks(const struct account *account, const struct launch_check *checks, unsigned n_checks,
                       GError **error);

/* Frees what check holds, for g_array_set_clear_func(). */
void launch_check_clear(void *check);
