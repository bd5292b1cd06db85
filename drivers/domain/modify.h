/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * One way to change a domain: a function of the API that changes a definition, the guest that runs, or both,
 * is a constant row, and domain_modify() does with it what is the same for all of them.
 *
 *     flags      unknown ones are refused; LIVE and CONFIG say what is changed, CURRENT is what the domain is
 *                when its turn comes: the guest of a running one, the definition of one that is off
 *     edits      the definitions are edited first, the stored one before the running one: what they refuse
 *                has touched nothing
 *     live       then the guest is changed
 *     store      then the file is written; when that fails, the guest is changed back
 *     publish    at last both definitions are published, once, with the event
 *
 * All of it happens in the domain's lane. Between the files of the domain model.
 */

#include "drivers/domain/edit-xml.h"
#include "drivers/domain/model.h"

struct domain_modification;

/* One call on its way. */
struct domain_change {
        const struct domain_modification *row;
        unsigned flags;  /* as they were given */
        unsigned affect; /* LIVE, CONFIG or both: what CURRENT came to; from the edits on */
        void *args;      /* owned; the row's own */
        /*
         * What the edit makes of one active definition, when somebody has called it before; it is not called
         * again as long as that is the active one. Both borrowed; NULL: nobody has.
         */
        const struct definition *known_of;
        struct domain_def *known;
};

struct domain_modification {
        const char *function; /* as clients call it: "SetMemory" */
        /*
         * All flags that it takes. A function without DOMAIN_AFFECT_LIVE changes the stored definition only,
         * one without DOMAIN_AFFECT_CONFIG the guest only.
         */
        unsigned flags;
        bool inactive; /* a domain that runs is refused */

        /*
         * Checks whether def may be changed so, and changes edit, made from it. side is the one of LIVE and
         * CONFIG that def belongs to. Pure: it may be called and its result given up. What a setter of the
         * edit finds wrong needs no check of its own. Returning true without a change is fine.
         */
        bool (*edit)(struct domain_edit *edit, const struct domain_def *def,
                     const struct domain_change *change, enum domain_affect side, GError **error);
        /*
         * Changes the guest. *live is the edited active definition; what the guest really got, if that is
         * something else, takes its place. It may wait for the guest and announce events, and publishes no
         * definition. When it fails, the guest is as it was. NULL: only the document changes.
         */
        bool (*act)(struct domain *domain, const struct domain_change *change, struct domain_def **live,
                    GError **error);
        /*
         * Changes the guest back, as the active definition `before` has it: the definition could not be
         * stored. In a shielded lane. NULL: there is no way back, and what was reached is published.
         */
        bool (*undo)(struct domain *domain, const struct domain_change *change,
                     const struct domain_def *before, GError **error);
        /*
         * Of both, the definition is stored before the guest is touched, and the one before it again when
         * that fails: for what the guest cannot take back, and an agent that is killed in between may leave.
         */
        bool stores_first;
        /* To be announced before the new state, and with it; each may be NULL, or return NULL. */
        struct managed_event *(*announce)(const struct domain_change *change);
        struct managed_event *(*event)(const struct domain_change *change);
        void (*args_free)(void *args); /* NULL: g_free() */
};

/* Loop. args is taken, also when flags are refused, and lives until done has returned. */
void domain_modify(struct domain *domain, const struct domain_modification *row, void *args, unsigned flags,
                   managed_done done, void *data);

/*
 * The same in the domain's lane, for a step of an operation that has the domain to itself. change has row,
 * flags and args, which stay the caller's.
 */
bool domain_modify_now(struct domain *domain, struct domain_change *change, GError **error);

/*
 * What LIVE, CONFIG and neither of them (in flags, whose other bits are ignored) mean for a domain of this
 * state: LIVE needs one that is active, CONFIG one that is persistent. Any thread.
 */
bool domain_resolve_affect(const struct managed_state *state, unsigned flags, unsigned *affect,
                           GError **error);

/*
 * The definition that a query asks about, borrowed from state; LIVE and CONFIG at once are refused. On the
 * loop with the published state, in the lane with the current one.
 */
const struct domain_def *domain_choose_def(const struct managed_state *state, unsigned flags, GError **error);
