/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * One process (an emulator, its swtpm) that may be a child of this agent or of the one before it. It is known
 * by pid and start time, so that a pid in use again is nobody else's, and held by a pidfd, so that its end is
 * seen and signals reach no other, whoever reaps it. Lane-owned.
 */

#include "base/lane.h"

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct process {
        pid_t pid;           /* 0: none */
        uint64_t start_time; /* clock ticks since boot, as in /proc/PID/stat */
        int pidfd;           /* owned; -1 when pid is 0 */
};

#define PROCESS_NONE                                                                                         \
        {                                                                                                    \
                0, 0, -1                                                                                     \
        }

/* Start time and state letter ('R', 'S', 'T' ...) of a process; false when there is none of that pid. */
bool process_read_stat(pid_t pid, uint64_t *start_time, char *state);

/*
 * Takes hold of the process that had pid and start_time; false when it has ended, *process is PROCESS_NONE
 * then. The error, if any, says why a living one cannot be held (no descriptors).
 */
bool process_open(struct process *process, pid_t pid, uint64_t start_time, GError **error);

/* Lets go of it, and reaps it if it is a child that has ended. */
void process_close(struct process *process);

bool process_is_open(const struct process *process);
/* Has it ended? */
bool process_has_ended(const struct process *process);
/* Is it stopped by a signal (SIGSTOP), so that it would not act on another? */
bool process_is_stopped(const struct process *process);

/*
 * Something that grows while the process gets anywhere: what it has used of the host's CPUs, and the pages
 * that it has touched. *runs: it does right now, or waits for a CPU or a disk. False when it is gone.
 */
bool process_read_progress(const struct process *process, uint64_t *progress, bool *runs);

/*
 * How long a process is waited for: until it has got nowhere for still_max_ms, looked at every slice_ms, or
 * total is past. On a busy host, and with gigabytes to fill, one that does what it can takes its time; one
 * that hangs is given up. So is one that spins: that has computed for spin_max_ms, in time of the CPU and not
 * counting what the kernel does for it, without touching another page. Zeroed but for what its owner sets.
 */
struct process_patience {
        /* the owner's */
        const struct process *process; /* borrowed */
        unsigned slice_ms, still_max_ms;
        unsigned spin_max_ms; /* 0: it may */
        lane_deadline total;
        /* its own */
        unsigned still_ms;  /* since it was last seen to get anywhere */
        uint64_t progress;  /* as of then */
        uint64_t pages;     /* that it had touched when that last changed */
        uint64_t before_ms; /* what it had computed by then */
};

/* For qmp_set_patience(), data being a struct process_patience: the next deadline; 0: it is given up. */
lane_deadline process_go_on(void *data);

void process_signal(const struct process *process, int signal);

/* Waits for its end; an interrupt of the lane ends the wait. */
enum lane_wake process_wait(const struct process *process, struct lane *lane, lane_deadline deadline);

/*
 * Ends it and what it started, within 3 s: SIGTERM, a second later SIGKILL; SIGKILL at once when it is
 * stopped. False when it lives on all the same (stuck in the kernel). Call in a job that cannot be
 * interrupted (lane_shield()).
 */
bool process_end(const struct process *process, struct lane *lane);
