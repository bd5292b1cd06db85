/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Between the files of departures. */

#include "base/lane.h"
#include "drivers/domain/migrate.h"
#include "drivers/domain/model.h"

#define DEPART_WORK     "migration"
#define DEPART_PAUSE_MS 200

/* A definition that goes with its guest leaves what belongs to it to the other side. */
#define DEPART_UNDEFINE_FLAGS                                                                                \
        (DOMAIN_UNDEFINE_MANAGED_SAVE | DOMAIN_UNDEFINE_KEEP_NVRAM | DOMAIN_UNDEFINE_KEEP_TPM)

/* depart-offline.c: of a domain that does not run. */
extern const struct operation_kind depart_offline_kind;
/* depart-resume.c: of one that has left, and whose memory is to follow by another way. */
extern const struct operation_kind depart_resume_kind;

static inline struct domain_departure *departure_of(struct operation *op)
{
        return (struct domain_departure *)op;
}

/* ---- depart-prepare.c ---- */

/* Lane of the domain: departure->def, xml and copies, what is to be there. */
bool depart_choose_def(struct domain_departure *departure, const struct domain_state *state, GError **error);
/* Lane of the domain: departure->persistent_xml, if it is to be defined there. */
bool depart_choose_persistent(struct domain_departure *departure, const struct domain_state *state,
                              GError **error);
/* In the lane of the job: one call of the other side (remote_bus_call()). */
bool depart_call(struct domain_departure *departure, const char *member, const char *text,
                 const struct params *params, unsigned timeout_ms, struct params **answer, bool *refused,
                 GError **error);
/* In the lane of the job: the answer of a side that has the guest. What was to be defined there and is not
 * stays defined here: its last definition stays. */
void depart_heed_definition(struct domain_departure *departure, const struct params *answer);
/* A step: Prepare, and what the other side says to it. */
bool depart_prepare(struct operation *op, GError **error);
/* Another one: Recover; departure->uri is where the rest of its memory goes, NULL: nowhere, it is all there.
 */
bool depart_recover(struct operation *op, GError **error);

/* ---- depart-search.c ---- */

/* In the lane of the job: asks where the guest is until it is known (true), or the deadline, or somebody has
 * had enough. */
bool depart_ask(struct domain_departure *departure, lane_deadline deadline);
/* Loop: an operation that asks until it is known. The note's strings are copied. */
void depart_search(struct domain *domain, const struct domain_departure_note *note);

/* ---- depart.c ---- */

/* Lane of the domain. The guest of the beginning, and not another one that was started meanwhile? */
bool depart_is_there(const struct domain_departure *departure);
bool depart_require_there(const struct domain_departure *departure, GError **error);
/* The guest, paused for it, runs again. */
void depart_stay(struct domain *domain);
/* The guest is here, and that is written down. */
void depart_erase_note(struct operation *op);

/* postcopy.c: the guest stays paused, and here is not all of it, or there. */
void depart_mark_failed(struct domain *domain);

/* Steps, each where its kind runs, and the end of an operation. */
bool depart_follow(struct operation *op, GError **error);
bool depart_end_guest(struct operation *op, GError **error);
bool depart_confirm(struct operation *op, GError **error);
void depart_clear(struct operation *op);
