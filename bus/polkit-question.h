/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Open questions to PolicyKit, inside polkit.c. Each is answered once: by PolicyKit, by its deadline, or by
 * polkit_questions_end(). Loop thread.
 */

#include "bus/polkit.h"

struct connection;
struct polkit_answers;

struct polkit {
        /* const */
        struct loop *loop;
        /* loop */
        struct polkit_settings settings;
        struct connection *connection;  /* borrowed; NULL: none */
        struct polkit_answers *answers; /* owned */
        GHashTable *users;              /* uid -> struct user, owned; those with questions */
        GQueue open;                    /* of struct question, a ref each */
        char *owner;                    /* owned; unique name behind POLKIT_NAME; NULL: not known */
        char *complaint;                /* owned; what was logged last */
        GString *key;                   /* owned; scratch, see write_key() */
        unsigned epoch;                 /* what was asked in an earlier one may be answered by old rules */
        unsigned next_id;
        bool stopping;
};

struct polkit_question {
        struct identity *identity; /* borrowed */
        const char *action;        /* PolicyKit's; interned */
        const char *key;           /* for polkit-answers.h; borrowed */
        GPtrArray *details;        /* taken; NULL: none */
        bool interactive;
        authorization_done done;
        void *data; /* owned by done */
};

/* AUTHORIZATION_PENDING: done comes later. Else there is no question, and details are freed. */
enum authorization_answer polkit_question_ask(struct polkit *polkit, const struct polkit_question *question);

/* Answers all of them, or those about that client. */
void polkit_questions_end(struct polkit *polkit, const struct identity *identity,
                          enum authorization_answer answer);
/* PolicyKit is back: what it went away with is asked again, and then what has waited. */
void polkit_questions_resume(struct polkit *polkit);

/* Is there a connection to ask over? */
bool polkit_is_connected(const struct polkit *polkit);
