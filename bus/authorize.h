/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A call and the question whether its caller may do this (drivers/authorization.h). While the answer is on
 * its way the caller's next calls wait and the object may vanish: so a call keeps no object meanwhile, and
 * after the answer everything is looked up again. What came to stand in the place of an object that somebody
 * was asked about is not touched. Loop thread.
 */

#include <stdbool.h>
#include <stdint.h>

struct access;
struct bus;
struct call;

typedef void (*authorize_next)(struct call *call);

/*
 * May the caller do what needs that access? flags are the call's. True: go on. False: the call is not the
 * caller's business any more; either it was refused, or the question is open, and when it is answered with
 * yes, next runs, with the object looked up again, asks the same once more and gets true.
 */
bool authorize(struct call *call, const struct access *access, uint32_t flags, authorize_next next);

/* The object of that path went, or goes by another name now: yes for it is no yes for what is there next. */
void authorize_lose(struct bus *bus, const char *path);
