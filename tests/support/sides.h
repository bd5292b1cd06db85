/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Two agents, each on a bus of its own, between which guests go. One test at a time: what it has is in here
 * and there. Functions fail the running test, as those of harness.h do.
 */

#include "tests/support/guest.h"
#include "tests/support/harness.h"
#include "tests/support/proxy.h"

enum {
        LIVE = 1,
        TUNNELLED = 4,
        PERSIST_DEST = 8,
        UNDEFINE_SOURCE = 16,
        PAUSED = 32,
        UNSAFE = 512,
        OFFLINE = 1024,
        COMPRESSED = 2048,
        AUTO_CONVERGE = 8192,
        POSTCOPY = 32768,
        TLS = 65536,
        PARALLEL = 131072,
        POSTCOPY_RESUME = 524288,
        STARTED_MIGRATED = 1,
        SUSPENDED_MIGRATED = 1,
        SUSPENDED_POSTCOPY = 7,
        SUSPENDED_POSTCOPY_FAILED = 8,
        RESUMED_MIGRATED = 1,
        RESUMED_POSTCOPY = 3,
        RESUMED_POSTCOPY_FAILED = 4,
        STOPPED_MIGRATED = 3,
        SHUTOFF_MIGRATED = 4,
        RUNNING_MIGRATED = 2,
        RUNNING_MIGRATION_CANCELED = 6,
        RUNNING_POSTCOPY = 10,
        RUNNING_POSTCOPY_FAILED = 11,
        PAUSED_POSTCOPY = 12,
        PAUSED_POSTCOPY_FAILED = 13,
};

/* One side: an agent on a bus. */
struct side {
        struct harness *harness;
        struct client *client; /* borrowed */
        char *uri;             /* by which the other one reaches it */
};

extern struct side here, there;

/* The fixture of a test case. */
void sides_set_up(void);
/* The same; each agent's process does that before it is the agent (harness_set_child_setup()). NULL: nothing.
 */
void sides_set_up_in(void (*enter_here)(void), void (*enter_there)(void));
void sides_tear_down(void);

/* What the agents say to each other goes by it, whoever uses its URI (owned by the caller). Owned. */
struct proxy *sides_new_proxy(const struct side *to, char **uri);

/* xml (taken) of a Linux guest with that console: what it prints there on either side goes to one file. */
char *sides_append_console(char *xml, const char *console);
/* A document of Linux that counts; what it prints on either side goes to one file, one behind the other. */
char *sides_make_counting_xml(const char *name, const char *console);
/*
 * The same of one that may have post-copy; NULL, and the case is skipped (harness_skip()), where that cannot
 * be had.
 */
char *sides_make_postcopy_xml(const char *name, const char *console);
/* Each number once and in order: neither did it stop for good, nor go back, nor run twice. The last one. */
unsigned sides_check_count(const char *console);
/* The same, and it goes on. */
void sides_expect_counting(const char *console);

/* By MigrateToURI3, which has to work. */
void sides_migrate(const struct side *from, const char *path, const struct side *to, unsigned flags);
/* What GetJobInfo says here, behind the type of the job; the members of virDomainJobInfo have the order. */
enum { JOB_DATA_PROCESSED = 3, JOB_MEMORY_PROCESSED = 6, JOB_FILE_PROCESSED = 9, JOB_NUMBERS = 11 };
void sides_read_job(const char *path, uint64_t numbers[JOB_NUMBERS]);
/* For harness_wait_until(): some of the guest whose path is data has gone over from here. */
bool sides_are_transferring(void *data);

/* Of the guest, which may go at any moment; -1: there is none. */
int side_find_state(const struct side *side, const char *path);
bool side_has(const struct side *side, const char *path);
bool side_runs(const struct side *side, const char *path);
/* The process that this side has written down; 0: none. */
pid_t side_find_emulator(const struct side *side, const char *path);
/* The emulator that this side has written down is killed, if there is one. */
void side_kill_guest(const struct side *side, const char *path);
/* Its agent is killed, and started again. */
void side_restart_agent(const struct side *side);
/* Its agent is started again, and finds its certificates in that folder from now on. */
void side_set_certificates(const struct side *side, const char *folder);
