/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Who changed what: a record in the journal for each call that needed more than to read, once it is answered,
 * whatever the answer was. A view begins one where it asks for authorization, with the object at hand, and
 * ends it where the answer of every call passes. Arguments are not recorded, nor are texts of errors: there
 * may be secrets in them. Fields:
 *
 *     MESSAGE_ID            AUDIT_MESSAGE_ID
 *     CALLER_UID, CALLER_PID, CALLER_BUS_NAME
 *                           as far as it is known; another view's names begin with its own word
 *     ACTION                what it needed, as in the contract: "domain.start"; more than one with spaces between
 *     MEMBER                what was called, as the view names it: "org.libvirt.Domain.Create"
 *     OBJECT                on what, as the view names it: a path
 *     CONNECTION            "qemu:///system"
 *     OBJECT_UUID           of objects that have one
 *     DOMAIN_NAME, ...      the details by which access control knows the object, in capitals
 *     RESULT                the path of what was made or found, if the answer is one
 *     ANSWER                "ok", or the name of the error
 *     ERROR_NUMBER          of virErrorNumber, for failures of the API
 *
 * Calls of one user that fail are recorded AUDIT_FAILURES_MAX times in AUDIT_WINDOW_MS at most, and then
 * counted: who may nothing cannot fill the journal. Reads cost a look at their actions. Loop thread.
 */

#include "drivers/authorization.h"

#define AUDIT_MESSAGE_ID   "9c40f20a833f46eca3bfa944b3879986"
#define AUDIT_FAILURES_MAX 200
#define AUDIT_WINDOW_MS    30000

struct audit;
struct audit_record;

struct audit *audit_new(struct loop *loop);
/* When all records have ended. NULL is fine. */
void audit_free(struct audit *audit);
/* Are calls recorded from now on? They are unless this says otherwise. */
void audit_set_enabled(struct audit *audit, bool enabled);

/* NULL: there is nothing to record. question, and what it is about, are borrowed during the call. */
struct audit_record *audit_begin(struct audit *audit, const struct authorization_question *question,
                                 const struct access *access, unsigned flags);

struct audit_answer {
        const char *member, *object;
        const char *result; /* NULL: none */
        const char *error;  /* NULL: it succeeded */
        unsigned number;    /* 0: not a failure of the API */
};

/* Writes the record, and frees it. */
void audit_end(struct audit_record *record, const struct audit_answer *answer);
