/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * May the caller do this? Every call is asked about before its arguments are looked at, by the action of its
 * member (and again by its handler where an argument makes more of it: passwords in a document ...). An
 * action is one or more names of libvirt's access control ("domain.start", "domain.write domain.save"), all
 * of which are needed.
 *
 * The rule: root and the agent's own user may do everything, all others may read (getattr, read, search-*).
 * A caller that opened the connection read-only may not do more than that itself.
 *
 * The answer may take time, in which the caller's next calls wait and the object may vanish: so a call keeps
 * no object meanwhile, and after the answer everything is looked up again. Loop thread.
 */

#include <stdbool.h>

struct call;

typedef void (*authorize_next)(struct call *call);

/*
 * True: go on. False: the call is not the caller's business any more; either it was refused, or the question
 * is open, and when it is answered with yes, next runs, with the object looked up again, asks the same once
 * more and gets true.
 */
bool authorize(struct call *call, const char *action, authorize_next next);

/* Does every name in action stand for a read? */
bool authorize_is_read(const char *action);
