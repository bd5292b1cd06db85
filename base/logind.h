/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What systemd-logind tells of the host's end and sleep (org.freedesktop.login1.Manager), and the locks by
 * which it waits a moment (InhibitDelayMaxSec=) for those who have something to do before. In a lane of its
 * own; what is told is told on the loop. A logind that is not there, or a bus that goes, is looked for again
 * every now and then. Made, freed and called on the loop.
 */

#include <stdbool.h>

struct logind;
struct loop;
struct pool;

enum logind_lock {
        LOGIND_SHUTDOWN,
        LOGIND_SLEEP,
        LOGIND_LOCKS,
};

/*
 * The host is about to end or to sleep (begins), or is not (any more): awake, or an end that was called off.
 * At begins the lock is held; logind_let_go() lets it go on. Once logind answers for the first time, or
 * again, it is told how things stand, which may be nothing new; a host that is about to end or to sleep by
 * then does not wait.
 */
typedef void (*logind_told)(enum logind_lock what, bool begins, void *data);

/* who and the reasons are for people: systemd-inhibit --list. All borrowed, static. */
struct logind *logind_new(struct loop *loop, struct pool *pool, const char *who,
                          const char *const why[LOGIND_LOCKS], logind_told told, void *data);
/* Lets go of the locks; nobody is told any more. Run the loop until logind_is_busy() is false, then free it.
 */
void logind_stop(struct logind *logind);
bool logind_is_busy(const struct logind *logind);
/* NULL is fine. */
void logind_free(struct logind *logind);

void logind_let_go(struct logind *logind, enum logind_lock what);
