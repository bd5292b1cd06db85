/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What PolicyKit has answered lately, per client and question. An answer is good for POLKIT_ANSWER_MS, and
 * for nobody but the client that it was about; all are forgotten when PolicyKit says that something has
 * changed. Loop thread.
 */

#include "drivers/authorization.h"

#define POLKIT_ANSWER_MS 5000
/* Answers of one client; when there are more, all of them are forgotten. */
#define POLKIT_ANSWERS_MAX 32768

struct loop;
struct polkit_answers;

struct polkit_answers *polkit_answers_new(struct loop *loop);
void polkit_answers_free(struct polkit_answers *answers);

/* AUTHORIZATION_PENDING: not known, or too long ago. */
enum authorization_answer polkit_answers_find(struct polkit_answers *answers, const struct identity *identity,
                                              const char *question);
void polkit_answers_add(struct polkit_answers *answers, const struct identity *identity, const char *question,
                        enum authorization_answer answer);
void polkit_answers_remove(struct polkit_answers *answers, const struct identity *identity,
                           const char *question);

/* Of one client; of all. */
void polkit_answers_forget(struct polkit_answers *answers, const struct identity *identity);
void polkit_answers_clear(struct polkit_answers *answers);
