/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Between guest-job.c and guest-job-foreign.c: states of a migration (MigrationStatus of QMP), and patience.
 */

#include "drivers/qemu/qmp.h"

#include <stdbool.h>
#include <string.h>

/* For QEMU to let go of a guest that it has migrated: a matter of a thread's turn. */
#define GUEST_JOB_SETTLE_MS 10

static inline bool guest_job_is_over(const char *status)
{
        return strcmp(status, "completed") == 0 || strcmp(status, "failed") == 0 ||
               strcmp(status, "cancelled") == 0;
}

static inline bool guest_job_is_postcopy(const char *status)
{
        return g_str_has_prefix(status, "postcopy-");
}

/*
 * Behind "migrate_cancel", of a migration that pauses before the switch. QEMU 7.2 looks whether it is
 * cancelled, lets go of its lock, and only then waits to be told to go on: cancelled in between it waits for
 * good, and lets no guest run. Told so in the state that it has by then it ends; told in vain it forgets
 * that.
 */
void guest_job_let_cancel(struct qmp *qmp);
