/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Between guest-job.c and guest-job-foreign.c: states of a migration (MigrationStatus of QMP), and patience.
 */

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
