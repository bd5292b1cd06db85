/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The log of a guest: <log directory>/<name>.log, where its emulator's standard output and error go,
 * directly, so that they need nobody who lives as long as the guest. What is older than GUEST_LOG_MAX is in
 * <name>.old. Lanes.
 */

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

#define GUEST_LOG_MAX (2 * 1024 * 1024)

struct guest_log {
        char *path;  /* owned */
        int fd;      /* owned; -1 none */
        off_t start; /* where this run of the guest begins */
};

#define GUEST_LOG_NONE                                                                                       \
        {                                                                                                    \
                NULL, -1, 0                                                                                  \
        }

/* Opens the log for a new run. header is written first, and a newline. */
bool guest_log_open(struct guest_log *log, const char *dir, const char *name, const char *header,
                    GError **error);
void guest_log_close(struct guest_log *log);

/*
 * The end of what this run has written, at most 600 bytes in whole lines, without trailing newlines; "" when
 * nothing.
 */
char *guest_log_read_tail(const struct guest_log *log);
/* The same of its beginning: the line that is first, at most 600 bytes of it. */
char *guest_log_read_head(const struct guest_log *log);

/*
 * Takes the lines out of what an emulator wrote that are no reason for its end: where it redirected a device,
 * warnings. Nothing is taken out when nothing would be left. In text, which it returns.
 */
char *guest_log_drop_chatter(char *text);

/*
 * Keeps a log below GUEST_LOG_MAX while its guest runs: what is beyond goes to the old file, and the
 * emulator, which appends, goes on at the beginning.
 */
void guest_log_trim(const char *dir, const char *file);
