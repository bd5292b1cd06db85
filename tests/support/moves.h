/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A guest that counts, on its way from here to there (sides.h), above all in post-copy. Functions fail the
 * running test, as those of harness.h do. Those with a pointer without a type are for harness_wait_until(),
 * and take the guest's path.
 */

#include "tests/support/proxy.h"
#include "tests/support/sides.h"

/* Where QEMU's stream goes by: a proxy there is what a migration cannot tell from the other host. */
#define PROXY  "tcp:127.0.0.1:50200"
#define LISTEN "127.0.0.2"

struct move {
        char *console, *path; /* owned */
        struct client_answer answer;
        struct proxy *proxy; /* owned; NULL: none */
};

/* A machine of the test's own, whose guests are emulated twice: it has no time for all. */
bool moves_are_in_lab(void);

/* The guest runs here, and counts. False: it cannot have post-copy here, and the case is skipped. */
bool move_start(struct move *move, bool postcopy);
void move_clear(struct move *move);
/* Each number once and in order, and it goes on. */
void move_expect_counting(const struct move *move);

/* Another one is going to come. */
void move_forget_answer(struct move *move);
/* A migration that was sent has begun, and is not over. */
void move_wait_under_way(struct move *move);
/* One that may go into post-copy begins, as slowly as can be said: it does not end by itself. */
void move_begin(struct move *move);
/* The same, to what a URI names. */
void move_begin_to(struct move *move, const char *uri);
/* The same by way of the proxy, with further flags, and without waiting for its beginning. */
void move_send_by_proxy(struct move *move, unsigned flags);
void move_start_postcopy(const char *path);
/* What comes in post-copy comes fast from now on. */
void move_speed_up(const char *path);
/* By AbortJobFlags, with the flag POSTCOPY. */
void move_interrupt(const char *path);
/* In post-copy by way of the proxy: that is cut, and both sides say so. */
void move_cut(struct move *move);
/*
 * A guest that runs is brought to where one half of it is here and one there, by a migration to that URI with
 * further flags. False: as of move_start().
 */
bool move_halve(struct move *move, const char *uri, unsigned flags);
/* Neither side's guest is whole: nobody goes on as if it were. */
void move_expect_halves(const struct move *move);

bool move_is_failed_here(void *path);
bool move_is_failed_there(void *path);
bool move_is_over_here(void *path);
bool move_is_gone_there(void *path);
/* All of it is there. */
bool move_has_come(void *path);
void moves_wait_guests(unsigned expected);
